"""The Q-network of the haze search. What holds for going right holds for going left, up and down: one set of weights.

The observation is turned four times, so that each direction in turn lies to the right, and the same layers value a move
that way. A scene turned by a quarter is searched on the turned path, and each step teaches all four directions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from clairvoy.searching.glimpse import BELIEF_CHANNELS, MEMORY_CHANNELS, POSITION_NUMBERS, WINDOW, Observation
from clairvoy.searching.guidance import GOAL_NUMBERS, GOALS, PULLS, REACHES

TURNED = ((0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 1, 0), (3, 2, 0, 1))
"""For each of right, left, up and down: which direction then lies where right, left, up and down were."""
_FLAGS = GOAL_NUMBERS - 4
_PLACE = [POSITION_NUMBERS.index(name) for name in ("row", "column")]


class SearchQNetwork(nn.Module):
    """Q-values of the five actions of a search, ``V(s) + A(s, a) - mean_a A(s, a)``: 0.11 M parameters, made for CPUs.

    The window is cut into 8 x 8 patches without overlap: a small fraction of the work of a usual convolution. Row and
    column are left out: where the grid ends is seen in the memory, and a policy should not depend on them.

    Parameters
    ----------
    features
        Width of the hidden layers.

    References
    ----------
    Wang et al., *Dueling Network Architectures*, ICML 2016, eq. 9; van der Pol et al., *MDP Homomorphic Networks*,
    NeurIPS 2020, for weights shared along the symmetries of a grid.
    """

    def __init__(self, features: int = 128) -> None:
        super().__init__()
        self.num_actions = 5
        self.patches = nn.Conv2d(3, 16, kernel_size=8, stride=8)
        self.window = nn.Linear(16 * (WINDOW // 8) ** 2, 48)
        self.numbers = nn.Linear(len(BELIEF_CHANNELS) + len(POSITION_NUMBERS) - 2, 32)
        self.surroundings = nn.Conv2d(len(MEMORY_CHANNELS), 24, kernel_size=3, stride=2)
        self.memory = nn.Linear(24 * 16, 80)
        self.guides = nn.Linear(GOALS * GOAL_NUMBERS + PULLS * len(REACHES) * 4, 96)
        width = 48 + 32 + 80 + 96
        self.norm = nn.LayerNorm(width)
        self.joint = nn.Sequential(nn.Linear(width, features), nn.LayerNorm(features), nn.ReLU())
        self.move = _head(features, 1)
        self.rest = _head(features, 2)

    def forward(self, observation: Observation) -> Tensor:
        """Q-values ``(N, 5)``, float32."""
        # In place on the fresh copy: allocating two more costs a fifth of the time.
        pixels = observation["window"].to(torch.float32, copy=True).div_(127.5).sub_(1.0)
        numbers = torch.cat((observation["belief"], _without_place(observation["position"])), dim=1)
        shared = torch.cat((self.window(relu(self.patches(pixels)).flatten(1)), self.numbers(numbers)), dim=1)
        memory, guides = turned_memory(observation["memory"]), turned_guides(observation["guides"])
        count = shared.shape[0]
        parts = (
            shared.repeat(4, 1),
            self.memory(relu(self.surroundings(memory)).flatten(1)),
            self.guides(guides),
        )
        features = self.joint(relu(self.norm(torch.cat(parts, dim=1)))).view(4, count, -1)
        moves = self.move(features)[..., 0].T
        value, stay = self.rest(features.mean(dim=0)).split(1, dim=1)
        advantage = torch.cat((moves, stay), dim=1)
        q: Tensor = value + advantage - advantage.mean(dim=1, keepdim=True)
        return q


def turned_memory(memory: Tensor) -> Tensor:
    """The memory ``(N, K, 9, 9)`` turned so that right, left, up, down in turn lie to the right, ``(4 N, K, 9, 9)``."""
    # Quarter turns as mirror images, which can be exported: 0, 2, -1 and 1 of them.
    across = memory.transpose(2, 3)
    return torch.cat([memory, memory.flip((2, 3)), across.flip(3), across.flip(2)])


def turned_guides(guides: Tensor) -> Tensor:
    """The guides ``(N, G)`` of a scene turned so, ``(4 N, G)``."""
    goals = guides[:, : GOALS * GOAL_NUMBERS].unflatten(1, (GOALS, GOAL_NUMBERS))
    pulls = guides[:, GOALS * GOAL_NUMBERS :].unflatten(1, (-1, 4))
    return torch.cat(
        [
            torch.cat(
                (
                    torch.cat((goals[..., :_FLAGS], goals[..., _FLAGS:][..., list(order)]), dim=2).flatten(1),
                    pulls[..., list(order)].flatten(1),
                ),
                dim=1,
            )
            for order in TURNED
        ]
    )


def _without_place(position: Tensor) -> Tensor:
    return position[:, len(_PLACE) :]


def _head(features: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, outputs))
