"""Atari games as pixels, through the vector environment of ale-py, many games side by side.

Bellemare et al. (2013): The Arcade Learning Environment, JAIR 47; sticky actions and the rest of the ``-v5`` rules:
Machado et al. (2018): Revisiting the Arcade Learning Environment, JAIR 61. ``ale-py`` is optional and under the GPL:
``pip install 'clairvoy[games]'``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from clairvoy.environments.gymnasium_spaces import OBSERVATION
from clairvoy.errors import SettingsError, at_least, between
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.transitions import Observation

FRAMES = "frames"
"""Name of the observation."""


@dataclass(frozen=True)
class AtariSettings:
    """Settings of `AtariGames`: the rules of ALE's ``-v5`` games, on smaller pictures."""

    size: int = 42
    """Height and width of a frame."""
    stack: int = 4
    """Frames in an observation, the latest last."""
    skip: int = 4
    """Frames that one action lasts."""
    sticky: float = 0.25
    """Probability in each frame that the action before goes on, 0 to 1."""
    max_frames: int = 108_000
    """An episode is truncated after this many frames (half an hour of play), so after a quarter as many steps."""

    def __post_init__(self) -> None:
        at_least(self, 1, "size", "stack", "skip", "max_frames")
        between(self, 0, 1, "sticky")


class AtariGames:
    """N games of one kind. Their actions are only those that do something in this game.

    Observation: ``frames`` ``(N, stack, size, size)`` uint8, grey, the latest last. Rewards are the points of the
    game, as they are. Episodes begin with up to 30 steps of doing nothing and go on over all lives.

    ALE tells no state through this interface, but its seeds decide everything: within `scenarios.replayed.Replayed`,
    as `handed_in.as_environment` puts it, a run is resumed exactly, by playing its actions again.

    Parameters
    ----------
    game
        As in ``ALE/Pong-v5``: Pong.
    num_envs
        Number of games N, at least 1.
    settings
        Pictures and rules.

    Raises
    ------
    SettingsError
        No such game, or ale-py is not installed.
    """

    def __init__(self, game: str, num_envs: int, settings: AtariSettings | None = None) -> None:
        if game not in (known := known_games()):
            raise SettingsError(f"ALE has no game {game!r}; choose one of {', '.join(known)}")
        if num_envs < 1:
            raise SettingsError(f"num_envs is {num_envs}; give at least 1")
        from ale_py.vector_env import AtariVectorEnv
        from gymnasium.vector import AutoresetMode

        from clairvoy.environments.from_gymnasium import FromGymnasium

        self.game = game
        self.settings = made = settings or AtariSettings()
        self._games = FromGymnasium(
            AtariVectorEnv(
                known[game],
                num_envs,
                num_threads=min(num_envs, torch.get_num_threads()),
                max_num_frames_per_episode=made.max_frames,
                repeat_action_probability=made.sticky,
                autoreset_mode=AutoresetMode.SAME_STEP,
                img_height=made.size,
                img_width=made.size,
                stack_num=made.stack,
                frameskip=made.skip,
                reward_clipping=False,
            )
        )
        self.num_envs, self.num_actions = self._games.num_envs, self._games.num_actions
        self.observation_specs: dict[str, ObservationSpec] = _named(self._games.observation_specs)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode in every game; the seeds are drawn from ``generator``."""
        return _named(self._games.reset(generator))

    def step(self, actions: Tensor) -> Step:
        """Act in every game; see `Step`."""
        step = self._games.step(actions)
        return replace(
            step, observation=_named(step.observation), final_observation=_named(step.final_observation)
        )

    def action_mask(self) -> Tensor:
        """All of them, always: ``(N, A)`` bool."""
        return self._games.action_mask()

    def close(self) -> None:
        """Close the games."""
        self._games.close()


def known_games() -> dict[str, str]:
    """The games that can be played, by their names in Gymnasium's ids, and their names in ale-py.

    Raises
    ------
    SettingsError
        ale-py is not installed.
    """
    try:
        import ale_py
        import gymnasium
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed; the Atari games come with: pip install 'clairvoy[games]'"
        ) from error
    gymnasium.register_envs(ale_py)
    return {
        spec.name: spec.kwargs["game"]
        for spec in gymnasium.registry.values()
        if spec.namespace == "ALE" and spec.version == 5
    }


def _named(observation: Any) -> Any:
    return {FRAMES: observation[OBSERVATION]}
