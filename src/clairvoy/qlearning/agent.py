"""What every agent here can do with its Q-network: value actions, explore, and act without exploration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import InputError
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

    @classmethod
    def load(
        cls, path: str | Path, network: nn.Module | None = None, *, device: str | torch.device = "cpu"
    ) -> Self:
        """Read an agent that `save` wrote: to act, or to learn on with settings of its kind's default.

        Parameters
        ----------
        path
            The file.
        network
            Takes the weights. None makes the network again, if it was one of `encoders.network_for`.
        device
            Where the network lies.

        Raises
        ------
        WeightsError
            No such file, not of this kind, or it does not fit the network.
        SettingsError
            The network was another, and none is handed in.
        """
        from clairvoy.qlearning.agent_file import load_network

        return cls(load_network(path, network), device=device)

    def save(self, path: str | Path) -> None:
        """Write what acts, `acting`, as a safetensors file; neither optimizer nor history.

        Raises
        ------
        FileError
            The disk refuses.
        """
        from clairvoy.qlearning.agent_file import save_network

        save_network(path, self.acting)

    @property
    def acting(self) -> nn.Module:
        """The network that acts where nothing is explored, and that is kept: the one that learns, or its average."""
        return self.network

    @property
    def networks(self) -> list[nn.Module]:
        """All networks that the agent learns with."""
        return [self.network]

    def take_weights(self, weights: Mapping[str, Any]) -> None:
        """Act by weights that `acting` had before."""
        self.network.load_state_dict(weights)

    @torch.no_grad()
    def q_values(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)`` of the network, without gradient."""
        return self._values(self.network, observation)

    @torch.no_grad()
    def acting_values(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)`` of what acts greedily, without gradient."""
        return self._values(self.acting, observation)

    def act(
        self,
        observation: Observation,
        mask: Tensor | None,
        epsilon: float | Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Actions ``(N,)`` for learning: greedy, or with probability ``epsilon`` any allowed one."""
        return epsilon_greedy(_beside(self.q_values(observation), mask), epsilon, mask, generator)

    def act_greedily(self, observation: Observation, mask: Tensor | None = None) -> Tensor:
        """Actions ``(N,)`` for evaluation: no exploration, no randomness."""
        return greedy(_beside(self.acting_values(observation), mask), mask)

    def predict(self, observation: Any, mask: Any = None) -> int:
        """The greedy action for one observation.

        Parameters
        ----------
        observation
            As an environment's `observation_specs` say, without N: tensors, arrays or lists by name, or one alone
            where one thing is shown.
        mask
            Allowed actions, ``(A,)``; None allows all.

        Raises
        ------
        InputError
            Another name or shape than the network was made for.
        """
        specs = getattr(self.network, "specs", None)
        if not isinstance(observation, Mapping):
            (name,) = specs if specs is not None and len(specs) == 1 else ("observation",)
            observation = {name: observation}
        shown = {name: torch.as_tensor(np.asarray(value)) for name, value in observation.items()}
        for name, spec in (specs or {}).items():
            if name not in shown or tuple(shown[name].shape) != spec.shape:
                given = tuple(shown[name].shape) if name in shown else "nothing"
                raise InputError(f"{name} is {given}; one observation has {spec.shape} there")
            shown[name] = shown[name].to(spec.dtype)
        allowed = None if mask is None else torch.as_tensor(np.asarray(mask)).bool()[None].to(self.device)
        return int(self.act_greedily({name: value[None] for name, value in shown.items()}, allowed))

    @torch.no_grad()
    def _values(self, network: nn.Module, observation: Observation) -> Tensor:
        q: Tensor = network({name: value.to(self.device) for name, value in observation.items()})
        return q


def _beside(values: Tensor, mask: Tensor | None) -> Tensor:
    """Values where the mask lies: an environment keeps its own device, whatever the network computes on."""
    return values if mask is None else values.to(mask.device)
