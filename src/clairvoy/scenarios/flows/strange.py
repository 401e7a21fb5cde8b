"""Rows unlike anything seen: what the generator makes up freely, and harmless flows pieced together with others.

A classifier that knows such rows draws its border close around what it has seen; an attack that nobody knew lies outside.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clairvoy.scenarios.flows.beliefs import BeliefSettings, learn_beliefs
from clairvoy.scenarios.flows.helping import ENOUGH, NewBeliefs

FALSE_ALARMS = 0.05
"""Rate at which it is asked whether such rows help."""
LEAST_GAIN = 0.02
"""Mean part of the flows of classes left out that must be found more."""
FOREIGN = 0.3
"""Chance of each group of a harmless flow to be another flow's."""
FEW = 10
"""Flows of a class that are learnt in the second kind of trial: one that is hardly known."""
MOST_LOSS = 0.01
"""Part of the flows of any class that may be found less, in either trial."""
MOST_ASKED = 2000
"""Flows of a class left out that are judged."""


@dataclass(frozen=True)
class StrangeHelp:
    """What such rows change for attacks that were not learnt.

    Attributes
    ----------
    before, after
        By class that was left out: part of its flows that is found at `FALSE_ALARMS`, without such rows and with them.
    few_before, few_after
        The same of a class of which `FEW` flows were learnt.
    """

    before: dict[str, float]
    after: dict[str, float]
    few_before: dict[str, float]
    few_after: dict[str, float]

    @property
    def gain(self) -> float:
        """On the mean over classes left out; 0 where none could be."""
        changes = _changes(self.before, self.after)
        return float(np.mean(changes)) if changes else 0.0

    @property
    def helps(self) -> bool:
        """Whether more is found of what nobody knew on the mean, and of no class less, known a little or not at all."""
        changes = [*_changes(self.before, self.after), *_changes(self.few_before, self.few_after)]
        return self.gain >= LEAST_GAIN and min(changes) >= -MOST_LOSS

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"gain": self.gain, "helps": self.helps}


def _changes(before: dict[str, float], after: dict[str, float]) -> list[float]:
    return [after[name] - before[name] for name in before]


def pieced(harmless: Tensor, others: Tensor, group_of: Tensor, count: int, noise: torch.Generator) -> Tensor:
    """Harmless flows of which some groups are another flow's: each is seen by itself, not together.

    Parameters
    ----------
    harmless, others
        Encoded rows (R, W) and (S, W), at least one each.
    group_of
        See `Beliefs`.
    count
        How many.
    noise
        Source of all randomness.
    """
    own = harmless[torch.randint(len(harmless), (count,), generator=noise)]
    foreign = others[torch.randint(len(others), (count,), generator=noise)]
    swapped = torch.rand(count, int(group_of.max()) + 1, generator=noise) < FOREIGN
    return torch.where(swapped[:, group_of], foreign, own)


def strange_rows(
    learnt: tuple[Tensor, Tensor], made: Tensor, benign: int, group_of: Tensor, noise: torch.Generator
) -> Tensor:
    """As many rows pieced together as were made up: (2 M, W).

    Parameters
    ----------
    learnt
        Encoded rows (R, W) and classes (R,).
    made
        Encoded rows (M, W) that a generator made up.
    benign, group_of, noise
        See `Beliefs`, `pieced`.
    """
    encoded, classes = learnt
    return torch.cat([made, pieced(encoded[classes < benign], encoded, group_of, len(made), noise)])


@torch.no_grad()
def _found(beliefs: Any, asked: Tensor, harmless: Tensor) -> float:
    """Part of the rows asked whose belief in an attack lies above that in 95 % of the harmless ones."""

    def score(rows: Tensor) -> Tensor:
        told = beliefs(rows, torch.ones(len(rows), beliefs.groups, dtype=torch.bool))
        # On the scale of the log-odds: what is sure is told apart still.
        odds: Tensor = told[:, beliefs.benign :].logsumexp(dim=1) - told[:, : beliefs.benign].logsumexp(dim=1)
        return odds

    limit = score(harmless).quantile(1 - FALSE_ALARMS)
    return float((score(asked) > limit).float().mean())


def do_strange_rows_help(
    names: tuple[str, ...],
    benign: int,
    learnt: tuple[Tensor, Tensor],
    made: tuple[Tensor, Tensor],
    tuning: tuple[Tensor, Tensor],
    group_of: Tensor,
    new_beliefs: NewBeliefs,
    settings: BeliefSettings,
    seed: int,
) -> StrangeHelp:
    """Whether classes that were left out are found more often, when beliefs know such rows.

    Each attack in turn plays the one that nobody knew: neither its flows nor what was made of its class are learnt. Then it
    plays one that is hardly known: its first `FEW` flows are. Both are asked of the flows behind those.

    Parameters
    ----------
    names, benign
        Of the classes, of which the first are no attack.
    learnt, made, tuning
        Encoded rows (R, W) and classes (R,): to learn from, made up, held back.
    group_of
        See `Beliefs`.
    new_beliefs, settings, seed
        Of the trials.
    """
    harmless = tuning[0][tuning[1] < benign]
    found: dict[tuple[int, bool], dict[str, float]] = {
        (known, used): {} for known in (0, FEW) for used in (False, True)
    }
    for number in range(benign, len(names)):
        of_class = (learnt[1] == number).nonzero()[:, 0]
        others = (learnt[1] >= benign) & (learnt[1] != number)
        if len(of_class) < ENOUGH + FEW or not bool(others.any()) or len(harmless) < ENOUGH:
            continue
        asked = learnt[0][of_class[FEW:]][:MOST_ASKED]
        for (known, used), told in found.items():
            kept = torch.ones(len(learnt[1]), dtype=torch.bool)
            kept[of_class[known:]] = False
            real, noise = (learnt[0][kept], learnt[1][kept]), torch.Generator().manual_seed(seed)
            strange = (
                strange_rows(real, made[0][made[1] != number], benign, group_of, noise) if used else None
            )
            noise = torch.Generator().manual_seed(seed)
            beliefs = learn_beliefs(new_beliefs(settings, seed), *real, settings, noise, strange=strange)
            told[names[number]] = _found(beliefs, asked, harmless)
    return StrangeHelp(found[0, False], found[0, True], found[FEW, False], found[FEW, True])
