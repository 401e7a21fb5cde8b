"""What an action does and what the agent then sees; the same code in training and in use.

N scenes are searched at once, each through a window on a grid of R rows and C columns. All of it works alike on torch
tensors, in training, and on NumPy arrays, where people search: on whatever array is handed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from array_api_compat import array_namespace, device

from clairvoy.errors import InputError
from clairvoy.searching.guidance import Array, guides, onwards

Observation: TypeAlias = dict[str, Array]
"""What N agents see at once, by name."""

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

ROW_STEP = (0, 0, -1, 1, 0)
COLUMN_STEP = (1, -1, 0, 0, 0)


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

    visited: Array
    recognised: Array
    belief: Array
    thumbnail: Array
    prior: Array
    correction: Array
    weight: Array
    distance: Array

    @classmethod
    def empty(
        cls,
        scenes: int,
        rows: int,
        cols: int,
        *,
        like: Array,
        preview: Array | None = None,
        shown: Array | None = None,
    ) -> Memory:
        """Nothing seen; known is what a thumbnail tells.

        Parameters
        ----------
        scenes, rows, cols
            N, R and C.
        like
            Any array: the memory is of its library, and lies where it lies.
        preview
            Beliefs from a thumbnail, ``(N, B, R, C)``; None: there is none.
        shown
            Which scenes have one, ``(N,)`` bool; None: all of them.
        """
        xp, where, grid = array_namespace(like), device(like), (scenes, rows, cols)

        def nothing(*shape: int, dtype: Any = xp.float32) -> Array:
            return xp.zeros(shape, dtype=dtype, device=where)

        belief = nothing(scenes, len(BELIEF_CHANNELS), rows, cols)
        thumbnail = nothing(scenes, dtype=xp.bool)
        prior = xp.full(grid, UNSEEN, dtype=xp.float32, device=where)
        if preview is not None:
            thumbnail = xp.ones_like(thumbnail) if shown is None else shown
            belief = xp.where(thumbnail[:, None, None, None], preview, belief)
            prior = xp.where(thumbnail[:, None, None], preview[:, 0], prior)
        far = xp.full(grid, rows + cols, dtype=xp.int32, device=where)
        visited, recognised = nothing(*grid, dtype=xp.bool), nothing(*grid, dtype=xp.bool)
        return cls(visited, recognised, belief, thumbnail, prior, nothing(*grid), nothing(*grid), far)

    def expected(self) -> Array:
        """Haze expected of each window: what was known before, corrected by windows read nearby, ``(N, R, C)`` in [0, 1]."""
        xp = array_namespace(self.prior)
        told = xp.astype(self.thumbnail, xp.float32)[:, None, None]
        trust = _TRUST[0] + (_TRUST[1] - _TRUST[0]) * told
        return xp.clip(self.prior + self.correction / (self.weight + trust), 0, 1)


def move(position: Array, action: Array, rows: int, cols: int) -> tuple[Array, Array]:
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
    position : array
        ``(N, 2)`` int64.
    hit_wall : array
        ``(N,)`` bool.

    Raises
    ------
    InputError
        An action that does not exist.
    """
    xp, where = array_namespace(position), device(position)
    if bool(xp.any((action < 0) | (action >= NUM_ACTIONS))):
        raise InputError(f"actions must be 0 to {NUM_ACTIONS - 1}: RIGHT, LEFT, UP, DOWN, STAY")
    steps = xp.asarray(list(zip(ROW_STEP, COLUMN_STEP, strict=True)), dtype=xp.int64, device=where)
    wanted = position + steps[action]
    end = xp.asarray((rows - 1, cols - 1), dtype=xp.int64, device=where)
    reached = xp.minimum(xp.clip(wanted, 0, None), end)
    return reached, xp.any(reached != wanted, axis=1)


def open_directions(position: Array, rows: int, cols: int) -> Array:
    """Actions that hit no wall, ``(N, 5)`` bool; `STAY` always is one."""
    xp = array_namespace(position)
    row, column = position[:, 0], position[:, 1]
    return xp.stack((column < cols - 1, column > 0, row > 0, row < rows - 1, row >= 0), axis=1)


def remember(memory: Memory, position: Array, belief: Array) -> None:
    """Write into ``memory`` that the window at ``position`` was seen, and its belief ``(N, B)``."""
    xp, where = array_namespace(position), device(position)
    scene, row, column = _at(position)
    rows, cols = memory.visited.shape[1:]
    down = xp.abs(xp.arange(rows, device=where) - position[:, :1])
    across = xp.abs(xp.arange(cols, device=where) - position[:, 1:])
    # Haze has the size that it has in the scene: where windows are finer, more of them resemble each other.
    fall = math.exp(-1 / (1.5 + max(rows, cols) / 32))
    fresh = xp.astype(~memory.visited[scene, row, column], xp.float32)
    tall = fall ** xp.astype(down, xp.float32)[:, :, None]
    wide = fall ** xp.astype(across, xp.float32)[:, None, :]
    error = fresh * (belief[:, 0] - memory.prior[scene, row, column])
    # Written into the arrays that are there: in training they are those of the episodes that run.
    memory.correction += tall * error[:, None, None] * wide
    memory.weight += tall * fresh[:, None, None] * wide
    away = xp.astype(down[:, :, None] + across[:, None, :], xp.int32)
    memory.distance[...] = xp.minimum(memory.distance, away)
    memory.visited[scene, row, column] = True
    memory.belief[scene, :, row, column] = belief


def tau_of_actions(memory: Memory, position: Array) -> Array:
    """The tau of the window that each action leads to, ``(N, 5)``: what look-ahead asks.

    Staying leads to the same window. Of a window that nothing is known of, it is the mean of those that are known.
    """
    xp, where = array_namespace(position), device(position)
    rows, cols = memory.visited.shape[1:]
    count = position.shape[0]
    scene = xp.arange(count, device=where)[:, None]
    actions = xp.tile(xp.arange(NUM_ACTIONS, device=where), (count,))
    reached = move(xp.repeat(position, NUM_ACTIONS, axis=0), actions, rows, cols)[0]
    reached = xp.reshape(reached, (count, NUM_ACTIONS, 2))
    tau = memory.belief[:, BELIEF_CHANNELS.index("tau")]
    known = xp.astype(memory.visited | memory.thumbnail[:, None, None], xp.float32)
    mean = xp.sum(tau * known, axis=(1, 2)) / xp.clip(xp.sum(known, axis=(1, 2)), 1, None)
    at = (scene, reached[..., 0], reached[..., 1])
    return xp.where(known[at] > 0, tau[at], mean[:, None])


PATIENCE = 4
"""Steps without a new window read or recognised after which a search must go on: it would go in circles otherwise."""


def must_go_on(memory: Memory, position: Array, idle: Array) -> Array:
    """The restraint on searches that dither, as an action mask ``(N, 5)`` bool.

    Parameters
    ----------
    memory, position
        See `remember`.
    idle
        Steps since a window was newly read or recognised, ``(N,)`` int64. From `PATIENCE` on only the moves that lead
        nearer to an unread window are allowed, and `STAY`, which recognises or ends the search.
    """
    xp = array_namespace(position)
    moves = onwards(memory.visited, memory.expected(), position)
    mask = xp.concat((moves, xp.ones_like(moves[:, :1])), axis=1)
    return mask | (idle < PATIENCE)[:, None]


def observe_window(
    window: Array, belief: Array, memory: Memory, position: Array, budget_left: Array
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
    xp = array_namespace(position)
    rows, cols = memory.visited.shape[1:]
    scene, row, column = _at(position)
    share = 1.0 / (rows * cols)

    def number(values: Array) -> Array:
        return xp.astype(values, xp.float32)

    numbers = (
        number(row) / max(rows - 1, 1),
        number(column) / max(cols - 1, 1),
        xp.sum(number(memory.visited), axis=(1, 2)) * share,
        xp.sum(number(memory.recognised), axis=(1, 2)) * share,
        number(budget_left),
        number(memory.recognised[scene, row, column]),
        number(memory.thumbnail),
        memory.prior[scene, row, column],
    )
    expected = memory.expected()
    return {
        "window": window,
        "belief": belief,
        "memory": _memory_around(memory, expected, position),
        "position": xp.stack(numbers, axis=1),
        "guides": guides(memory.visited, memory.recognised, expected, memory.distance, position),
    }


def _at(position: Array) -> tuple[Array, Array, Array]:
    xp = array_namespace(position)
    return xp.arange(position.shape[0], device=device(position)), position[:, 0], position[:, 1]


def _memory_around(memory: Memory, expected: Array, position: Array) -> Array:
    """Cut the ``(N, K, 9, 9)`` part of all memory maps that has the position in the middle."""
    xp, where = array_namespace(position), device(position)
    count, (rows, cols) = position.shape[0], memory.visited.shape[1:]
    offset = xp.arange(CROP, device=where) - CROP // 2
    row, column = position[:, :1] + offset, position[:, 1:] + offset  # (N, 9) each
    inside = ((row >= 0) & (row < rows))[:, :, None] & ((column >= 0) & (column < cols))[:, None, :]
    inside = xp.astype(inside, xp.float32)[:, None]
    scene = xp.reshape(xp.arange(count, device=where), (-1, 1, 1, 1))
    row, column = xp.clip(row, 0, rows - 1)[:, None, :, None], xp.clip(column, 0, cols - 1)[:, None, None, :]
    seen = [xp.astype(maps, xp.float32)[:, None] for maps in (memory.visited, memory.recognised)]
    cut = [
        maps[scene, xp.reshape(xp.arange(maps.shape[1], device=where), (1, -1, 1, 1)), row, column]
        for maps in (*seen, memory.belief, expected[:, None])
    ]
    return xp.concat((inside, xp.concat(cut, axis=1) * inside), axis=1)
