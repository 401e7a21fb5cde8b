"""Do generated rows help? Asked of flows that neither was learnt from, class by class, before any is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.evaluation.aggregate import Interval, bootstrap
from clairvoy.scenarios.flows.beliefs import Beliefs, BeliefSettings, learn_beliefs

NewBeliefs = Callable[[BeliefSettings, int], Beliefs]

ENOUGH = 10
"""Flows of a class that must be held back for anything to be said of it: of one alone an interval means nothing."""


@dataclass(frozen=True)
class Help:
    """What generated rows of one class change on flows held back for it."""

    name: str
    made: int
    """Rows that the discriminator admitted."""
    held_back: int
    """Flows of the class that it was tried on."""
    gain: Interval
    """Drop of the log loss in nats for a flow, all classes weighing the same."""

    @property
    def helps(self) -> bool:
        """Whether it is a gain for sure: the whole interval lies above 0, and enough flows of the class speak."""
        return self.gain.low > 0 and self.held_back >= ENOUGH

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"helps": self.helps}


def with_generated(
    encoded: Tensor, classes: Tensor, made: Tensor, made_classes: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Real and generated rows as one set: rows, classes and weights, as `learn_beliefs` takes them.

    Parameters
    ----------
    encoded, classes
        Real rows (R, W) and what they are, (R,).
    made, made_classes
        Generated ones.
    share
        Part of the draws of a class that are generated, where there are any, in [0, 1).
    """
    weights = torch.ones(len(encoded))
    made_weights = torch.zeros(len(made))
    for number in made_classes.unique():
        real, generated = classes == number, made_classes == number
        made_weights[generated] = share / (1 - share) * float(real.sum()) / float(generated.sum())
    return torch.cat([encoded, made]), torch.cat([classes, made_classes]), torch.cat([weights, made_weights])


def which_help(
    names: tuple[str, ...],
    learnt: tuple[Tensor, Tensor],
    made: tuple[Tensor, Tensor],
    tuning: tuple[Tensor, Tensor],
    new_beliefs: NewBeliefs,
    settings: BeliefSettings,
    share: float,
    seeds: tuple[int, ...],
) -> list[Help]:
    """Whether it helps to learn from the rows made, for each class of which there are some.

    Beliefs are learnt with the rows of that class and with none, from the same first weights and batches, and compared on
    flows held back by the log loss, each class weighing the same. Each arm has the scale of the logits and the offset of
    that class which suit it best: to be less bold is no help that generated rows are needed for. The interval is a bootstrap
    over those flows of the mean over seeds.

    Parameters
    ----------
    names
        Of the classes.
    learnt, made, tuning
        Encoded rows (R, W) and classes (R,) of each: to learn from, generated, held back.
    new_beliefs
        Untrained beliefs of a size, from a seed.
    settings
        Of the trial, which may be shorter than the training.
    share
        See `with_generated`.
    seeds
        One pair of trials each.
    """
    weight = _class_weights(tuning[1], len(names))
    none = made[0][:0], made[1][:0]
    without = _logits(learnt, none, tuning, new_beliefs, settings, share, seeds)
    found = []
    for number, name in enumerate(names):
        chosen = made[1] == number
        if not bool(chosen.any()):
            continue
        of_class = made[0][chosen], made[1][chosen]
        having = _logits(learnt, of_class, tuning, new_beliefs, settings, share, seeds)
        before, after = (
            torch.stack([_best_scaled(logits, tuning[1], number, weight) for logits in told]).mean(dim=0)
            for told in (without, having)
        )
        gain = before - after
        interval = bootstrap((gain * weight).numpy(), np.mean, resamples=1000)
        found.append(Help(name, int(chosen.sum()), int((tuning[1] == number).sum()), interval))
    return found


def _logits(
    learnt: tuple[Tensor, Tensor],
    made: tuple[Tensor, Tensor],
    tuning: tuple[Tensor, Tensor],
    new_beliefs: NewBeliefs,
    settings: BeliefSettings,
    share: float,
    seeds: tuple[int, ...],
) -> list[Tensor]:
    """Logits (n, C) of the flows held back, for each seed."""
    told = []
    rows, known, weights = with_generated(*learnt, *made, share)
    for seed in seeds:
        beliefs = new_beliefs(settings, seed)
        noise = torch.Generator().manual_seed(seed)
        average = learn_beliefs(beliefs, rows, known, settings, noise, weights=weights)
        with torch.no_grad():
            logits = average(tuning[0], torch.ones(len(tuning[0]), beliefs.groups, dtype=torch.bool))
        told.append(logits)
    return told


def _best_scaled(logits: Tensor, classes: Tensor, number: int, weight: Tensor) -> Tensor:
    """Log loss (n,) at that scale of the logits, and offset of class `number`, which make its weighted mean least."""
    best, least = torch.zeros(len(classes)), float("inf")
    for scale in torch.logspace(-1.5, 0.5, 21):
        for offset in torch.linspace(-3, 3, 13):
            moved = scale * logits
            moved[:, number] += offset
            losses = F.cross_entropy(moved, classes, reduction="none")
            mean = float((losses * weight).mean())
            if mean < least:
                best, least = losses, mean
    return best


def _class_weights(classes: Tensor, number: int) -> Tensor:
    """Weight of each flow (n,), mean 1, so that all classes that there are weigh the same."""
    counts = torch.bincount(classes, minlength=number).float()
    weight = 1 / counts[classes]
    return weight / weight.mean()
