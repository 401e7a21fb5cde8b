"""A batch of one environment, shown as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.scenario import BatchedEnvironment


class GymnasiumEnv(gymnasium.Env[Any, Any]):
    """Adapter for tools that speak Gymnasium.

    The allowed actions are in ``info["action_mask"]``, ``(A,)`` int8, as ``Discrete.sample`` takes them.

    Parameters
    ----------
    environment
        A `BatchedEnvironment` with ``num_envs == 1``.

    Raises
    ------
    SettingsError
        The batch holds more than one environment.
    """

    def __init__(self, environment: BatchedEnvironment) -> None:
        if environment.num_envs != 1:
            raise SettingsError(
                f"num_envs is {environment.num_envs}; Gymnasium shows one: build the batch with num_envs=1"
            )
        self._environment = environment
        self.action_space = spaces.Discrete(environment.num_actions)
        self.observation_space = spaces.Dict(
            {
                name: spaces.Box(spec.low, spec.high, spec.shape, _numpy_dtype(spec.dtype))
                for name, spec in environment.observation_specs.items()
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode. ``options`` are not used."""
        super().reset(seed=seed)
        generator = torch.Generator().manual_seed(int(self.np_random.integers(2**31)))
        observation = self._environment.reset(generator)
        return _first(observation), {"action_mask": _mask(self._environment.action_mask())}

    def step(self, action: np.int64 | int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Act once. After the end of an episode call `reset`; the batch has begun another one by itself."""
        step = self._environment.step(torch.tensor([int(action)]))
        info: dict[str, Any] = {name: value[0].cpu().numpy().copy() for name, value in step.info.items()}
        info["action_mask"] = _mask(step.final_action_mask)
        return (
            _first(step.final_observation),
            float(step.reward[0]),
            bool(step.terminated[0]),
            bool(step.truncated[0]),
            info,
        )


def _first(observation: Observation) -> dict[str, np.ndarray]:
    # Copies: the batch may reuse its tensors, a Gymnasium user keeps what he got.
    return {name: value[0].cpu().numpy().copy() for name, value in observation.items()}


def _mask(mask: Tensor) -> np.ndarray:
    return mask[0].cpu().numpy().astype(np.int8)


def _numpy_dtype(dtype: torch.dtype) -> Any:
    return torch.empty(0, dtype=dtype).numpy().dtype
