"""What a glimpse in every direction would be worth, simulated: the history that values of all directions are learnt from.

The agent that walks is paid after several turns, by a difference that is noisy. But panoramas to learn from are known
whole, so that every direction's glimpse can be simulated: each state tells 24 rewards and 24 next states where a step would
tell one of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, ELEVATIONS, error, seen_from
from clairvoy.scenarios.panorama.looking import GAIN, Looking

AHEAD = AROUND * (len(ELEVATIONS) // 2)
"""The first glimpse: as long as nothing is seen, all directions of one elevation are alike."""
FINER = 2
"""Pixels of the panorama along a side of what the agent sees as one."""
_AT_A_TIME = 64

Chooser = Callable[[Tensor], Tensor]
"""Gives directions (B, glimpses) in order, of panoramas (B, 3, H, 2 H)."""


class Lookout(NamedTuple):
    """States, what a glimpse in each direction pays there, and what is completed after it; bytes, as they are many."""

    completed: Tensor
    """(N, 3, H / 2, W / 2) uint8: the completion, coarse."""
    taken: Tensor
    """(N, DIRECTIONS) bool: glimpses taken before."""
    gain: Tensor
    """(N, DIRECTIONS): drop of the error by a glimpse in each direction, times `GAIN`; 0 for glimpses taken before."""
    after: Tensor
    """(N, DIRECTIONS, 3, H / 2, W / 2) uint8: the completion after each."""


def coarse(panoramas: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) uint8 as the agent sees them, (B, 3, H / 2, W / 2) uint8."""
    return F.avg_pool2d(panoramas.float(), FINER).round().to(torch.uint8)


@torch.no_grad()
def simulate(
    looking: Looking,
    snapshot: Any,
    panoramas: Tensor,
    rng: torch.Generator,
    chooser: Chooser | None = None,
) -> Lookout:
    """One state of each panorama, turned and mirrored at random, and what every direction pays there.

    The first glimpse looks ahead, one to `glimpses` - 1 are taken. Those after the first are random; with a ``chooser`` in
    half of the states as it would choose: values are then learnt where it comes (Ross, Gordon and Bagnell, AISTATS 2011).
    """
    parts = []
    for begin in range(0, len(panoramas), _AT_A_TIME):
        some = panoramas[begin : begin + _AT_A_TIME]
        some = some.roll(int(torch.randint(some.shape[3], (1,), generator=rng)), dims=3)
        if torch.rand(1, generator=rng) < 0.5:
            some = some.flip(3)
        number = torch.randint(1, looking.glimpses, (len(some),), generator=rng)
        order = torch.rand(len(some), DIRECTIONS, generator=rng)
        order[:, AHEAD] = -1
        order = order.argsort(dim=1)[:, : looking.glimpses]
        if chooser is not None:
            own = torch.rand(len(some), 1, generator=rng) < 0.5
            order = torch.where(own, chooser(some), order)
        before = torch.arange(looking.glimpses) < number[:, None]
        taken = (F.one_hot(order, DIRECTIONS).bool() & before[..., None]).any(dim=1)
        parts.append(_paid(looking, snapshot, some, taken))
    return Lookout(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _paid(looking: Looking, snapshot: Any, panoramas: Tensor, taken: Tensor) -> Lookout:
    def completed(held: Tensor) -> tuple[Tensor, Tensor]:
        picture = complete(snapshot, panoramas, seen_from(looking.views, held))
        return coarse(picture), error(picture, panoramas, looking.weights)

    shown, now = completed(taken)
    gain, after = [], []
    for direction in range(DIRECTIONS):
        also = taken.clone()
        also[:, direction] = True
        picture, then = completed(also)
        gain.append(now - then)
        after.append(picture)
    return Lookout(shown, taken, GAIN * torch.stack(gain, dim=1), torch.stack(after, dim=1))
