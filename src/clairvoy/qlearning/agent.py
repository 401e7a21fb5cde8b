"""What every agent here can do with its Q-network: value actions, explore, and act without exploration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.qlearning.policy import epsilon_greedy, greedy
from clairvoy.qlearning.transitions import Observation


class Agent:
    """A Q-network and the two ways of acting on it, which never mix.

    Parameters
    ----------
    network
        Module from an `Observation` to Q-values ``(N, A)``; `DuelingQNetwork` or `QNetwork` for one.
    device
        Where the network lies; observations are moved there.
    """

    def __init__(self, network: nn.Module, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device)

    @property
    def acting(self) -> nn.Module:
        """The network that acts where nothing is explored, and that is kept: the one that learns, or its average."""
        return self.network

    def take_weights(self, weights: Mapping[str, Any]) -> None:
        """Act by weights that `acting` had before."""
        self.network.load_state_dict(weights)

    @torch.no_grad()
    def q_values(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)`` of the network, without gradient."""
        return self._values(self.network, observation)

    def act(
        self,
        observation: Observation,
        mask: Tensor | None,
        epsilon: float | Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Actions ``(N,)`` for learning: greedy, or with probability ``epsilon`` any allowed one."""
        return epsilon_greedy(self.q_values(observation), epsilon, mask, generator)

    def act_greedily(self, observation: Observation, mask: Tensor | None = None) -> Tensor:
        """Actions ``(N,)`` for evaluation: no exploration, no randomness."""
        return greedy(self._values(self.acting, observation), mask)

    @torch.no_grad()
    def _values(self, network: nn.Module, observation: Observation) -> Tensor:
        q: Tensor = network({name: value.to(self.device) for name, value in observation.items()})
        return q
