"""What an action does and what the agent then sees; the same code in training and in use.

N scenes are searched at once, each through a window on a grid of R rows and C columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.qlearning.transitions import Observation
from clairvoy.searching.guidance import guides, onwards

RIGHT, LEFT, UP, DOWN, STAY = range(5)
NUM_ACTIONS = 5

WINDOW = 32
"""Side of a window as the agent sees it, in pixels."""
CROP = 9
"""Side of the part of the memory that the agent sees, in windows; odd, with the agent in the middle."""
BELIEF_CHANNELS = ("haze", "spread", "clear", "tau")
"""What the generator believes of a window: mean haze density, posterior spread, the discriminator's belief
that it is clear, confidence. All in [0, 1]."""
MEMORY_CHANNELS = ("inside", "visited", "recognised", *BELIEF_CHANNELS, "expected")
POSITION_NUMBERS = (
    "row", "column", "visited", "recognised", "budget left", "recognised here", "thumbnail", "thumbnail's haze",
)  # fmt: skip
UNSEEN = 0.15
"""Haze expected of a window of which nothing is known."""
_TRUST = (0.5, 12.0)
"""How many windows read the expectation before any counts as much as: without a thumbnail, and with one."""

_ROW_STEP = (0, 0, -1, 1, 0)
_COLUMN_STEP = (1, -1, 0, 0, 0)


@dataclass
class Memory:
    """What was seen and done so far in N scenes.

    Attributes
    ----------
    visited, recognised
        ``(N, R, C)`` bool. A window is visited, or read, once the agent stood on it.
    belief
        See `BELIEF_CHANNELS`; 0 where nothing is known, ``(N, B, R, C)`` float32.
    thumbnail
        Whether the beliefs of all windows were known from the start, ``(N,)`` bool.
    prior
        Haze expected before any window is read: the thumbnail's, or `UNSEEN`, ``(N, R, C)`` float32.
    correction, weight
        Sums over the windows read, each counted less the further away: of belief - prior, and of 1; ``(N, R, C)`` float32.
    distance
        Moves to the nearest visited window, ``(N, R, C)`` int32.
    """

    visited: Tensor
    recognised: Tensor
    belief: Tensor
    thumbnail: Tensor
    prior: Tensor
    correction: Tensor
    weight: Tensor
    distance: Tensor

    @classmethod
    def empty(
        cls,
        scenes: int,
        rows: int,
        cols: int,
        device: str | torch.device = "cpu",
        preview: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> Memory:
        """Nothing seen; known is what a thumbnail tells.

        Parameters
        ----------
        scenes, rows, cols
            N, R and C.
        device
            Of all tensors.
        preview
            Beliefs from a thumbnail, ``(N, B, R, C)``; None: there is none.
        shown
            Which scenes have one, ``(N,)`` bool; None: all of them.
        """
        seen = torch.zeros(scenes, rows, cols, dtype=torch.bool, device=device)
        nothing = torch.zeros(scenes, rows, cols, device=device)
        belief = torch.zeros(scenes, len(BELIEF_CHANNELS), rows, cols, device=device)
        thumbnail = torch.zeros(scenes, dtype=torch.bool, device=device)
        prior = torch.full_like(nothing, UNSEEN)
        if preview is not None:
            thumbnail = torch.ones_like(thumbnail) if shown is None else shown
            belief = torch.where(thumbnail[:, None, None, None], preview, belief)
            prior = torch.where(thumbnail[:, None, None], preview[:, 0], prior)
        far = torch.full((scenes, rows, cols), rows + cols, dtype=torch.int32, device=device)
        return cls(seen, seen.clone(), belief, thumbnail, prior.clone(), nothing, nothing.clone(), far)

    def expected(self) -> Tensor:
        """Haze expected of each window: what was known before, corrected by windows read nearby, ``(N, R, C)`` in [0, 1]."""
        trust = torch.where(self.thumbnail, _TRUST[1], _TRUST[0])[:, None, None]
        return (self.prior + self.correction / (self.weight + trust)).clamp(0, 1)


def move(position: Tensor, action: Tensor, rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """Go one window in the direction of the action, or nowhere if the grid ends there.

    Parameters
    ----------
    position
        Row and column of each window, ``(N, 2)`` int64.
    action
        `RIGHT` (0), `LEFT` (1), `UP` (2), `DOWN` (3) or `STAY` (4), ``(N,)`` int64.
    rows, cols
        Size of the grid.

    Returns
    -------
    position : Tensor
        ``(N, 2)`` int64.
    hit_wall : Tensor
        ``(N,)`` bool.

    Raises
    ------
    InputError
        An action that does not exist.
    """
    if bool(((action < 0) | (action >= NUM_ACTIONS)).any()):
        raise InputError(f"actions must be 0 to {NUM_ACTIONS - 1}: RIGHT, LEFT, UP, DOWN, STAY")
    steps = torch.tensor((_ROW_STEP, _COLUMN_STEP), device=position.device).T
    wanted = position + steps[action]
    end = torch.tensor((rows - 1, cols - 1), device=position.device)
    reached = torch.minimum(wanted.clamp(min=0), end)
    return reached, (reached != wanted).any(dim=1)


def open_directions(position: Tensor, rows: int, cols: int) -> Tensor:
    """Actions that hit no wall, ``(N, 5)`` bool; `STAY` always is one."""
    row, column = position.unbind(dim=1)
    stay = torch.ones_like(row, dtype=torch.bool)
    return torch.stack((column < cols - 1, column > 0, row > 0, row < rows - 1, stay), dim=1)


def remember(memory: Memory, position: Tensor, belief: Tensor) -> None:
    """Write into ``memory`` that the window at ``position`` was seen, and its belief ``(N, B)``."""
    scene, row, column = _at(position)
    rows, cols = memory.visited.shape[1:]
    down = (torch.arange(rows, device=position.device) - position[:, :1]).abs()
    across = (torch.arange(cols, device=position.device) - position[:, 1:]).abs()
    # Haze has the size that it has in the scene: where windows are finer, more of them resemble each other.
    fall = math.exp(-1 / (1.5 + max(rows, cols) / 32))
    fresh = (~memory.visited[scene, row, column]).float()
    tall, wide = (fall ** down.float())[:, :, None], (fall ** across.float())[:, None, :]
    error = fresh * (belief[:, 0] - memory.prior[scene, row, column])
    memory.correction.baddbmm_(tall * error[:, None, None], wide)
    memory.weight.baddbmm_(tall * fresh[:, None, None], wide)
    away = (down[:, :, None] + across[:, None, :]).to(torch.int32)
    torch.minimum(memory.distance, away, out=memory.distance)
    memory.visited[scene, row, column] = True
    memory.belief[scene, :, row, column] = belief


def tau_of_actions(memory: Memory, position: Tensor) -> Tensor:
    """The tau of the window that each action leads to, ``(N, 5)``: what look-ahead asks.

    Staying leads to the same window. Of a window that nothing is known of, it is the mean of those that are known.
    """
    rows, cols = memory.visited.shape[1:]
    count, scene = len(position), torch.arange(len(position), device=position.device)[:, None]
    actions = torch.arange(NUM_ACTIONS, device=position.device).repeat(count)
    reached = move(position.repeat_interleave(NUM_ACTIONS, dim=0), actions, rows, cols)[0].view(count, -1, 2)
    tau = memory.belief[:, BELIEF_CHANNELS.index("tau")]
    known = (memory.visited | memory.thumbnail[:, None, None]).float()
    mean = (tau * known).sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1)
    at = (scene, reached[..., 0], reached[..., 1])
    return torch.where(known[at] > 0, tau[at], mean[:, None])


PATIENCE = 4
"""Steps without a new window read or recognised after which a search must go on: it would go in circles otherwise."""


def must_go_on(memory: Memory, position: Tensor, idle: Tensor) -> Tensor:
    """The restraint on searches that dither, as an action mask ``(N, 5)`` bool.

    Parameters
    ----------
    memory, position
        See `remember`.
    idle
        Steps since a window was newly read or recognised, ``(N,)`` int64. From `PATIENCE` on only the moves that lead
        nearer to an unread window are allowed, and `STAY`, which recognises or ends the search.
    """
    moves = onwards(memory.visited, memory.expected(), position)
    mask = torch.cat((moves, torch.ones_like(moves[:, :1])), dim=1)
    return mask | (idle < PATIENCE)[:, None]


def observe_window(
    window: Tensor, belief: Tensor, memory: Memory, position: Tensor, budget_left: Tensor
) -> Observation:
    """Tell what the agent sees, given the one window that it stands on. Changes nothing.

    Parameters
    ----------
    window
        Pixels, ``(N, 3, 32, 32)`` uint8, RGB.
    belief
        The generator's belief of this window, ``(N, B)`` float32 in [0, 1].
    memory
        What was seen before; See `remember`.
    position
        Row and column, ``(N, 2)`` int64.
    budget_left
        Fraction of the budget that is left, in [0, 1], ``(N,)`` float32.

    Returns
    -------
    dict
        ``window`` and ``belief`` as they came; ``memory`` ``(N, 8, 9, 9)`` float32, the `MEMORY_CHANNELS`
        around the position, 0 outside the grid; ``position`` ``(N, 8)`` float32, the `POSITION_NUMBERS`: row
        and column run from 0 to 1, and are 0 on a grid of one; ``guides`` ``(N, G)`` float32, what lies further
        away, see `clairvoy.searching.guidance`. All of one size, whatever the grid.
    """
    rows, cols = memory.visited.shape[1:]
    scene, row, column = _at(position)
    share = 1.0 / (rows * cols)
    numbers = (
        row.float() / max(rows - 1, 1),
        column.float() / max(cols - 1, 1),
        memory.visited.sum(dim=(1, 2)) * share,
        memory.recognised.sum(dim=(1, 2)) * share,
        budget_left.float(),
        memory.recognised[scene, row, column].float(),
        memory.thumbnail.float(),
        memory.prior[scene, row, column],
    )
    expected = memory.expected()
    return {
        "window": window,
        "belief": belief,
        "memory": _memory_around(memory, expected, position),
        "position": torch.stack(numbers, dim=1),
        "guides": guides(memory.visited, memory.recognised, expected, memory.distance, position),
    }


def _at(position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    row, column = position.unbind(dim=1)
    return torch.arange(position.shape[0], device=position.device), row, column


def _memory_around(memory: Memory, expected: Tensor, position: Tensor) -> Tensor:
    """Cut the ``(N, K, 9, 9)`` part of all memory maps that has the position in the middle."""
    rows, cols = memory.visited.shape[1:]
    offset = torch.arange(CROP, device=position.device) - CROP // 2
    row, column = position[:, :1] + offset, position[:, 1:] + offset  # (N, 9) each
    inside = ((row >= 0) & (row < rows))[:, :, None] & ((column >= 0) & (column < cols))[:, None, :]
    seen = torch.stack((memory.visited, memory.recognised), dim=1).float()
    row, column = row.clamp(0, rows - 1)[:, :, None], column.clamp(0, cols - 1)[:, None, :]
    place = (row * cols + column).flatten(1)[:, None]  # (N, 1, 81)
    cut = torch.cat(
        [
            maps.flatten(2).gather(2, place.expand(-1, maps.shape[1], -1))
            for maps in (seen, memory.belief, expected[:, None])
        ],
        dim=1,
    ).unflatten(2, (CROP, CROP))
    inside = inside[:, None].float()
    return torch.cat((inside, cut * inside), dim=1)
