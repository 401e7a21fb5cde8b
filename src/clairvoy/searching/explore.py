"""The agent at work: looks over one scene through its window, and says where it recognises haze.

Evaluation, not learning: the best action is taken, nothing is explored. Where the Q-values do not separate the actions
(their best two differ by less than a margin) the agent may look ahead: of the windows that its actions lead to, it
chooses the one that the generator can restore with the highest tau.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.policy import greedy, look_ahead
from clairvoy.searching import glimpse

__all__ = ["GRID", "ReadWindow", "SearchResult", "cut_windows", "explore", "search"]

GRID = 8
"""Windows along each side of a scene that is perceived at once."""
STEPS_PER_WINDOW = 2.5
"""An exploration ends after this many steps for each window that it may read."""

ReadWindow: TypeAlias = Callable[[int, int], tuple[Tensor, Tensor]]
"""Reads the window in a row and column: its pixels (3, 32, 32) uint8 and the beliefs about it (4,)."""


PHOTOGRAPH_BUDGET = 0.25
"""Steps of the agent over a photograph that is perceived at once, as a part of its windows. All beliefs are known there.
The value of a photograph, by which haze is recognised, shows in the first steps: most is to be found while nothing is."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    recognised: Tensor
    """(R, C) bool: where the agent recognised haze."""
    visited: Tensor
    """(R, C) bool: the windows read."""
    value: float
    """The largest value of a state met, max Q: about how many windows of haze the agent expects to find soon."""
    path: list[tuple[int, int, int]]
    """Row, column and action of each step."""
    looked_ahead: int
    """Steps at which look-ahead chose."""
    beliefs: Tensor
    """(4, R, C), see `glimpse.BELIEF_CHANNELS`; 0 where nothing is known."""
    finished: bool
    """The agent ended the search by itself, with budget left."""

    @property
    def read(self) -> int:
        """How many windows were read; one that was read twice counts once."""
        return int(self.visited.sum())


@torch.no_grad()
def search(
    agent: nn.Module,
    windows: Tensor,
    beliefs: Tensor,
    *,
    budget: float = 1.0,
    difficulty: float = 0.0,
) -> SearchResult:
    """Search a scene that was perceived at once, from its middle until the agent is done or the budget is spent.

    Parameters
    ----------
    agent
        Q-network from an observation to values (1, 5).
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
        device=windows.device,
    )


@torch.no_grad()
def explore(
    agent: nn.Module,
    read: ReadWindow,
    rows: int,
    cols: int,
    *,
    preview: Tensor | None = None,
    budget: float = 1.0,
    difficulty: float = 0.0,
    device: str | torch.device = "cpu",
) -> SearchResult:
    """Search a scene whose windows cost something: each is read when the agent comes to stand on it, and once only.

    Parameters
    ----------
    agent
        Q-network from an observation to values (1, 5).
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
    device
        Where the agent lies.
    """
    if not 0 < budget <= 1:
        raise SettingsError(f"budget is {budget}; it is a part of the windows, above 0 and at most 1")
    reads = max(1, round(budget * rows * cols))
    return _walk(
        agent, read, (rows, cols), preview,
        steps=max(1, round(STEPS_PER_WINDOW * reads)), reads=reads, difficulty=difficulty, device=device,
        counts_reads=True,
    )  # fmt: skip


def _walk(
    agent: nn.Module,
    read: ReadWindow,
    grid: tuple[int, int],
    preview: Tensor | None,
    *,
    steps: int,
    reads: int,
    difficulty: float,
    device: str | torch.device,
    counts_reads: bool = False,
) -> SearchResult:
    """The search itself. Where reads count, it must not dither, see `glimpse.must_go_on`."""
    rows, cols = grid
    memory = glimpse.Memory.empty(1, rows, cols, device, preview)
    position = torch.tensor([[rows // 2, cols // 2]], device=device)
    kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    path: list[tuple[int, int, int]] = []
    value, ahead, finished, idle = -float("inf"), 0, False, 0
    for step in range(steps):
        row, column = (int(place) for place in position[0])
        if (row, column) not in kept:
            kept[row, column] = read(row, column)
        window, belief = kept[row, column]
        glimpse.remember(memory, position, belief[None].to(device))
        left = 1.0 - step / steps
        if counts_reads:
            left = min(left, 1.0 - (len(kept) - 1) / reads)
        seen = glimpse.observe_window(
            window[None].to(device),
            belief[None].to(device),
            memory,
            position,
            torch.tensor([left], device=device),
        )
        q = agent(seen)
        value = max(value, float(q.max()))
        mask = (
            glimpse.must_go_on(memory, position, torch.tensor([idle], device=device))
            if counts_reads
            else None
        )
        if difficulty > 0:
            tau = glimpse.tau_of_actions(memory, position)
            chosen, acted = look_ahead(q, tau, mask, difficulty)
            ahead += int(acted.item())
        else:
            chosen = greedy(q, mask)
        action = int(chosen)
        path.append((row, column, action))
        if action == glimpse.STAY:
            if bool(memory.recognised[0, row, column]):
                finished = True
                break
            memory.recognised[0, row, column] = True
        position, _ = glimpse.move(position, chosen, rows, cols)
        new = tuple(position[0].tolist()) not in kept
        if new and len(kept) >= reads:
            break
        idle = 0 if new or action == glimpse.STAY else idle + 1
    return SearchResult(
        memory.recognised[0], memory.visited[0], value, path, ahead, memory.belief[0], finished
    )


def cut_windows(pictures: Tensor, rows: int = GRID, cols: int = GRID) -> Tensor:
    """Cut (B, 3, rows * 32, cols * 32) uint8 into windows (B, rows, cols, 3, 32, 32)."""
    count, side = len(pictures), glimpse.WINDOW
    return pictures.view(count, 3, rows, side, cols, side).permute(0, 2, 4, 1, 3, 5).contiguous()
