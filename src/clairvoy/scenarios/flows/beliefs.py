"""What a flow is believed to be, from whatever has been looked at of it: p(class | opened groups).

Small perceptrons side by side vote. They differ in how much more often a rare class is drawn than it comes, and in whether
they see a number by its size alone, or also by the steps that it lies above (as trees see it). Some are asked where all
groups are open, and have learnt from nothing else; others know all sets of opened groups: groups that are closed are shown
to them as zeros, and which are open is shown too. One kind for both tasks is worse where everything is seen.

They can be taught one class more, "unlike anything seen", by rows that are made up (see `strange`): to be like no flow that
was learnt speaks for an attack, of whatever kind (Hendrycks, Mazeika and Dietterich, *Deep Anomaly Detection with Outlier
Exposure*, ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import SettingsError, above, at_least, between
from clairvoy.generative.adversary import moving_average
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.scenarios.flows.perceptrons import Perceptrons
from clairvoy.scenarios.flows.steps import Steps

BALANCES = (0.0, 0.5, 1.0)
"""How the voters' draws are balanced: a class of n rows is drawn in proportion to ``n ** (1 - balance)``."""


@dataclass(frozen=True)
class BeliefSettings:
    """The size of a `Beliefs`, and how it learns."""

    width: int = 64
    """Of the hidden layers of each voter."""
    voters: int = 2
    """Of each kind: there are three balances, with steps and without, where all is open and where not."""
    updates: int = 700
    """Steps of the optimizer."""
    batch: int = 160
    """Rows in each, for each voter."""
    learning_rate: float = 2e-3
    """Of AdamW at the beginning; it falls to 0."""
    weight_decay: float = 0.01
    """Decoupled."""
    blur: float = 0.3
    """Deviation of noise that is added to encoded rows, in units of the data's own: what lies near a rare row counts as
    the same, and no single bit decides."""
    closed: float = 0.9
    """Part of each batch of the voters for closed groups of which some are closed, in [0, 1]; at 0 they do not learn, and
    nothing is to be asked but what is known of whole rows."""
    strange: float = 0.15
    """Part of each batch that is unlike anything seen, where there are such rows, in [0, 0.5]."""

    def __post_init__(self) -> None:
        at_least(self, 1, "width", "voters", "updates", "batch")
        above(self, 0, "learning_rate")
        at_least(self, 0, "weight_decay", "blur")
        between(self, 0, 1, "closed")
        between(self, 0, 0.5, "strange")


class Beliefs(nn.Module):
    """Log-probabilities of the classes (B, C) from encoded rows (B, W) and which groups are open (B, G).

    Parameters
    ----------
    group_of
        The group of each number of an encoded row, (W,) int64 in [0, G).
    classes
        C, at least 2.
    benign
        The first so many are no attack, in [1, C).
    steps
        Of the numbers; see `steps.steps_of`.
    width, voters
        See `BeliefSettings`.
    """

    group_of: Tensor

    def __init__(
        self, group_of: Tensor, classes: int, benign: int, steps: Steps, width: int = 64, voters: int = 2
    ) -> None:
        super().__init__()
        if not 1 <= benign < classes:
            raise SettingsError(f"{benign} of {classes} classes are benign; at least one is, and one is not")
        self.register_buffer("group_of", group_of)
        self.groups, self.classes, self.benign, self.width = int(group_of.max()) + 1, classes, benign, width
        self.steps, self.voters = steps, voters
        inputs = len(group_of) + self.groups + len(steps)
        # Voters in the order of BALANCES; in each, the first half does not see the steps.
        sees = torch.ones(len(BALANCES), 2, voters, inputs)
        sees[:, 0, :, len(group_of) + self.groups :] = 0
        self.of_whole, self.of_parts = (
            Perceptrons(inputs, width, classes + 1, sees.flatten(0, 2)) for _ in range(2)
        )

    def forward(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Log-probabilities (B, C)."""
        whole = opened.all(dim=1)
        votes = encoded.new_empty(len(encoded), self.classes + 1)
        for voters, asked in ((self.of_whole, whole), (self.of_parts, ~whole)):
            if bool(asked.any()):
                # The mean of the voters' probabilities; a factor does not matter here.
                told = self.votes(voters, encoded[asked], opened[asked]).log_softmax(dim=2)
                votes[asked] = told.logsumexp(dim=0)
        harmless, attack = votes[:, : self.benign], votes[:, self.benign : self.classes]
        # What is unlike anything seen, the last class, is an attack of one kind or another.
        any_attack = votes[:, self.benign :].logsumexp(dim=1, keepdim=True)
        return torch.cat([harmless, attack.log_softmax(dim=1) + any_attack], dim=1).log_softmax(dim=1)

    def votes(self, voters: Perceptrons, encoded: Tensor, opened: Tensor) -> Tensor:
        """Logits (K, B, C + 1) of each voter, the last one of what is unlike anything seen.

        Rows (B, ...) are the same for all, or (K, B, ...) their own. Voters are `of_whole` or `of_parts`.
        """
        steps = self.steps(encoded) * opened.float()[..., self.group_of[self.steps.number]]
        seen = torch.cat([self.shown(encoded, opened), opened.float(), steps], dim=-1)
        logits: Tensor = voters(seen)
        return logits

    def shown(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Encoded rows (..., W) with closed groups at 0."""
        return encoded.clamp(-5, 5) * opened.float()[..., self.group_of]


Masks = Callable[[int, torch.Generator], Tensor]
"""Draws which groups are open, (count, G) bool."""


def any_masks(groups: int) -> Masks:
    """Sets of groups of all sizes: each is open with a chance of its own for each row."""

    def draw(count: int, noise: torch.Generator) -> Tensor:
        chance = torch.rand(count, 1, generator=noise)
        return torch.rand(count, groups, generator=noise) < chance

    return draw


def learn_beliefs(
    beliefs: Beliefs,
    encoded: Tensor,
    classes: Tensor,
    settings: BeliefSettings,
    noise: torch.Generator,
    *,
    weights: Tensor | None = None,
    masks: Masks | None = None,
    strange: Tensor | None = None,
) -> Beliefs:
    """Train on rows of known class; gives the average of the weights over the last updates, which is what is used.

    Parameters
    ----------
    beliefs
        Trained in place.
    encoded
        Rows (R, W).
    classes
        Of each, (R,) int64; each class at least once.
    settings
        See `BeliefSettings`.
    noise
        Source of all randomness.
    weights
        How often each row is drawn among those of its class, (R,) at or above 0; None: all alike.
    masks
        Which groups are open in the part of a batch that has closed ones; None: `any_masks`.
    strange
        Rows unlike anything seen, (S, W); None or no row: that class is not learnt.
    """
    optimizer = torch.optim.AdamW(
        beliefs.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    average = moving_average(beliefs, 0.99)
    masks = masks or any_masks(beliefs.groups)
    draws = [Draws(classes, balance, weights) for balance in BALANCES]
    learners = [(beliefs.of_whole, 0.0)]
    if settings.closed > 0:
        learners.append((beliefs.of_parts, settings.closed))
    for update in range(settings.updates):
        rate = linear_schedule(settings.learning_rate, 0.0, settings.updates, update)
        for group in optimizer.param_groups:
            group["lr"] = rate
        each = 2 * beliefs.voters * settings.batch
        optimizer.zero_grad(set_to_none=True)
        for voters, closed in learners:
            drawn = torch.cat([draw(each, noise) for draw in draws])
            rows, truth = encoded[drawn], classes[drawn]
            if strange is not None and len(strange):
                made = strange[torch.randint(len(strange), (len(drawn),), generator=noise)]
                is_made = torch.rand(len(drawn), generator=noise) < settings.strange
                rows = torch.where(is_made[:, None], made, rows)
                truth = torch.where(is_made, beliefs.classes, truth)
            rows = rows + settings.blur * torch.randn(rows.shape, generator=noise)
            some_closed = torch.rand(len(drawn), 1, generator=noise) < closed
            opened = masks(len(drawn), noise) | ~some_closed
            of_each = (-1, settings.batch)
            logits = beliefs.votes(voters, rows.unflatten(0, of_each), opened.unflatten(0, of_each))
            # Each voter learns for itself: the sum of their mean losses.
            (F.cross_entropy(logits.flatten(0, 1), truth) * len(logits)).backward()
        optimizer.step()
        average.update_parameters(beliefs)
    learnt = average.module.eval()
    assert isinstance(learnt, Beliefs)
    return learnt


class Draws:
    """Draws rows with replacement, classes as often as `balance` says.

    Parameters
    ----------
    classes
        Of each row, (R,) int64.
    balance
        See `BALANCES`.
    weights
        Of the rows of a class among each other, (R,), or None. What they sum to does not matter to the class.
    """

    def __init__(self, classes: Tensor, balance: float, weights: Tensor | None = None) -> None:
        weight = torch.ones(len(classes), dtype=torch.float64) if weights is None else weights.double()
        counts = torch.bincount(classes).double()
        whole = torch.zeros_like(counts).index_add(0, classes, weight)
        chance = weight / whole[classes] * counts[classes] ** (1 - balance)
        self.ends = chance.cumsum(dim=0)

    def __call__(self, count: int, noise: torch.Generator) -> Tensor:
        """Places of rows, (count,) int64."""
        points = torch.rand(count, generator=noise, dtype=torch.float64) * self.ends[-1]
        return torch.searchsorted(self.ends, points, right=True).clamp(max=len(self.ends) - 1)
