"""What a flow is believed to be, from whatever has been looked at of it: p(class | opened groups).

One network for all sets of opened groups: groups that are closed are shown as zeros, and which are open is shown too. A
second one knows nothing but whole flows; where everything is open, both speak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import above, at_least, between
from clairvoy.generative.adversary import moving_average
from clairvoy.qlearning.policy import linear_schedule


@dataclass(frozen=True)
class BeliefSettings:
    """The size of a `Beliefs`, and how it learns."""

    width: int = 128
    """Of the hidden layers."""
    updates: int = 1500
    """Steps of the optimizer."""
    batch: int = 256
    """Rows in each, the same number of each class: a rare class counts as much as a frequent one."""
    learning_rate: float = 2e-3
    """Of AdamW at the beginning; it falls to 0."""
    weight_decay: float = 0.01
    """Decoupled."""
    blur: float = 0.1
    """Deviation of noise that is added to encoded rows, in units of the data's own: what lies near a rare row counts as
    the same, and no single bit decides."""
    closed: float = 0.5
    """Part of each batch of which some groups are closed, in [0, 1], for the network that knows all sets of them."""

    def __post_init__(self) -> None:
        at_least(self, 1, "width", "updates", "batch")
        above(self, 0, "learning_rate")
        at_least(self, 0, "weight_decay", "blur")
        between(self, 0, 1, "closed")


class Beliefs(nn.Module):
    """Logits of the classes (B, C) from encoded rows (B, W) and which groups are open (B, G).

    Parameters
    ----------
    group_of
        The group of each number of an encoded row, (W,) int64 in [0, G).
    classes
        C, at least 2.
    width
        Of the hidden layers.
    """

    group_of: Tensor

    def __init__(self, group_of: Tensor, classes: int, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("group_of", group_of)
        self.groups, self.classes = int(group_of.max()) + 1, classes
        self.layers = _perceptron(len(group_of) + self.groups, width, classes)
        self.whole = _perceptron(len(group_of), width, classes)

    def forward(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Logits (B, C); where all groups are open the mean of both networks' log-probabilities."""
        logits = self.of_opened(encoded, opened)
        complete = opened.bool().all(dim=1, keepdim=True)
        if not bool(complete.any()):
            return logits
        both = (logits.log_softmax(dim=1) + self.of_whole(encoded).log_softmax(dim=1)) / 2
        return torch.where(complete, both, logits)

    def of_opened(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Logits (B, C) of the network that knows all sets of groups."""
        logits: Tensor = self.layers(torch.cat([self.shown(encoded, opened), opened.float()], dim=1))
        return logits

    def of_whole(self, encoded: Tensor) -> Tensor:
        """Logits (B, C) of the network that knows whole flows only."""
        logits: Tensor = self.whole(encoded.clamp(-5, 5))
        return logits

    def shown(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Encoded rows (B, W) with closed groups at 0."""
        return encoded.clamp(-5, 5) * opened.float()[:, self.group_of]


def _perceptron(numbers: int, width: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(numbers, width), nn.LayerNorm(width), nn.SiLU(),
        nn.Linear(width, width), nn.LayerNorm(width), nn.SiLU(),
        nn.Linear(width, classes),
    )  # fmt: skip


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
) -> nn.Module:
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
    """
    optimizer = torch.optim.AdamW(
        beliefs.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    average = moving_average(beliefs, 0.99)
    masks = masks or any_masks(beliefs.groups)
    places = [(classes == number).nonzero()[:, 0] for number in range(beliefs.classes)]
    chances = [None if weights is None else weights[place] for place in places]
    each = -(-settings.batch // beliefs.classes)
    for update in range(settings.updates):
        rate = linear_schedule(settings.learning_rate, 0.0, settings.updates, update)
        for group in optimizer.param_groups:
            group["lr"] = rate
        drawn = torch.cat(
            [
                place[
                    torch.randint(len(place), (each,), generator=noise)
                    if chance is None
                    else torch.multinomial(chance, each, replacement=True, generator=noise)
                ]
                for place, chance in zip(places, chances, strict=True)
            ]
        )
        rows = encoded[drawn] + settings.blur * torch.randn(len(drawn), encoded.shape[1], generator=noise)
        some_closed = torch.rand(len(drawn), 1, generator=noise) < settings.closed
        opened = masks(len(drawn), noise) | ~some_closed
        loss = F.cross_entropy(beliefs.of_opened(rows, opened), classes[drawn])
        loss = loss + F.cross_entropy(beliefs.of_whole(rows), classes[drawn])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update_parameters(beliefs)
    module: nn.Module = average.module
    return module.eval()
