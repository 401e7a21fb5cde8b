"""A Gymnasium vector environment, shown to the learners here; the other way is `gymnasium_env`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorActionWrapper, VectorEnv
from torch import Tensor

from clairvoy.environments.gymnasium_actions import ActionCode
from clairvoy.environments.gymnasium_spaces import Channels, leaves, named
from clairvoy.errors import ClairvoyError, InputError, SettingsError
from clairvoy.qlearning.environment import Step, check_actions
from clairvoy.qlearning.transitions import Observation


class FromGymnasium:
    """A `BatchedEnvironment` around a `gymnasium.vector.VectorEnv`, in whichever way it resets itself.

    - *same step*: ``final_obs`` of the infos becomes ``Step.final_observation``;
    - *next step* (Gymnasium's default): the last observation is what is shown, and the step after it, which only
      resets, is marked in ``Step.begun``: learners leave it out; or see `reset_at_once`;
    - *disabled*: what ended is reset here at once, with ``reset_mask``.

    Observations: Box, Discrete and MultiDiscrete (one-hot), MultiBinary, and Dict and Tuple of them, by names such as
    ``camera/left`` or ``1``. Doubles become single floats, pictures (H, W, C) become (C, H, W), grids of whole numbers
    (H, W) become (1, H, W). Actions: Discrete, MultiDiscrete and MultiBinary, by the number of their combination. If
    the environment tells ``action_mask`` in its infos, ``(A,)``, that is the mask.

    Parameters
    ----------
    environment
        For example ``gymnasium.make_vec("CartPole-v1", 64, vectorization_mode="vector_entry_point")``; a single
        `gymnasium.Env` is a batch of one.
    channels
        Where the channels of pictures are, "first" or "last"; None asks ``metadata["channels"]``, and else their shape.

    Raises
    ------
    SettingsError
        A space that Q-learning here cannot use, or an environment that does not tell how it resets itself.
    """

    def __init__(
        self,
        environment: VectorEnv[Any, Any, Any] | gymnasium.Env[Any, Any],
        *,
        channels: Channels | None = None,
    ) -> None:
        if isinstance(environment, gymnasium.Env):
            single = environment
            environment = SyncVectorEnv([lambda: single], autoreset_mode=AutoresetMode.SAME_STEP)
        vector_env: VectorEnv[Any, Any, Any] = environment
        self._actions = ActionCode(vector_env.single_action_space)
        mode = vector_env.metadata.get("autoreset_mode")
        if mode is None:
            raise SettingsError(
                f"{vector_env} does not tell its autoreset_mode; set metadata['autoreset_mode'] to one of "
                "gymnasium.vector.AutoresetMode"
            )
        self.vector_env = vector_env
        self.mode = AutoresetMode(mode)
        self.num_envs: int = vector_env.num_envs
        self.num_actions = self._actions.count
        self.resets_late = self.mode is AutoresetMode.NEXT_STEP
        """Whether steps are said in `Step.begun` that only begin an episode."""
        self._parts = leaves(
            vector_env.single_observation_space, channels or vector_env.metadata.get("channels")
        )
        self.observation_specs = {name: leaf.spec for name, leaf in self._parts.items()}
        self._ended = torch.zeros(self.num_envs, dtype=torch.bool)
        self._mask = torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)
        self._one_by_one = _passes_single_actions(vector_env)

    def reset_at_once(self) -> bool:
        """Let episodes begin in the step in which the ones before end, from the next `reset` on, if that can be done.

        Returns
        -------
        bool
            Whether it is so: `SyncVectorEnv` and `AsyncVectorEnv` can reset some of their environments alone; those
            with a code of their own for all, as CartPole's ``vector_entry_point``, cannot.
        """
        if isinstance(self.vector_env.unwrapped, SyncVectorEnv | AsyncVectorEnv):
            self.resets_late = False
        return not self.resets_late

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere. The environment is seeded with one number of ``generator``."""
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        shown, infos = self._ask("reset", lambda: self.vector_env.reset(seed=seed))
        self._ended = torch.zeros_like(self._ended)
        self._mask = self._mask_in(infos, torch.ones_like(self._mask))
        return self._observation(shown)

    def step(self, actions: Tensor) -> Step:
        """Act in all environments; see `Step`.

        Raises
        ------
        InputError
            Not one action for each, one that there is not, or the environment itself failed.
        """
        chosen = self._chosen(actions)
        shown, reward, terminated, truncated, infos = self._ask("step", lambda: self.vector_env.step(chosen))
        ended = torch.tensor(np.logical_or(terminated, truncated))
        observation = final = self._observation(shown)
        self._mask = final_mask = self._mask_in(infos, self._mask)
        begun = None
        if self.resets_late:
            begun = self._ended if bool(self._ended.any()) else None
        elif bool(ended.any()):
            if self.mode is AutoresetMode.SAME_STEP:
                final = self._final(observation, infos["final_obs"], ended)
                final_mask = self._mask_in(infos.get("final_info", {}), self._mask)
            else:
                options = {"reset_mask": ended.numpy()}
                shown, infos = self._ask("reset", lambda: self.vector_env.reset(options=options))
                observation = self._observation(shown)
                self._mask = self._mask_in(infos, self._mask)
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
        """What the environment says in its infos, or all actions; ``(N, A)`` bool."""
        return self._mask

    def render(self) -> list[np.ndarray]:
        """A picture (H, W, 3) uint8 of every environment; none where its ``render_mode`` is not ``rgb_array``."""
        if self.vector_env.render_mode != "rgb_array":
            return []
        return [np.asarray(picture) for picture in self._ask("render", self.vector_env.render)]

    def close(self) -> None:
        """Close the vector environment."""
        self.vector_env.close()

    def _chosen(self, actions: Tensor) -> Any:
        """Actions ``(N,)`` as the environment takes them."""
        check_actions(actions, self.num_envs, self.num_actions)
        numbers = actions.cpu().numpy()
        chosen = self._actions.decode(numbers)
        # Some environments refuse a NumPy integer (NASim); none refuses Python's.
        return chosen.tolist() if self._one_by_one and chosen.ndim == 1 else chosen

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        """The environment's answer; a fault of its own is reported as its own."""
        try:
            return call()
        except ClairvoyError:
            raise
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise InputError(
                f"a process of the environment {_name(self.vector_env)} had ended in {what}: was it killed, or is there not "
                "memory for so many?"
            ) from error
        except Exception as error:  # whatever somebody else's code may raise
            raise InputError(
                f"the environment {_name(self.vector_env)} failed in {what}: {type(error).__name__}: {error}; "
                "this is its own code (--verbose shows where)"
            ) from error

    def _observation(self, shown: Any) -> Observation:
        # A copy in every case: an environment may show the same array, changed, at the next step.
        return named(shown, self._parts)

    def _final(self, observation: Observation, last: Any, ended: Tensor) -> Observation:
        """The observation, with the last ones of the ended episodes in their rows."""
        final = {name: value.clone() for name, value in observation.items()}
        for row in ended.nonzero()[:, 0].tolist():
            for name, value in named(last[row], self._parts).items():
                final[name][row] = value
        return final

    def _mask_in(self, infos: dict[str, Any], before: Tensor) -> Tensor:
        masks = infos.get("action_mask")
        if masks is None:
            return before
        mask = before.clone()
        rows = np.asarray(infos.get("_action_mask", np.ones(self.num_envs, dtype=bool)))
        for row in rows.nonzero()[0]:
            allowed = np.asarray(masks[row])
            if allowed.shape != (self.num_actions,):
                raise InputError(
                    f"the environment {_name(self.vector_env)} tells an action_mask of shape {allowed.shape}; it has "
                    f"{self.num_actions} actions"
                )
            mask[row] = torch.tensor(allowed.astype(bool))
        return mask


def _passes_single_actions(vector_env: VectorEnv[Any, Any, Any]) -> bool:
    """Whether each environment is handed its own action as it stands in a list."""
    layer: Any = vector_env
    while layer is not vector_env.unwrapped:
        if isinstance(layer, VectorActionWrapper):
            return False
        layer = layer.env
    return isinstance(layer, SyncVectorEnv | AsyncVectorEnv)


def _name(vector_env: VectorEnv[Any, Any, Any]) -> str:
    spec = getattr(vector_env, "spec", None)
    inside = getattr(vector_env.unwrapped, "envs", None)
    if spec is None and inside:
        spec = inside[0].spec
        return type(inside[0].unwrapped).__name__ if spec is None else str(spec.id)
    return type(vector_env.unwrapped).__name__ if spec is None else str(spec.id)
