"""What an agent must beat in the haze search: pure functions from position and memory to actions.

All take ``position`` ``(N, 2)`` int64 and a `glimpse.Memory` of N scenes, and return actions ``(N,)`` int64.
A window is hazy to them when the believed haze is at least ``threshold``. They read windows under the rules of
`haze.search.HazeSearch`, as the agent does: where they stand is read, also in passing. A claim about the agent is a
claim against all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clairvoy.searching.glimpse import DOWN, LEFT, RIGHT, STAY, UP, Memory
from clairvoy.searching.guidance import beside_recognised

_FAR = 1 << 20
"""More than any distance on a grid."""


def raster_scan(position: Tensor, memory: Memory, threshold: float = 0.5) -> Tensor:
    """Read every window, row by row, every other row backwards; recognise what is believed hazy.

    The scan goes on from where it is and comes back for what lies before its start. To walk to the first
    corner instead would waste a small budget: at half of it, on 8 x 8 windows, it found 4.8 windows, not 7.7.
    """
    order = _serpentine(memory)
    here = order[position[:, 0], position[:, 1]]
    ahead = (order - here[:, None, None]) % order.numel()
    target, any_left = _argmin(torch.where(memory.visited, _FAR, ahead))
    onwards = torch.where(any_left, _towards(position, target), _finish(position, memory))
    return torch.where(_believed_hazy(position, memory, memory.belief[:, 0], threshold), STAY, onwards)


def random_walk(
    position: Tensor, memory: Memory, generator: torch.Generator, threshold: float = 0.5
) -> Tensor:
    """Move in a random direction; recognise what is believed hazy."""
    direction = torch.randint(STAY, (len(position),), generator=generator, device=generator.device)
    believed_hazy = _believed_hazy(position, memory, memory.belief[:, 0], threshold)
    return torch.where(believed_hazy, STAY, direction.to(position.device))


def greedy_on_belief(position: Tensor, memory: Memory, haze: Tensor, threshold: float = 0.5) -> Tensor:
    """Go to the nearest window that is believed hazy and not recognised; when there is none, finish.

    Parameters
    ----------
    position, memory
        See the module.
    haze
        Believed haze of all windows, from a thumbnail for example, in [0, 1], ``(N, R, C)``.
    threshold
        See the module.
    """
    return _nearest(position, memory, haze >= threshold)


def greedy_on_sight(position: Tensor, memory: Memory, threshold: float = 0.5) -> Tensor:
    """Greedy without a thumbnail: recognise what is believed hazy, read on beside it, and scan on where no haze is near."""
    beside = beside_recognised(memory.recognised) & ~memory.visited
    move, any_left = towards_nearest(position, beside)
    onwards = torch.where(any_left, move, raster_scan(position, memory, 2.0))
    return torch.where(_believed_hazy(position, memory, memory.belief[:, 0], threshold), STAY, onwards)


def explorer(position: Tensor, memory: Memory, threshold: float = 0.25) -> Tensor:
    """Greedy on all that can be expected, by rules: what the agent is led by at the beginning of its training.

    Recognise what looks hazy, and what a thumbnail and the windows around say is. Go to the nearest unread window that is
    expected hazy; where there is none and no thumbnail, to the nearest one far from all that was read, in ever finer
    strides. Then finish.
    """
    expected = memory.expected()
    unread = ~memory.visited
    target, any_left = _argmin(
        torch.where(unread & (expected >= threshold), _distance(position, memory.visited), _FAR)
    )
    side = max(memory.visited.shape[1:])
    for stride in (max(2, side // 8), max(2, side // 16)):
        far = unread & (memory.distance >= stride) & ~memory.thumbnail[:, None, None]
        next_target, there = _argmin(torch.where(far, _distance(position, memory.visited), _FAR))
        target = torch.where(any_left[:, None], target, next_target)
        any_left = any_left | there
    onwards = torch.where(any_left, _towards(position, target), _finish(position, memory))
    sure = 0.5 * (memory.belief[:, 0] + expected)
    return torch.where(_believed_hazy(position, memory, sure, threshold), STAY, onwards)


def oracle(position: Tensor, memory: Memory, hazy: Tensor) -> Tensor:
    """Go to the nearest window that *is* hazy, ``hazy`` ``(N, R, C)`` bool, and not recognised.

    It knows the haze, but not the shortest tour (a travelling salesman's problem): close to the upper bound,
    not the bound itself. With a budget that is not spent it finds everything.
    """
    return _nearest(position, memory, hazy)


def towards_nearest(position: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The move towards the nearest window that is wanted, ``(N, R, C)`` bool, and whether there is one, ``(N,)`` bool.

    `STAY` where it stands on one; without any the move means nothing.
    """
    target, any_left = _argmin(torch.where(wanted, _distance(position, wanted), _FAR))
    return _towards(position, target), any_left


def _nearest(position: Tensor, memory: Memory, wanted: Tensor) -> Tensor:
    move, any_left = towards_nearest(position, wanted & ~memory.recognised)
    return torch.where(any_left, move, _finish(position, memory))


def _finish(position: Tensor, memory: Memory) -> Tensor:
    """Stay on the nearest recognised window, which ends the episode; with none, stay here, twice."""
    move, any_left = towards_nearest(position, memory.recognised)
    return torch.where(any_left, move, STAY)


def _believed_hazy(position: Tensor, memory: Memory, haze: Tensor, threshold: float) -> Tensor:
    at = (torch.arange(len(position), device=position.device), position[:, 0], position[:, 1])
    return (haze[at] >= threshold) & ~memory.recognised[at]


def _distance(position: Tensor, maps: Tensor) -> Tensor:
    """Count the moves from the position to every window of maps ``(N, R, C)``, ``(N, R, C)``."""
    rows, cols = maps.shape[1:]
    row = (torch.arange(rows, device=position.device) - position[:, :1]).abs()
    column = (torch.arange(cols, device=position.device) - position[:, 1:]).abs()
    return row[:, :, None] + column[:, None, :]


def _serpentine(memory: Memory) -> Tensor:
    """Place of every window in the raster scan, ``(R, C)``."""
    rows, cols = memory.visited.shape[1:]
    order = torch.arange(rows * cols, device=memory.visited.device).view(rows, cols)
    backwards = (torch.arange(rows, device=order.device) % 2 == 1)[:, None]
    return torch.where(backwards, order.flip(1), order)


def _argmin(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the least cost, ``(N, 2)``, and whether there is any below `_FAR`, ``(N,)``."""
    least, place = cost.flatten(1).min(dim=1)
    cols = cost.shape[2]
    return torch.stack((place // cols, place % cols), dim=1), least < _FAR


def _towards(position: Tensor, target: Tensor) -> Tensor:
    """Go one window nearer, rows first; `STAY` at the target."""
    down, right = (target - position).unbind(dim=1)
    along_row = torch.where(right > 0, RIGHT, torch.where(right < 0, LEFT, STAY))
    return torch.where(down > 0, DOWN, torch.where(down < 0, UP, along_row))
