"""Which direction lowers the error most: a Q-network that values all of them at once, with the horizon of one glimpse.

The agent that walks is paid after several turns, by a difference that is noisy. But panoramas to learn from are known
whole, so that every direction's glimpse can be simulated: each state tells 24 returns where a step would tell one. What
is left to learn is their mean given what is seen, by regression (fitted Q-iteration with discount 0; Ernst, Geurts and
Wehenkel, JMLR 2005). The network sees how much the draws of the completion differ, in each pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.sphere import SphereConv2d
from clairvoy.scenarios.panorama.completion import complete, uncertainty
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, ELEVATIONS, error, seen_from
from clairvoy.scenarios.panorama.looking import GAIN, Looking

_FINER, _CELL = 2, 8
"""Pixels of the panorama along a side of what the network sees as one, and of one of its features."""
_PLANES = 6
_AT_A_TIME = 64


class Lookout(NamedTuple):
    """States to learn from, and what a glimpse in each direction is worth there."""

    shown: Tensor
    """(N, 6, H / 2, W / 2) in [0, 1]: the completion, what of it was seen, the draws' deviation, the height."""
    taken: Tensor
    """(N, DIRECTIONS) bool: glimpses taken before."""
    gain: Tensor
    """(N, DIRECTIONS): drop of the error by a glimpse in each direction, times `GAIN`."""


class GainNetwork(nn.Module):
    """Values of all directions, the same for a panorama that is turned by an eighth, but turned.

    Parameters
    ----------
    of_views
        See `directions.views`.
    width
        Of its layers.
    """

    within: Tensor
    within_shown: Tensor
    elevation: Tensor

    def __init__(self, of_views: Tensor, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            SphereConv2d(_PLANES, width, 3, 1), nn.SiLU(), SphereConv2d(width, width, 3, 2), nn.SiLU(),
            SphereConv2d(width, 2 * width, 3, 2), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(4 * width + _PLANES + len(ELEVATIONS), 2 * width), nn.SiLU(), nn.Linear(2 * width, 1)
        )
        self.register_buffer("within", _means_within(of_views, _CELL))
        self.register_buffer("within_shown", _means_within(of_views, _FINER))
        row = torch.arange(DIRECTIONS) // AROUND
        self.register_buffer("elevation", F.one_hot(row, len(ELEVATIONS)).float())

    def forward(self, shown: Tensor) -> Tensor:
        """(N, 6, H / 2, W / 2) to values (N, DIRECTIONS)."""
        features = self.body(shown).flatten(2)
        there = features @ self.within.T
        pixels = shown.flatten(2) @ self.within_shown.T
        everywhere = features.mean(dim=2, keepdim=True).expand_as(there)
        elevation = self.elevation.T.expand(len(shown), -1, -1)
        values: Tensor = self.head(torch.cat([there, everywhere, pixels, elevation], dim=1).transpose(1, 2))
        return values[..., 0]


def _means_within(of_views: Tensor, cell: int) -> Tensor:
    """Weights (DIRECTIONS, cells) of the mean over each view, of planes whose cells are so many pixels wide."""
    covered = F.avg_pool2d(of_views[:, None].float(), cell)[:, 0].flatten(1)
    return covered / covered.sum(dim=1, keepdim=True)


@torch.no_grad()
def shown_of(
    looking: Looking, snapshot: Any, panoramas: Tensor, taken: Tensor, draws: int = 4, seed: int = 0
) -> Tensor:
    """What the network sees of panoramas (B, 3, H, 2 H) uint8 whose glimpses ``taken`` (B, DIRECTIONS) are known."""
    seen = seen_from(looking.views, taken)
    completed = complete(snapshot, panoramas, seen).float() / 255
    deviation = uncertainty(snapshot, panoramas, seen, draws, seed).sqrt()
    height = (
        torch.linspace(1, 0, panoramas.shape[2])
        .view(1, 1, -1, 1)
        .expand(len(panoramas), 1, -1, panoramas.shape[3])
    )
    planes = [completed, seen[:, None].float(), 4 * deviation[:, None], height]
    return F.avg_pool2d(torch.cat(planes, dim=1), _FINER)


@torch.no_grad()
def simulate(
    looking: Looking,
    snapshot: Any,
    panoramas: Tensor,
    rng: torch.Generator,
    network: GainNetwork | None = None,
) -> Lookout:
    """One state of each panorama, turned at random, and the gain of every direction there.

    Half of the glimpses before are taken at random; the other half as `network` would, if it is given: it then learns from
    states that it brings about (Ross, Gordon and Bagnell, AISTATS 2011).
    """
    parts = []
    for begin in range(0, len(panoramas), _AT_A_TIME):
        some = panoramas[begin : begin + _AT_A_TIME]
        turn = int(torch.randint(some.shape[3], (1,), generator=rng))
        some = some.roll(turn, dims=3)
        number = torch.randint(1, looking.glimpses, (len(some),), generator=rng)
        order = torch.rand(len(some), DIRECTIONS, generator=rng).argsort(dim=1)[:, : looking.glimpses]
        if network is not None:
            chosen = by_gains(network, looking, snapshot, some)
            own = torch.rand(len(some), 1, generator=rng) < 0.5
            order = torch.where(own, chosen, order)
        before = torch.arange(looking.glimpses) < number[:, None]
        taken = (F.one_hot(order, DIRECTIONS).bool() & before[..., None]).any(dim=1)
        shown = shown_of(looking, snapshot, some, taken)
        now = error(complete(snapshot, some, seen_from(looking.views, taken)), some, looking.weights)
        gains = []
        for direction in range(DIRECTIONS):
            also = taken.clone()
            also[:, direction] = True
            after = complete(snapshot, some, seen_from(looking.views, also))
            gains.append(now - error(after, some, looking.weights))
        parts.append(Lookout(shown, taken, GAIN * torch.stack(gains, dim=1)))
    return Lookout(*(torch.cat(part) for part in zip(*parts, strict=True)))


def learn_gains(
    network: GainNetwork, states: Lookout, *, updates: int, batch: int = 64, rate: float = 2e-3, seed: int = 0
) -> list[float]:
    """Fit the values to what was simulated; panoramas are turned by eighths and mirrored. Gives the losses."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=updates)
    losses = []
    for _ in range(updates):
        rows = torch.randint(len(states.shown), (batch,), generator=rng)
        shown, taken, gain = (part[rows] for part in states)
        eighths = int(torch.randint(AROUND, (1,), generator=rng))
        shown = shown.roll(eighths * shown.shape[3] // AROUND, dims=3)
        taken, gain = (_turned(part, eighths) for part in (taken, gain))
        loss = F.mse_loss(network(shown)[~taken], gain[~taken])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _turned(of_directions: Tensor, eighths: int) -> Tensor:
    """(N, DIRECTIONS) after the panorama was turned to the right by so many eighths."""
    return of_directions.unflatten(1, (len(ELEVATIONS), AROUND)).roll(eighths, dims=2).flatten(1)


@torch.no_grad()
def by_gains(network: GainNetwork, looking: Looking, snapshot: Any, panoramas: Tensor) -> Tensor:
    """Directions (B, glimpses) in order: ahead first, then each time the most valued one that was not taken."""
    taken = torch.zeros(len(panoramas), DIRECTIONS, dtype=torch.bool)
    order = []
    for number in range(looking.glimpses):
        if number == 0:
            best = torch.full((len(panoramas),), AROUND * (len(ELEVATIONS) // 2))
        else:
            values = network(shown_of(looking, snapshot, panoramas, taken))
            best = values.masked_fill(taken, -torch.inf).argmax(dim=1)
        taken = taken | F.one_hot(best, DIRECTIONS).bool()
        order.append(best)
    return torch.stack(order, dim=1)
