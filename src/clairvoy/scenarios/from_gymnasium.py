"""A Gymnasium vector environment, shown to the learners here; the other way is `gymnasium_env`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.gymnasium_spaces import leaves, parts, spec_of, tensor_of
from clairvoy.qlearning.transitions import Observation


class FromGymnasium:
    """A `BatchedEnvironment` around a `gymnasium.vector.VectorEnv`, in whichever way it resets itself.

    - *same step*: ``final_obs`` of the infos becomes ``Step.final_observation``;
    - *next step* (Gymnasium's default): the last observation is what is shown, and the step after it, which only
      resets, is marked in ``Step.begun``: learners leave it out;
    - *disabled*: what ended is reset here at once, with ``reset_mask``.

    Observations: Box and Dict (nested ones by names such as ``camera/left``), Discrete as one-hot. Doubles become
    single floats. Actions: Discrete. If the environment tells ``action_mask`` in its infos, that is the mask.

    Parameters
    ----------
    vector_env
        For example ``gymnasium.make_vec("CartPole-v1", 64, vectorization_mode="vector_entry_point")``.

    Raises
    ------
    SettingsError
        A space that Q-learning here cannot use, or an environment that does not tell how it resets itself.
    """

    def __init__(self, vector_env: VectorEnv[Any, Any, Any]) -> None:
        action_space = vector_env.single_action_space
        if not isinstance(action_space, spaces.Discrete):
            raise SettingsError(f"the actions are {action_space}; Q-learning needs Discrete ones")
        mode = vector_env.metadata.get("autoreset_mode")
        if mode is None:
            raise SettingsError(
                f"{vector_env} does not tell its autoreset_mode; set metadata['autoreset_mode'] to one of "
                "gymnasium.vector.AutoresetMode"
            )
        self.vector_env = vector_env
        self.mode = AutoresetMode(mode)
        self.num_envs: int = vector_env.num_envs
        self.num_actions = int(action_space.n)
        self._first_action = int(action_space.start)
        self._spaces = leaves(vector_env.single_observation_space)
        self.observation_specs = {name: spec_of(name, space) for name, space in self._spaces.items()}
        self._ended = torch.zeros(self.num_envs, dtype=torch.bool)
        self._mask = torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere. The environment is seeded with one number of ``generator``."""
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        shown, infos = self.vector_env.reset(seed=seed)
        self._ended = torch.zeros_like(self._ended)
        self._mask = self._told_mask(infos, torch.ones_like(self._mask))
        return self._observation(shown)

    def step(self, actions: Tensor) -> Step:
        """Act in all environments; see `Step`."""
        if actions.shape != (self.num_envs,):
            raise InputError(f"actions have shape {tuple(actions.shape)}; give ({self.num_envs},)")
        shown, reward, terminated, truncated, infos = self.vector_env.step(
            actions.cpu().numpy() + self._first_action
        )
        ended = torch.tensor(np.logical_or(terminated, truncated))
        observation = final = self._observation(shown)
        self._mask = final_mask = self._told_mask(infos, self._mask)
        begun = None
        if self.mode is AutoresetMode.NEXT_STEP:
            begun = self._ended if bool(self._ended.any()) else None
        elif bool(ended.any()):
            if self.mode is AutoresetMode.SAME_STEP:
                final = self._final(observation, infos["final_obs"], ended)
                final_mask = self._told_mask(infos.get("final_info", {}), self._mask)
            else:
                shown, infos = self.vector_env.reset(options={"reset_mask": ended.numpy()})
                observation = self._observation(shown)
                self._mask = self._told_mask(infos, self._mask)
        self._ended = ended
        terminated = torch.tensor(terminated)
        return Step(
            observation=observation,
            reward=torch.tensor(np.asarray(reward, dtype=np.float32)),
            terminated=terminated,
            truncated=ended & ~terminated,
            final_observation=final,
            final_action_mask=final_mask,
            begun=begun,
        )

    def action_mask(self) -> Tensor:
        """What the environment told in its infos, or all actions; ``(N, A)`` bool."""
        return self._mask

    def close(self) -> None:
        """Close the vector environment."""
        self.vector_env.close()

    def _observation(self, shown: Any) -> Observation:
        # A copy in every case: an environment may show the same array, changed, at the next step.
        return {name: tensor_of(part, self._spaces[name]) for name, part in parts(shown, self._spaces)}

    def _final(self, observation: Observation, last: Any, ended: Tensor) -> Observation:
        """The observation, with the last ones of the ended episodes in their rows."""
        final = {name: value.clone() for name, value in observation.items()}
        for row in ended.nonzero()[:, 0].tolist():
            for name, part in parts(last[row], self._spaces):
                final[name][row] = tensor_of(part, self._spaces[name])
        return final

    def _told_mask(self, infos: dict[str, Any], before: Tensor) -> Tensor:
        told = infos.get("action_mask")
        if told is None:
            return before
        mask = before.clone()
        rows = np.asarray(infos.get("_action_mask", np.ones(self.num_envs, dtype=bool)))
        for row in rows.nonzero()[0]:
            mask[row] = torch.tensor(np.asarray(told[row]).astype(bool))
        return mask
