"""Stable-Baselines3 beside us: it trains on our environments, and our policies run in its evaluation.

``stable-baselines3`` is optional: ``pip install 'clairvoy[peers]'``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from clairvoy.environments.gymnasium_actions import ActionCode
from clairvoy.environments.gymnasium_spaces import leaves, named, space_of
from clairvoy.environments.to_gymnasium import LATE_UNTOLD
from clairvoy.errors import SettingsError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.environment import BatchedEnvironment, resets_late


def as_vec_env(environment: BatchedEnvironment, seed: int = 0) -> Any:
    """A `VecEnv` of Stable-Baselines3 around an environment of ours; observations are dictionaries.

    Train on it with ``DQN("MultiInputPolicy", as_vec_env(environment))``. ``infos`` hold ``terminal_observation``
    and ``TimeLimit.truncated`` as that library expects, and ``action_mask``, what is allowed next.

    Parameters
    ----------
    environment
        Any `BatchedEnvironment`.
    seed
        Of its episodes, unless ``VecEnv.seed`` is called.

    Raises
    ------
    SettingsError
        The library is not installed; or the environment resets itself a step late, and cannot do otherwise: that library
        would learn from steps that only reset.
    """
    if resets_late(environment) and not getattr(environment, "reset_at_once", lambda: False)():
        raise SettingsError(
            "the environment resets itself a step late, which Stable-Baselines3 would take for a step of the game; make it "
            "with gymnasium.make_vec(..., vectorization_mode='sync'), or let it begin episodes in the same step"
        )
    try:
        from stable_baselines3.common.vec_env import VecEnv
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed; Stable-Baselines3 comes with: pip install 'clairvoy[peers]'"
        ) from error

    class ClairvoyVecEnv(VecEnv):
        """See `as_vec_env`."""

        render_mode = None

        def __init__(self) -> None:
            self._generator = torch.Generator().manual_seed(seed)
            self._actions = torch.zeros(environment.num_envs, dtype=torch.int64)
            self._rewards, self._lengths = np.zeros(environment.num_envs), np.zeros(environment.num_envs, int)
            super().__init__(
                environment.num_envs,
                space_of(environment.observation_specs),
                spaces.Discrete(environment.num_actions),
            )

        def reset(self) -> dict[str, np.ndarray]:
            if self._seeds[0] is not None:
                self._generator = torch.Generator().manual_seed(self._seeds[0])
            self._reset_seeds()
            self._reset_options()
            self._rewards[:], self._lengths[:] = 0.0, 0
            return _arrays(environment.reset(self._generator))

        def step_async(self, actions: np.ndarray) -> None:
            self._actions = torch.from_numpy(np.array(actions, dtype=np.int64))

        def step_wait(
            self,
        ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[dict[str, Any]]]:
            step = environment.step(self._actions)
            if step.begun is not None and bool(step.begun.any()):
                raise SettingsError(LATE_UNTOLD)
            reward, done = step.reward.cpu().numpy().copy(), step.done.cpu().numpy()
            mask = environment.action_mask().cpu().numpy()
            infos: list[dict[str, Any]] = [{"action_mask": allowed} for allowed in mask]
            self._rewards += reward
            self._lengths += 1
            if done.any():
                last, truncated = _arrays(step.final_observation), step.truncated.cpu().numpy()
                for row in done.nonzero()[0]:
                    infos[row] |= {
                        "terminal_observation": {name: value[row] for name, value in last.items()},
                        "TimeLimit.truncated": bool(truncated[row]),
                        "episode": {"r": float(self._rewards[row]), "l": int(self._lengths[row]), "t": 0.0},
                    }
                self._rewards[done], self._lengths[done] = 0.0, 0
            return _arrays(step.observation), reward, done, infos

        def close(self) -> None:
            """There is nothing to close."""

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            holder = self if attr_name == "render_mode" else environment
            return [getattr(holder, attr_name) for _ in self._get_indices(indices)]

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            setattr(environment, attr_name, value)

        def env_method(
            self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
        ) -> list[Any]:
            answer = getattr(environment, method_name)(*method_args, **method_kwargs)
            return [answer for _ in self._get_indices(indices)]

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False for _ in self._get_indices(indices)]

    return ClairvoyVecEnv()


class PredictsAsInSB3:
    """An agent of ours with the ``predict`` that ``stable_baselines3.common.evaluation.evaluate_policy`` calls.

    That evaluation passes no masks: the greedy action among all is taken. Where an environment needs its mask,
    evaluate with `qlearning.rollout.evaluate`.

    Parameters
    ----------
    agent
        Trained.
    observation_space
        Of the environment of Gymnasium that it is to act in; names as in `from_gymnasium`.
    action_space
        Of the same, where actions are not numbers from 0: `Discrete` with a start, MultiDiscrete, MultiBinary.
    """

    def __init__(
        self,
        agent: Agent,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any] | None = None,
    ) -> None:
        self._agent = agent
        self._parts = leaves(observation_space)
        self._actions = None if action_space is None else ActionCode(action_space)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, None]:
        """Greedy actions, for one observation or for a batch, as that of the space.

        The further arguments are those of recurrent and of stochastic policies; this one is neither.
        """
        shown = named(observation, self._parts)
        name, first = next(iter(shown.items()))
        single = first.ndim == len(self._parts[name].spec.shape)
        if single:
            shown = {name: value[None] for name, value in shown.items()}
        actions = self._agent.act_greedily(shown).cpu().numpy()
        if self._actions is not None:
            actions = self._actions.decode(actions)
        return (actions[0] if single else actions), None


def _arrays(observation: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy().copy() for name, value in observation.items()}
