"""MiniCAGE: the defender of CAGE challenge 2, on a made-up network of thirteen hosts, many games side by side.

The game is that of the Alan Turing Institute's repository CybORG_plus_plus (MIT), which is no package: whoever wants it
clones it, and names the folder that the clone lies in in PYTHONPATH. Nothing of it is copied here. It is a simulation; no
network is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clairvoy.environments.global_numbers import OwnNumbers
from clairvoy.errors import SettingsError, WeightsError, above, at_least
from clairvoy.qlearning.environment import ObservationSpec, Step, check_actions
from clairvoy.qlearning.transitions import Observation

REDS = {"B_line": ("red_bline_agent", "B_line_minimal"), "Meander": ("test_agent", "Meander_minimal")}
"""Attackers: module and class in ``mini_CAGE``. There is a second ``B_line_minimal``, in ``test_agent``; on this game it
waits for a host that it never gets to know (commit c343476), and loses no points to anybody."""
PACKAGE = "CybORG_plus_plus.mini_CAGE"
HOSTS = "hosts"
"""Name of the observation."""
BITS, LARGEST = 4, (1.0, 1.0, 1.0, 1.0, 2.0, 4.0)
"""Bits shown of each host, and the largest of its six numbers."""


@dataclass(frozen=True)
class MiniCAGESettings:
    """Settings of `MiniCAGEGames`."""

    max_steps: int = 100
    """Length of an episode; the challenge has 30, 50 and 100."""
    unit: float = 1.0
    """Points that are a reward of 1. Who is held everywhere loses more than ten in each step: with 10 the returns lie near
    where networks begin, and errors near where a Huber loss is made for."""
    remove_bugs: bool = False
    """Whether faults of the challenge's own simulator are mended that MiniCAGE copies otherwise."""
    masked: bool = False
    """Whether `action_mask` forbids what comes to nothing. A generator of transitions cannot know that of states made up,
    so it is off for `clairvoy train world`."""

    def __post_init__(self) -> None:
        at_least(self, 1, "max_steps")
        above(self, 0, "unit")


class MiniCAGEGames:
    """N games against one attacker; all last as long, so all begin and end together.

    Observation: ``hosts`` ``(N, 78)`` float32: of each host, one behind the other, four bits (scanned, activity, exploit
    seen), whether it was scanned before (0, 1, 2), how many decoys are left; see `by_host`. Actions, 53: sleep; analyse,
    decoy, remove, restore for each host.
    Reward: minus the points lost, in units of `MiniCAGESettings.unit`; see the challenge's rules.

    Two things differ from the game's own `step`. It adds the penalty for hosts that the attacker holds twice, once before
    the defender's move and once after it (commit c343476); here it counts once, after it, as the challenge has it. And it
    draws from NumPy's global numbers; here from its own, so that the same seed gives the same game.

    Parameters
    ----------
    red
        One of `REDS`.
    num_envs
        Number of games N, at least 1.
    settings
        See `MiniCAGESettings`.

    Raises
    ------
    SettingsError
        No such attacker, or the game is not there.
    """

    def __init__(self, red: str, num_envs: int, settings: MiniCAGESettings | None = None) -> None:
        if red not in REDS:
            raise SettingsError(f"MiniCAGE has no attacker {red!r}; choose one of {', '.join(REDS)}")
        if num_envs < 1:
            raise SettingsError(f"num_envs is {num_envs}; give at least 1")
        self.red, self.num_envs = red, num_envs
        self.settings = settings or MiniCAGESettings()
        self._make_red = getattr(_part_of_the_game(REDS[red][0]), REDS[red][1])
        self._allowed = _part_of_the_game("minimal").check_blue_action
        self._numbers = OwnNumbers(0)
        self._generator = torch.Generator()
        with self._numbers.own():
            game = _counting_once(_part_of_the_game("minimal").SimplifiedCAGE)
            self._game = game(num_envs=num_envs, remove_bugs=self.settings.remove_bugs)
        self._begin()
        self.num_actions = len(self._game.action_mapping["Blue"])
        numbers = int(self._shown["Blue"].shape[1])
        hosts = numbers // len(LARGEST)
        self.observation_specs = {
            HOSTS: ObservationSpec(
                (numbers,), torch.float32, 0.0, max(LARGEST), LARGEST * hosts, entities=hosts
            )
        }
        self._steps = 0

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode in every game, with new random numbers."""
        self._generator = generator
        seed = torch.randint(2**31, (1,), generator=generator, device=generator.device)
        self._numbers.seed(int(seed))
        self._begin()
        return self._observation()

    def step(self, actions: Tensor) -> Step:
        """Let the attacker and the defender move in every game; see `Step`.

        Raises
        ------
        InputError
            Not one action for each game, or one that there is not.
        """
        check_actions(actions, self.num_envs, self.num_actions)
        chosen = actions.cpu().numpy().astype(np.int64)
        with self._numbers.own():
            move = self._red_moves()
            self._shown, reward, _, _ = self._game.step(red_action=move, blue_action=chosen[:, None])
        self._steps += 1
        observation = final = self._observation()
        final_mask = self.action_mask()
        over = self._steps >= self.settings.max_steps
        if over:
            self._begin()
            observation = self._observation()
        return Step(
            observation=observation,
            reward=torch.from_numpy(
                np.asarray(reward["Blue"], dtype=np.float32).reshape(-1) / self.settings.unit
            ),
            terminated=torch.zeros(self.num_envs, dtype=torch.bool),
            truncated=torch.full((self.num_envs,), over),
            final_observation=final,
            final_action_mask=final_mask,
        )

    def action_mask(self) -> Tensor:
        """What can be done, ``(N, A)`` bool: everything, unless `MiniCAGESettings.masked`.

        Then only decoys that are left, as is seen, and no restoring of the one host that cannot be.

        Of what cannot be done nothing comes, and the scripts of the game do it now and then: `step` takes it.
        """
        if not self.settings.masked:
            return torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)
        allowed = self._allowed(self._game.state, self._game.current_decoys)
        return torch.from_numpy(np.asarray(allowed) > 0)

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on, as plain values and tensors."""
        of_python, (kind, keys, *rest) = self._numbers.state
        return {
            "red": self.red,
            "game": {name: _plain(value) for name, value in vars(self._game).items() if _changes(value)},
            "shown": _plain(self._shown),
            "reds": [
                {name: _counted(value) for name, value in vars(red).items() if _counts(value)}
                for red in self._reds
            ],
            "numbers": [
                of_python[0],
                list(of_python[1]),
                of_python[2],
                kind,
                torch.tensor(keys.astype(np.int64)),
                *rest,
            ],
            "steps": self._steps,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned; ``generator`` is used from now on and set to the saved state.

        Raises
        ------
        WeightsError
            It is the state of games against another attacker, or of another number of games.
        """
        count = len(state["shown"]["Blue"])
        if state["red"] != self.red or count != self.num_envs:
            raise WeightsError(
                f"the state is one of {count} games against {state['red']}, but this is {self.num_envs} against {self.red}; "
                "resume with the environment that the run began with"
            )
        self._generator = generator or self._generator
        self._generator.set_state(state["generator"].cpu())
        version, internal, gauss, kind, keys, *rest = state["numbers"]
        self._numbers.state = (
            (version, tuple(internal), gauss),
            (kind, keys.cpu().numpy().astype(np.uint32), *rest),
        )
        for name, value in state["game"].items():
            setattr(self._game, name, _lively(value))
        self._reds = [self._make_red() for _ in range(self.num_envs)]
        for red, saved in zip(self._reds, state["reds"], strict=True):
            vars(red).update(saved)
        self._shown, self._steps = _lively(state["shown"]), int(state["steps"])

    def _begin(self) -> None:
        with self._numbers.own():
            # What was seen in the episode before is mixed into what is seen next, unless there is nothing.
            self._game.proc_states = None
            self._shown, _ = self._game.reset()
            # Each game has an attacker of its own: that of B_line keeps in mind how far it came.
            self._reds = [self._make_red() for _ in range(self.num_envs)]
        self._steps = 0

    def _red_moves(self) -> Any:
        """The attackers' actions, (N, 1) int64."""
        seen = self._shown["Red"]
        moves = [red.get_action(seen[row : row + 1]) for row, red in enumerate(self._reds)]
        return np.array([np.asarray(move).reshape(-1)[0] for move in moves], dtype=np.int64)[:, None]

    def _observation(self) -> Observation:
        """A copy: the game writes into what it has shown."""
        return {HOSTS: by_host(torch.from_numpy(np.array(self._shown["Blue"], dtype=np.float32)))}


def by_host(shown: Tensor) -> Tensor:
    """What the game shows, (N, 6 H), in the order of hosts: it gives the bits of all, then two numbers of all."""
    hosts = shown.shape[1] // len(LARGEST)
    bits = shown[:, : BITS * hosts].unflatten(1, (hosts, BITS))
    others = shown[:, BITS * hosts :].unflatten(1, (len(LARGEST) - BITS, hosts)).transpose(1, 2)
    return torch.cat([bits, others], dim=2).flatten(1)


def as_the_game_shows(by_hosts: Tensor) -> Tensor:
    """What `by_host` turned, back: the game's own scripts read that, (N, 6 H)."""
    each = by_hosts.unflatten(1, (-1, len(LARGEST)))
    return torch.cat([each[:, :, :BITS].flatten(1), each[:, :, BITS:].transpose(1, 2).flatten(1)], dim=1)


def _counting_once(game: Any) -> Any:
    """The game with its penalty for held hosts counted once in a step, however often it is asked for."""

    class CountedOnce(game):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            self._before: dict[str, Any] | None = None
            return super().step(*args, **kwargs)

        def _process_reward(self, state: Any, action_reward: dict[str, Any], impacted: Any) -> Any:
            if self._before is None:
                self._before = dict(action_reward)
            action_reward.update(self._before)
            return super()._process_reward(state, action_reward, impacted)

    return CountedOnce


def _part_of_the_game(module: str) -> Any:
    try:
        return import_module(f"{PACKAGE}.{module}")
    except ImportError as error:
        raise SettingsError(
            f"the game of MiniCAGE is not there ({error}): clone CybORG_plus_plus of the Alan Turing Institute, and name "
            "the folder that the clone lies in in PYTHONPATH"
        ) from error


def _counts(value: Any) -> bool:
    """Whether something is a number that an attacker keeps in mind, or none yet."""
    return value is None or isinstance(value, int | np.integer)


def _counted(value: Any) -> int | None:
    return None if value is None else int(value)


def _changes(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        isinstance(value, dict) and all(isinstance(part, np.ndarray) for part in value.values())
    )


def _plain(value: Any) -> Any:
    """A copy in types that a checkpoint may hold."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return torch.tensor(value)


def _lively(value: Any) -> Any:
    """What `_plain` turned, back; a copy again, since the game changes its arrays in place."""
    if isinstance(value, Mapping):
        return {name: _lively(part) for name, part in value.items()}
    return value.cpu().numpy().copy()
