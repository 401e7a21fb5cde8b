"""The agent at work: looks over one scene through its window, and says where it recognises haze.

Evaluation, not learning: the best action is taken, nothing is explored. Where the Q-values do not separate the actions
(their best two differ by less than a margin) the agent may look ahead: of the windows that its actions lead to, it
chooses the one that the generator can restore with the highest tau.

Works alike on NumPy arrays and on torch tensors, as `glimpse` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from array_api_compat import array_namespace, device

from clairvoy.errors import SettingsError
from clairvoy.searching import glimpse
from clairvoy.searching.guidance import Array

__all__ = ["GRID", "Agent", "ReadWindow", "SearchResult", "cut_windows", "explore", "search"]

GRID = 8
"""Windows along each side of a scene that is perceived at once."""
STEPS_PER_WINDOW = 2.5
"""An exploration ends after this many steps for each window that it may read."""

Agent: TypeAlias = Callable[[glimpse.Observation], Array]
"""A Q-network: from an observation to values (1, 5)."""
ReadWindow: TypeAlias = Callable[[int, int], tuple[Array, Array]]
"""Reads the window in a row and column: its pixels (3, 32, 32) uint8 and the beliefs about it (4,)."""


PHOTOGRAPH_BUDGET = 0.25
"""Steps of the agent over a photograph that is perceived at once, as a part of its windows. All beliefs are known there.
The value of a photograph, by which haze is recognised, shows in the first steps: most is to be found while nothing is."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    recognised: Array
    """(R, C) bool: where the agent recognised haze."""
    visited: Array
    """(R, C) bool: the windows read."""
    value: float
    """The largest value of a state met, max Q: about how many windows of haze the agent expects to find soon."""
    path: list[tuple[int, int, int]]
    """Row, column and action of each step."""
    looked_ahead: int
    """Steps at which look-ahead chose."""
    beliefs: Array
    """(4, R, C), see `glimpse.BELIEF_CHANNELS`; 0 where nothing is known."""
    finished: bool
    """The agent ended the search by itself, with budget left."""

    @property
    def read(self) -> int:
        """How many windows were read; one that was read twice counts once."""
        return int(self.visited.sum())


def search(
    agent: Agent,
    windows: Array,
    beliefs: Array,
    *,
    budget: float = 1.0,
    difficulty: float = 0.0,
) -> SearchResult:
    """Search a scene that was perceived at once, from its middle until the agent is done or the budget is spent.

    Parameters
    ----------
    agent
        See `Agent`.
    windows
        (1, R, C, 3, 32, 32) uint8.
    beliefs
        (1, 4, R, C) in [0, 1], see `glimpse.BELIEF_CHANNELS`.
    budget
        Steps as a multiple of the number of windows.
    difficulty
        Difference of the best two Q-values below which tau decides; 0, no look-ahead: it has not helped so far
        (docs/search.md).
    """
    rows, cols = windows.shape[1:3]
    return _walk(
        agent,
        lambda row, column: (windows[0, row, column], beliefs[0, :, row, column]),
        (rows, cols),
        beliefs,
        steps=max(1, round(budget * rows * cols)),
        reads=rows * cols,
        difficulty=difficulty,
        like=beliefs,
    )


def explore(
    agent: Agent,
    read: ReadWindow,
    rows: int,
    cols: int,
    *,
    preview: Array | None = None,
    budget: float = 1.0,
    difficulty: float = 0.0,
) -> SearchResult:
    """Search a scene whose windows cost something: each is read when the agent comes to stand on it, and once only.

    Parameters
    ----------
    agent
        See `Agent`.
    read
        See `ReadWindow`.
    rows, cols
        The grid, of any size.
    preview
        Beliefs by a thumbnail, (1, 4, R, C) in [0, 1]; None: there is none.
    budget
        Part of the windows that may be read, in (0, 1].
    difficulty
        See `search`.
    """
    if not 0 < budget <= 1:
        raise SettingsError(f"budget is {budget}; it is a part of the windows, above 0 and at most 1")
    reads = max(1, round(budget * rows * cols))
    return _walk(
        agent, read, (rows, cols), preview,
        steps=max(1, round(STEPS_PER_WINDOW * reads)), reads=reads, difficulty=difficulty, counts_reads=True,
    )  # fmt: skip


def _walk(
    agent: Agent,
    read: ReadWindow,
    grid: tuple[int, int],
    preview: Array | None,
    *,
    steps: int,
    reads: int,
    difficulty: float,
    like: Array | None = None,
    counts_reads: bool = False,
) -> SearchResult:
    """The search itself. Where reads count, it must not dither, see `glimpse.must_go_on`."""
    rows, cols = grid
    row, column = rows // 2, cols // 2
    kept = {(row, column): read(row, column)}
    like = kept[row, column][1] if like is None else like
    xp, where = array_namespace(like), device(like)
    memory = glimpse.Memory.empty(1, rows, cols, like=like, preview=preview)
    path: list[tuple[int, int, int]] = []
    value, ahead, finished, idle = -float("inf"), 0, False, 0
    for step in range(steps):
        if (row, column) not in kept:
            kept[row, column] = read(row, column)
        window, belief = kept[row, column]
        position = xp.asarray([[row, column]], dtype=xp.int64, device=where)
        glimpse.remember(memory, position, belief[None])
        left = 1.0 - step / steps
        if counts_reads:
            left = min(left, 1.0 - (len(kept) - 1) / reads)
        budget = xp.asarray([left], dtype=xp.float32, device=where)
        q = agent(glimpse.observe_window(window[None], belief[None], memory, position, budget))
        value = max(value, float(xp.max(q)))
        if counts_reads:
            mask = glimpse.must_go_on(memory, position, xp.asarray([idle], dtype=xp.int64, device=where))
        else:
            mask = xp.ones_like(q, dtype=xp.bool)
        chooses = q
        if difficulty > 0 and _gap(q, mask) < difficulty:
            chooses, ahead = glimpse.tau_of_actions(memory, position), ahead + 1
        chosen = xp.argmax(xp.where(mask, chooses, -float("inf")), axis=1)
        action = int(chosen[0])
        path.append((row, column, action))
        if action == glimpse.STAY:
            if bool(memory.recognised[0, row, column]):
                finished = True
                break
            memory.recognised[0, row, column] = True
        row, column = (int(place) for place in glimpse.move(position, chosen, rows, cols)[0][0])
        new = (row, column) not in kept
        if new and len(kept) >= reads:
            break
        idle = 0 if new or action == glimpse.STAY else idle + 1
    return SearchResult(
        memory.recognised[0], memory.visited[0], value, path, ahead, memory.belief[0], finished
    )


def _gap(q: Array, mask: Array) -> float:
    """By how much the best allowed of the Q-values (1, A) is better than the next; infinite if there is no next."""
    allowed = sorted((float(v) for v, allows in zip(q[0], mask[0], strict=True) if allows), reverse=True)
    return allowed[0] - allowed[1] if len(allowed) > 1 else float("inf")


def cut_windows(pictures: Array, rows: int = GRID, cols: int = GRID) -> Array:
    """Cut (B, 3, rows * 32, cols * 32) uint8 into windows (B, rows, cols, 3, 32, 32)."""
    xp, side = array_namespace(pictures), glimpse.WINDOW
    cut = xp.reshape(pictures, (pictures.shape[0], 3, rows, side, cols, side))
    return xp.permute_dims(cut, (0, 2, 4, 1, 3, 5))
