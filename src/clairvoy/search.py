"""The agent at work: looks over one scene through its window, and says where it recognises haze.

Evaluation, not learning: the best action is taken, nothing is explored. Where the Q-values do not separate the actions
(their best two differ by less than a margin) the agent looks ahead: of the windows that its actions lead to, it
chooses the one that the generator can restore with the highest tau.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clairvoy import glimpse
from clairvoy.qlearning.policy import look_ahead

GRID = 8
"""Windows along each side of a scene that one look covers."""


@dataclass(frozen=True)
class Search:
    """What a search found."""

    recognised: Tensor
    """(R, C) bool: where the agent recognised haze."""
    visited: Tensor
    """(R, C) bool."""
    value: float
    """The largest value of a state met, max Q: about how many windows of haze the agent expects to find."""
    path: list[tuple[int, int, int]]
    """Row, column and action of each step."""
    looked_ahead: int
    """Steps at which look-ahead chose."""


@torch.no_grad()
def search(
    agent: nn.Module,
    windows: Tensor,
    beliefs: Tensor,
    *,
    budget: float = 1.0,
    difficulty: float = 0.02,
) -> Search:
    """Search one scene from its middle until the agent is done or the budget is spent.

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
        Difference of the best two Q-values below which tau decides; 0 switches look-ahead off.
    """
    _, rows, cols = windows.shape[:3]
    memory = glimpse.Memory.empty(1, rows, cols, windows.device)
    memory.belief = beliefs.clone()
    position = torch.tensor([[rows // 2, cols // 2]], device=windows.device)
    steps = max(1, round(budget * rows * cols))
    path: list[tuple[int, int, int]] = []
    value, ahead = -float("inf"), 0
    tau_of_action = _tau_of_actions(beliefs)
    for step in range(steps):
        row, column = (int(value) for value in position[0])
        glimpse.look(memory, position, beliefs[:, :, row, column])
        left = torch.tensor([1.0 - step / steps], device=windows.device)
        q = agent(glimpse.observe(windows, beliefs, memory, position, left))
        settled = bool(memory.recognised[0, row, column])
        value = max(value, float(q.max()))
        action, acted = look_ahead(q, tau_of_action[row, column][None], None, difficulty)
        ahead += int(acted.item())
        path.append((row, column, int(action)))
        if int(action) == glimpse.STAY:
            if settled:
                break
            memory.recognised[0, row, column] = True
        position, _ = glimpse.move(position, action, rows, cols)
    return Search(memory.recognised[0], memory.visited[0], value, path, ahead)


def _tau_of_actions(beliefs: Tensor) -> Tensor:
    """The tau of the window that each action leads to, from each window, (R, C, 5). Staying leads to the same window."""
    rows, cols = beliefs.shape[2:]
    tau = beliefs[0, glimpse.BELIEF_CHANNELS.index("tau")]
    row, column, action = torch.meshgrid(
        *(torch.arange(n, device=beliefs.device) for n in (rows, cols, glimpse.NUM_ACTIONS)), indexing="ij"
    )
    start = torch.stack((row.flatten(), column.flatten()), dim=1)
    reached, _ = glimpse.move(start, action.flatten(), rows, cols)
    return tau[reached[:, 0], reached[:, 1]].view(rows, cols, glimpse.NUM_ACTIONS)


def cut_windows(pictures: Tensor) -> Tensor:
    """Cut (B, 3, 256, 256) uint8 into windows (B, 8, 8, 3, 32, 32)."""
    count, side = len(pictures), glimpse.WINDOW
    return pictures.view(count, 3, GRID, side, GRID, side).permute(0, 2, 4, 1, 3, 5).contiguous()


def pool_beliefs(haze: Tensor, spread: Tensor, clear: Tensor, tau: Tensor) -> Tensor:
    """Mean of each belief map (B, 1, h, w) over each window: (B, 4, 8, 8) in [0, 1]."""
    maps = [nn.functional.adaptive_avg_pool2d(part, GRID) for part in (haze, spread * 4, clear, tau)]
    return torch.cat(maps, dim=1).clamp(0, 1)
