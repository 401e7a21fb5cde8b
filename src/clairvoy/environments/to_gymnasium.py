"""Our environments, shown as those of Gymnasium: one alone, or all of a batch. The other way: `from_gymnasium`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from clairvoy.environments.gymnasium_spaces import space_of
from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import BatchedEnvironment, resets_late
from clairvoy.qlearning.transitions import Observation


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

    metadata: dict[str, Any] = {"render_modes": [], "channels": "ours"}  # noqa: RUF012 (Gymnasium has it so)

    def __init__(self, environment: BatchedEnvironment) -> None:
        if environment.num_envs != 1:
            raise SettingsError(
                f"num_envs is {environment.num_envs}; Gymnasium shows one: build the batch with num_envs=1"
            )
        self._environment = environment
        self.action_space = spaces.Discrete(environment.num_actions)
        self.observation_space = space_of(environment.observation_specs)

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
        step = self._environment.step(_numbers([action]))
        info: dict[str, Any] = {name: value[0].cpu().numpy().copy() for name, value in step.info.items()}
        info["action_mask"] = _mask(step.final_action_mask)
        return (
            _first(step.final_observation),
            float(step.reward[0]),
            bool(step.terminated[0]),
            bool(step.truncated[0]),
            info,
        )


class GymnasiumVectorEnv(VectorEnv[Any, Any, Any]):
    """Adapter for tools that speak Gymnasium's vector environments.

    It resets itself in the *same step*; ``infos["final_obs"]`` holds the last observations of the episodes that ended.
    Around an environment that resets itself a step late it does so in the *next step*, as ``metadata["autoreset_mode"]``
    tells. ``infos["action_mask"]`` is what is allowed next, ``(N, A)`` int8.

    Parameters
    ----------
    environment
        Any `BatchedEnvironment`.
    """

    def __init__(self, environment: BatchedEnvironment) -> None:
        self._environment = environment
        self.num_envs = environment.num_envs
        self._late = resets_late(environment)
        mode = AutoresetMode.NEXT_STEP if self._late else AutoresetMode.SAME_STEP
        self.metadata = {"autoreset_mode": mode, "channels": "ours"}
        self.single_action_space = spaces.Discrete(environment.num_actions)
        self.single_observation_space = space_of(environment.observation_specs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode everywhere. ``options`` are not used; of a list of seeds the first counts for all."""
        super().reset(seed=seed[0] if isinstance(seed, list) else seed)
        generator = torch.Generator().manual_seed(int(self.np_random.integers(2**31)))
        observation = self._environment.reset(generator)
        return _all(observation), {"action_mask": _masks(self._environment.action_mask())}

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in all environments.

        Raises
        ------
        SettingsError
            The environment began an episode a step late, and had not told that it would.
        """
        step = self._environment.step(_numbers(actions))
        if step.begun is not None and bool(step.begun.any()) and not self._late:
            raise SettingsError(LATE_UNTOLD)
        infos: dict[str, Any] = {name: value.cpu().numpy().copy() for name, value in step.info.items()}
        infos["action_mask"] = _masks(self._environment.action_mask())
        done = step.done.cpu().numpy()
        if done.any() and not self._late:
            last, shown = _all(step.final_observation), np.full(self.num_envs, None, dtype=object)
            for row in done.nonzero()[0]:
                shown[row] = {name: value[row] for name, value in last.items()}
            infos["final_obs"], infos["_final_obs"] = shown, done
        return (
            _all(step.observation),
            step.reward.cpu().numpy().copy(),
            step.terminated.cpu().numpy().copy(),
            step.truncated.cpu().numpy().copy(),
            infos,
        )


LATE_UNTOLD = (
    "the environment told in Step.begun that it resets itself a step late: say so, resets_late = True, or let it begin "
    "episodes in the same step"
)


def _numbers(actions: Any) -> Tensor:
    # Whatever whole numbers they are: bytes would be taken for a mask by some environments.
    return torch.as_tensor(np.asarray(actions)).long()


def _all(observation: Observation) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy().copy() for name, value in observation.items()}


def _masks(mask: Tensor) -> np.ndarray:
    return mask.cpu().numpy().astype(np.int8)


def _first(observation: Observation) -> dict[str, np.ndarray]:
    # Copies: the batch may reuse its tensors, a Gymnasium user keeps what he got.
    return {name: value[0].cpu().numpy().copy() for name, value in observation.items()}


def _mask(mask: Tensor) -> np.ndarray:
    return mask[0].cpu().numpy().astype(np.int8)
