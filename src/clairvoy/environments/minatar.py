"""MinAtar: five Atari games on a grid of 10 x 10 cells, many games side by side.

Young, K. and Tian, T. (2019): MinAtar: an Atari-inspired testbed for thorough and reproducible reinforcement learning
experiments, arXiv:1903.03176. The games are their package, ``MinAtar``, which is optional and under the GPL:
``pip install 'clairvoy[games]'``. Nothing of it is copied here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clairvoy.errors import SettingsError, WeightsError, at_least, between
from clairvoy.qlearning.environment import ObservationSpec, Step, check_actions
from clairvoy.qlearning.transitions import Observation

GAMES = {
    "Breakout": "breakout",
    "Asterix": "asterix",
    "SpaceInvaders": "space_invaders",
    "Freeway": "freeway",
    "Seaquest": "seaquest",
}
"""Names as in Gymnasium's ids, and those of the modules of ``minatar``."""

PLANES = "planes"
"""Name of the observation."""


@dataclass(frozen=True)
class MinAtarSettings:
    """Settings of `MinAtarGames`; the defaults are those of MinAtar, but for `max_steps`."""

    sticky: float = 0.1
    """Probability that the action before is done once more instead of the chosen one, 0 to 1."""
    ramping: bool = True
    """Whether the games become harder as they go on."""
    max_steps: int = 2500
    """An episode is truncated after this many steps. Freeway, which ends after 2501, never ends otherwise."""

    def __post_init__(self) -> None:
        between(self, 0, 1, "sticky")
        at_least(self, 1, "max_steps")


class MinAtarGames:
    """N games of one kind. Their actions are only those that do something in this game.

    Observation: ``planes`` ``(N, C, 10, 10)`` bool, one plane for each kind of object. Rewards and ends are MinAtar's.
    `reset` draws one seed for each game from its generator; all later randomness comes from these. State and resume
    are exact, at the cost of nothing.

    Parameters
    ----------
    game
        One of `GAMES`.
    num_envs
        Number of games N, at least 1.
    settings
        Sticky actions, difficulty, length.

    Raises
    ------
    SettingsError
        No such game, or MinAtar is not installed.
    """

    def __init__(self, game: str, num_envs: int, settings: MinAtarSettings | None = None) -> None:
        if game not in GAMES:
            raise SettingsError(f"MinAtar has no game {game!r}; choose one of {', '.join(GAMES)}")
        if num_envs < 1:
            raise SettingsError(f"num_envs is {num_envs}; give at least 1")
        self.game, self.num_envs = game, num_envs
        self.settings = settings or MinAtarSettings()
        make = _minatar()
        self._games = [
            make(
                GAMES[game],
                sticky_action_prob=self.settings.sticky,
                difficulty_ramping=self.settings.ramping,
            )
            for _ in range(num_envs)
        ]
        self.actions: list[int] = list(self._games[0].minimal_action_set())
        """MinAtar's number of each action."""
        self.num_actions = len(self.actions)
        named = self._games[0].env.channels
        self.channels: tuple[str, ...] = tuple(sorted(named, key=named.__getitem__))
        """What each plane shows."""
        self.observation_specs = {PLANES: ObservationSpec((len(self.channels), 10, 10), torch.bool, 0.0, 1.0)}
        self._generator = torch.Generator()
        self._steps = np.zeros(num_envs, dtype=np.int64)
        # The grid as MinAtar gives it, planes last; one copy turns all of them.
        self._grid = np.zeros((num_envs, 10, 10, len(self.channels)), dtype=bool)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode in every game, with new seeds."""
        self._generator = generator
        seeds = torch.randint(2**31, (self.num_envs,), generator=generator, device=generator.device)
        for row, seed in enumerate(seeds.tolist()):
            game = self._games[row]
            game.seed(seed)
            game.last_action = 0
            game.reset()
            self._grid[row] = game.state()
        self._steps[:] = 0
        return self._observation()

    def step(self, actions: Tensor) -> Step:
        """Act in every game; see `Step`.

        Raises
        ------
        InputError
            Not one action for each game, or one that there is not.
        """
        check_actions(actions, self.num_envs, self.num_actions)
        chosen: list[int] = actions.tolist()
        reward = np.zeros(self.num_envs, dtype=np.float32)
        terminated = np.zeros(self.num_envs, dtype=bool)
        for row, (game, action) in enumerate(zip(self._games, chosen, strict=True)):
            reward[row], terminated[row] = game.act(self.actions[action])
            self._grid[row] = game.state()
        self._steps += 1
        truncated = (self._steps >= self.settings.max_steps) & ~terminated
        observation = final = self._observation()
        done = terminated | truncated
        if done.any():
            for row in done.nonzero()[0].tolist():
                self._games[row].reset()
                self._grid[row] = self._games[row].state()
            self._steps[done] = 0
            observation = self._observation()
        return Step(
            observation=observation,
            reward=torch.from_numpy(reward),
            terminated=torch.from_numpy(terminated),
            truncated=torch.from_numpy(truncated),
            final_observation=final,
            final_action_mask=self.action_mask(),
        )

    def action_mask(self) -> Tensor:
        """All of them, always: ``(N, A)`` bool."""
        return torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on, as plain values and tensors."""
        return {
            "game": self.game,
            "games": [_state_of(game) for game in self._games],
            "steps": torch.tensor(self._steps),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned; ``generator`` is used from now on and set to the saved state.

        Raises
        ------
        WeightsError
            It is the state of another game, or of another number of games.
        """
        if state["game"] != self.game or len(state["games"]) != self.num_envs:
            raise WeightsError(
                f"the state is one of {len(state['games'])} x {state['game']}, but this is {self.num_envs} x "
                f"{self.game}; resume with the environment that the run began with"
            )
        self._generator = generator or self._generator
        self._generator.set_state(state["generator"].cpu())
        self._steps = state["steps"].cpu().numpy().copy()
        for row, (game, saved) in enumerate(zip(self._games, state["games"], strict=True)):
            _restore(game, saved)
            self._grid[row] = game.state()

    def _observation(self) -> Observation:
        """A copy, planes first."""
        return {PLANES: torch.from_numpy(self._grid.transpose(0, 3, 1, 2).copy())}


def _minatar() -> Any:
    try:
        with warnings.catch_warnings():
            # It imports matplotlib for a window that is not used here; what that warns of helps nobody.
            warnings.simplefilter("ignore")
            from minatar import Environment
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed; the games of MinAtar come with: pip install 'clairvoy[games]'"
        ) from error
    return Environment


_FIXED = ("channels", "action_map", "random", "ramping")
"""What a game holds that does not change, and its random numbers, which are kept apart."""


def _state_of(game: Any) -> dict[str, Any]:
    kind, keys, position, has_normal, normal = game.random.get_state()
    return {
        "env": {name: _plain(value) for name, value in vars(game.env).items() if name not in _FIXED},
        "last_action": int(game.last_action),
        "random": [
            kind,
            torch.from_numpy(keys.astype(np.int64)),
            int(position),
            int(has_normal),
            float(normal),
        ],
    }


def _restore(game: Any, state: Mapping[str, Any]) -> None:
    kind, keys, *rest = state["random"]
    game.seed(0)  # the wrapper and the game share one source of random numbers from here on
    game.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))
    game.last_action = state["last_action"]
    for name, value in state["env"].items():
        setattr(game.env, name, _lively(value))


def _plain(value: Any) -> Any:
    """A copy in types that a checkpoint may hold."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _lively(value: Any) -> Any:
    """What `_plain` turned, back; a copy again, since games change their lists in place."""
    if isinstance(value, Tensor):
        return value.cpu().numpy().copy()
    return [_lively(part) for part in value] if isinstance(value, list) else value
