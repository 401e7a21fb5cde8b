"""Q-learning of all directions at once, from simulated glimpses: what each is worth with the glimpses that are left.

With one glimpse left a direction is worth what its glimpse pays; with more, also the largest value of the state that it
leads to with one less. There is no discount: values are the drop of the error until the last glimpse. Those of one glimpse
are learnt first, then those of two, and so on: with a horizon this short, fitted Q-iteration (Ernst, Geurts and Wehenkel,
JMLR 2005) is dynamic programming from the end. The network turns with the panorama.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.sphere import SphereConv2d
from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, ELEVATIONS, seen_from
from clairvoy.scenarios.panorama.gains import AHEAD, FINER, Lookout, coarse
from clairvoy.scenarios.panorama.looking import Looking

_CELL = 8
"""Pixels of the panorama along a side of one of the network's features."""
_PLANES = 6
_STATES_AT_A_TIME = 32


class ValueNetwork(nn.Module):
    """Values of all directions, the same for a panorama that is turned by an eighth, but turned.

    Parameters
    ----------
    of_views
        See `directions.views`.
    width
        Of its layers.
    """

    seen: Tensor
    within: Tensor
    within_shown: Tensor
    elevation: Tensor

    def __init__(self, of_views: Tensor, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            SphereConv2d(_PLANES, width, 3, 2), nn.SiLU(), SphereConv2d(width, width, 3, 1), nn.SiLU(),
            SphereConv2d(width, 2 * width, 3, 2), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(4 * width + _PLANES + len(ELEVATIONS), 2 * width), nn.SiLU(), nn.Linear(2 * width, 1)
        )
        self.register_buffer("seen", F.avg_pool2d(of_views[:, None].float(), FINER)[:, 0])
        self.register_buffer("within", _means_within(of_views, _CELL))
        self.register_buffer("within_shown", _means_within(of_views, FINER))
        row = torch.arange(DIRECTIONS) // AROUND
        self.register_buffer("elevation", F.one_hot(row, len(ELEVATIONS)).float())

    def forward(self, completed: Tensor, taken: Tensor, left: Tensor | int) -> Tensor:
        """Values (N, DIRECTIONS).

        Parameters
        ----------
        completed
            (N, 3, H / 2, W / 2) uint8.
        taken
            Glimpses taken, (N, DIRECTIONS) bool.
        left
            How many glimpses may still be taken, at or above 1; of all states or of each, (N,).
        """
        shown = self._shown(completed, taken, left)
        features = self.body(shown).flatten(2)
        there = features @ self.within.T
        pixels = shown.flatten(2) @ self.within_shown.T
        everywhere = features.mean(dim=2, keepdim=True).expand_as(there)
        elevation = self.elevation.T.expand(len(shown), -1, -1)
        values: Tensor = self.head(torch.cat([there, everywhere, pixels, elevation], dim=1).transpose(1, 2))
        return values[..., 0]

    def _shown(self, completed: Tensor, taken: Tensor, left: Tensor | int) -> Tensor:
        """The completion, what of it was seen, how high each row is, the glimpses left; (N, 6, H / 2, W / 2) in [0, 1]."""
        seen = (taken.float() @ self.seen.flatten(1)).clamp(max=1).unflatten(1, self.seen.shape[1:])[:, None]
        height = torch.linspace(1, 0, seen.shape[2], device=seen.device)[:, None].expand_as(seen)
        after = 1 - 1 / torch.as_tensor(left, device=seen.device).float().expand(len(seen))
        planes = [completed.float() / 255, seen, height, after[:, None, None, None].expand_as(seen)]
        return torch.cat(planes, dim=1)


def _means_within(of_views: Tensor, cell: int) -> Tensor:
    """Weights (DIRECTIONS, cells) of the mean over each view, of planes whose cells are so many pixels wide."""
    covered = F.avg_pool2d(of_views[:, None].float(), cell)[:, 0].flatten(1)
    return covered / covered.sum(dim=1, keepdim=True)


@torch.no_grad()
def targets(network: ValueNetwork, states: Lookout, left: int) -> Tensor:
    """What each direction is worth with so many glimpses ``left``, (N, DIRECTIONS); 0 for those taken before.

    It is what the glimpse pays, and with more than one left the best value, by ``network``, of the state that it leads to.
    """
    if left == 1:
        return states.gain
    found, every = [], torch.eye(DIRECTIONS, dtype=torch.bool)
    for begin in range(0, len(states.gain), _STATES_AT_A_TIME):
        _, taken, gain, after = (part[begin : begin + _STATES_AT_A_TIME] for part in states)
        then = taken[:, None] | every
        values = network(after.flatten(0, 1), then.flatten(0, 1), left - 1).unflatten(0, then.shape[:2])
        best = values.masked_fill(then, -torch.inf).amax(dim=2)
        found.append((gain + best).masked_fill(taken, 0))
    return torch.cat(found)


def learn_values(
    network: ValueNetwork,
    states: Lookout,
    *,
    horizon: int,
    updates: int,
    batch: int = 64,
    rate: float = 2e-3,
    seed: int = 0,
) -> list[float]:
    """Learn from what was simulated, with 1 to ``horizon`` glimpses left; states are turned by eighths and mirrored.

    One round for each number of glimpses left, of equally many of the ``updates``, which goes on with those before. Gives
    the losses.
    """
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=updates)
    losses: list[float] = []
    learnt: list[Tensor] = []
    for round_ in range(1, horizon + 1):
        learnt.append(targets(network, states, round_))
        while len(losses) < updates * round_ // horizon:
            rows = torch.randint(len(states.gain), (batch,), generator=rng)
            left = torch.randint(1, round_ + 1, (batch,), generator=rng)
            eighths = int(torch.randint(AROUND, (1,), generator=rng))
            mirrored = bool(torch.rand(1, generator=rng) < 0.5)
            worth = torch.stack([learnt[int(n) - 1][row] for n, row in zip(left, rows, strict=True)])
            worth, taken = (
                turned_directions(part, eighths, mirrored) for part in (worth, states.taken[rows])
            )
            values = network(turned(states.completed[rows], eighths, mirrored), taken, left)
            loss = F.mse_loss(values[~taken], worth[~taken])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    return losses


def turned(pictures: Tensor, eighths: int, mirrored: bool) -> Tensor:
    """Panoramas (N, C, h, w), mirrored if asked, then turned to the right by so many eighths."""
    return (pictures.flip(3) if mirrored else pictures).roll(eighths * pictures.shape[3] // AROUND, dims=3)


def turned_directions(of_directions: Tensor, eighths: int, mirrored: bool) -> Tensor:
    """What is said of each direction, (N, DIRECTIONS), after `turned`."""
    rows = of_directions.unflatten(1, (len(ELEVATIONS), AROUND))
    if mirrored:
        rows = rows[..., (-torch.arange(AROUND)) % AROUND]
    return rows.roll(eighths, dims=2).flatten(1)


@torch.no_grad()
def by_values(
    network: ValueNetwork, looking: Looking, snapshot: Any, panoramas: Tensor, horizon: int | None = None
) -> Tensor:
    """Directions (B, glimpses) in order: ahead first, then each time the most valued one that was not taken.

    With a ``horizon`` the agent looks no further ahead than so many glimpses.
    """
    taken = torch.zeros(len(panoramas), DIRECTIONS, dtype=torch.bool)
    order = []
    for number in range(looking.glimpses):
        if number == 0:
            best = torch.full((len(panoramas),), AHEAD)
        else:
            left = min(looking.glimpses - number, horizon or looking.glimpses)
            completed = coarse(complete(snapshot, panoramas, seen_from(looking.views, taken)))
            best = network(completed, taken, left).masked_fill(taken, -torch.inf).argmax(dim=1)
        taken = taken | F.one_hot(best, DIRECTIONS).bool()
        order.append(best)
    return torch.stack(order, dim=1)
