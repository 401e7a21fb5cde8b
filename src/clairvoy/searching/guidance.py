"""Where to go next on a grid of any size: a fixed number of hints, whatever the number of windows.

The part of the memory that the agent sees around itself is 9 x 9 windows; a scene may have 64 x 64. So the rest of it is
given in two ways, both independent of the size of the grid:

- *goals*: the nearest unread window of a kind (haze expected there; next to recognised haze; far from all that was
  read), how far it is and which moves lead nearer;
- *pulls*: what lies in each direction altogether, counted less the further away it is.

What is expected of unread windows is interpolated: a thumbnail's word, or a constant where there is none, corrected by
what windows read nearby showed (Nadaraya 1964, with a kernel that falls off exponentially).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EXPECTED_FROM = (0.1, 0.2, 0.35, 0.5)
"""Levels of expected haze, each a kind of goal."""
SPREAD_OF_COVER = (16, 8, 4)
"""Parts of the grid's side: goals at least side/16, side/8 and side/4 moves from every window that was read."""
GOALS = len(EXPECTED_FROM) + len(SPREAD_OF_COVER) + 3
GOAL_NUMBERS = 7
"""There is one; its nearness on two scales; do the moves right, left, up, down lead nearer."""
REACHES = (0.5, 0.8, 0.95)
"""What a window one move further away counts, for each kind of pull."""
PULLS = 3
GUIDES = GOALS * GOAL_NUMBERS + PULLS * len(REACHES) * 4
"""How many hints."""

_FAR = 1 << 14
_CLOSED = 3
"""A window all of whose neighbours are settled is worth this many moves of a detour: else it is left behind alone."""


def guides(
    visited: Tensor, recognised: Tensor, expected: Tensor, distance: Tensor, position: Tensor
) -> Tensor:
    """Hints for N searches, ``(N, GUIDES)`` float32 in [0, 1].

    Parameters
    ----------
    visited, recognised
        ``(N, R, C)`` bool.
    expected
        Haze expected of each window, ``(N, R, C)`` in [0, 1].
    distance
        Moves from each window to the nearest one that was read, ``(N, R, C)`` integers.
    position
        Row and column, ``(N, 2)`` int64.
    """
    rows, cols = visited.shape[1:]
    down = torch.arange(rows, device=position.device) - position[:, :1]
    across = torch.arange(cols, device=position.device) - position[:, 1:]
    goals = _goals(visited, recognised, expected, distance, down, across)
    return torch.cat((goals.flatten(1), _pulls(visited, expected, down, across).flatten(1)), dim=1)


def onwards(visited: Tensor, expected: Tensor, position: Tensor) -> Tensor:
    """Which moves lead nearer to the nearest unread window, before others one that is expected hazy, ``(N, 4)`` bool.

    Right, left, up, down; none where all is read.
    """
    rows, cols = visited.shape[1:]
    down = torch.arange(rows, device=position.device) - position[:, :1]
    across = torch.arange(cols, device=position.device) - position[:, 1:]
    cost = (down.abs()[:, :, None] + across.abs()[:, None, :]).to(torch.int32)
    cost = torch.where(expected >= EXPECTED_FROM[1], cost, cost + _FAR // 2)
    nearest, place = torch.where(visited, _FAR, cost).flatten(1).min(dim=1)
    to_down = down.gather(1, (place // cols)[:, None])[:, 0]
    to_across = across.gather(1, (place % cols)[:, None])[:, 0]
    moves = torch.stack((to_across > 0, to_across < 0, to_down < 0, to_down > 0), dim=1)
    return moves & (nearest < _FAR)[:, None]


def _goals(
    visited: Tensor, recognised: Tensor, expected: Tensor, distance: Tensor, down: Tensor, across: Tensor
) -> Tensor:
    """Numbers ``(N, GOALS, GOAL_NUMBERS)`` about the nearest window of each kind."""
    cols = visited.shape[2]
    unread = ~visited
    side = max(visited.shape[1:])
    kinds = [unread & (expected >= level) for level in EXPECTED_FROM]
    hazy = kinds[1]
    kinds += [unread & (distance >= max(2, side // part)) for part in SPREAD_OF_COVER]
    kinds += [unread, unread & beside_recognised(recognised)]
    moves = (down.abs()[:, :, None] + across.abs()[:, None, :]).to(torch.int32)
    cost = torch.where(torch.stack(kinds, dim=1), moves[:, None], _FAR)
    # The same as the nearest hazy one, but one that would be left behind alone is taken before.
    settled = F.pad((visited | (expected < EXPECTED_FROM[1])).float()[:, None], (1, 1, 1, 1), value=1.0)
    around = 4.0 - (
        settled[:, 0, :-2, 1:-1]
        + settled[:, 0, 2:, 1:-1]
        + settled[:, 0, 1:-1, :-2]
        + settled[:, 0, 1:-1, 2:]
    )
    detour = torch.where(hazy, 4 * moves + (_CLOSED * around).to(torch.int32), _FAR)
    nearest, place = torch.cat((cost, detour[:, None]), dim=1).flatten(2).min(dim=2)
    there = (nearest < _FAR).float()
    row, column = place // cols, place % cols
    to_down, to_across = down.gather(1, row).float(), across.gather(1, column).float()
    far = to_down.abs() + to_across.abs()
    numbers = (
        torch.ones_like(far), torch.exp(-far / 3), torch.exp(-far / 16),
        to_across > 0, to_across < 0, to_down < 0, to_down > 0,
    )  # fmt: skip
    return torch.stack([number * there for number in numbers], dim=2)


def beside_recognised(recognised: Tensor) -> Tensor:
    """Windows with a recognised one above, below, left or right, ``(N, R, C)`` bool."""
    padded = F.pad(recognised[:, None].float(), (1, 1, 1, 1))[:, 0]
    return (padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]) > 0


def _pulls(visited: Tensor, expected: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Unread windows, their expected haze, and those expected hazy: in each direction, ``(N, reaches, PULLS, 4)``."""
    count, rows, cols = visited.shape
    unread = (~visited).float()
    maps = torch.stack((unread, unread * expected, unread * (expected >= EXPECTED_FROM[1])), dim=1)
    reach = torch.tensor(REACHES, device=visited.device)[None, :, None]
    tall, wide = reach ** down.abs()[:, None], reach ** across.abs()[:, None]  # (N, reaches, R or C)
    by_column = (tall @ maps.transpose(1, 2).reshape(count, rows, -1)).view(count, -1, PULLS, cols)
    by_row = (wide @ maps.permute(0, 3, 1, 2).reshape(count, cols, -1)).view(count, -1, PULLS, rows)
    wide, tall = wide[:, :, None], tall[:, :, None]
    right, below = (across > 0)[:, None, None].float(), (down > 0)[:, None, None].float()
    left, above = (across < 0)[:, None, None].float(), (down < 0)[:, None, None].float()
    pulls = torch.stack(
        (
            (by_column * wide * right).sum(dim=3),
            (by_column * wide * left).sum(dim=3),
            (by_row * tall * above).sum(dim=3),
            (by_row * tall * below).sum(dim=3),
        ),
        dim=3,
    )
    # The most that an endless grid could pull with is 1.
    most = (1 - reach).square() / (reach * (1 + reach))
    return pulls * most[..., None]
