"""MiniCAGE: the adapter on a game of our own making that has the ways of the real one; and the real one, where it is."""

import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from clairvoy.environments.by_name import EnvironmentOptions, environment_by_name
from clairvoy.environments.mini_cage import HOSTS, MiniCAGEGames, MiniCAGESettings, as_the_game_shows, by_host
from clairvoy.errors import InputError, SettingsError, WeightsError

PACKAGE = "CybORG_plus_plus"


class Game:
    """Red's number is added to what is held; blue's action 1 frees everything. The penalty is what is held, counted twice.

    As the real one it draws from NumPy's global numbers, writes into what it has shown and mixes in what it showed before.
    """

    def __init__(self, num_envs, remove_bugs=False):
        self.num_envs, self.remove_bugs = num_envs, remove_bugs
        self.action_mapping = {"Blue": ["sleep", "free", "nothing"], "Red": []}
        self.proc_states = None

    def reset(self):
        self.held = self.state = np.zeros(self.num_envs)
        self.current_decoys = np.full((self.num_envs, 1), 2)
        self.proc_states = self._shown()
        return self.proc_states, {}

    def _shown(self):
        before = np.zeros(self.num_envs) if self.proc_states is None else self.proc_states["Blue"][:, 1]
        noise = np.random.rand(self.num_envs)  # noqa: NPY002
        nothing = np.zeros(self.num_envs)
        decoys = self.current_decoys[:, 0]
        blue = np.stack([self.held, before + 1, noise, nothing, nothing, decoys], axis=1)
        return {"Blue": blue, "Red": np.stack([self.held, noise], axis=1)}

    def step(self, red_action, blue_action, red_agent=None):
        self.current_decoys = np.maximum(0, self.current_decoys - (blue_action == 2))
        reward = {"Blue": -0.5 * (blue_action == 1), "Red": np.zeros((self.num_envs, 1))}
        self.held = self.held + red_action[:, 0]
        reward = self._process_reward(self.held, reward, None)
        self.held = np.where(blue_action[:, 0] == 1, 0, self.held)
        reward = self._process_reward(self.held, reward, None)
        self.proc_states["Blue"][:] = -7
        self.proc_states = self._shown()
        return self.proc_states, reward, np.zeros((self.num_envs, 1)), {}

    def _process_reward(self, state, action_reward, impacted):
        action_reward["Blue"] = action_reward["Blue"] - state[:, None]
        return action_reward


def check_blue_action(state, decoys):
    """Action 2 takes a decoy, as long as there are some."""
    return np.concatenate([np.ones((len(state), 2)), decoys > 0], axis=1)


class Counting:
    """Its n-th move is n."""

    def __init__(self):
        self.count = None

    def get_action(self, observation):
        self.count = np.int64(1 if self.count is None else self.count + 1)
        return np.array([[self.count]])


class Chance:
    def get_action(self, observation):
        return np.random.randint(3, size=(len(observation), 1))  # noqa: NPY002


@pytest.fixture
def game(monkeypatch):
    parts = {
        "minimal": {"SimplifiedCAGE": Game, "check_blue_action": check_blue_action},
        "red_bline_agent": {"B_line_minimal": Counting},
        "test_agent": {"Meander_minimal": Chance},
    }
    monkeypatch.setitem(sys.modules, PACKAGE, ModuleType(PACKAGE))
    monkeypatch.setitem(sys.modules, f"{PACKAGE}.mini_CAGE", ModuleType("mini_CAGE"))
    for name, held in parts.items():
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.mini_CAGE.{name}", SimpleNamespace(**held))


def play(games, count, action=0):
    return [games.step(torch.full((games.num_envs,), action)) for _ in range(count)]


def test_the_penalty_counts_once_and_after_the_defender(game):
    games = MiniCAGEGames("B_line", 2)
    games.reset(torch.Generator().manual_seed(0))
    assert [float(step.reward[0]) for step in play(games, 3)] == [-1.0, -3.0, -6.0]  # red's moves are 1, 2, 3
    assert play(games, 1, action=1)[0].reward.tolist() == [-0.5, -0.5]  # what was freed costs nothing more


def test_all_games_end_together_and_begin_anew(game):
    games = MiniCAGEGames("B_line", 2, MiniCAGESettings(max_steps=3))
    first = games.reset(torch.Generator().manual_seed(0))
    steps = play(games, 4)
    assert [step.truncated.tolist() for step in steps] == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert not any(step.terminated.any() for step in steps)
    assert steps[2].final_observation[HOSTS][:, 0].tolist() == [6, 6]
    assert torch.equal(
        steps[2].observation[HOSTS][:, :2], first[HOSTS][:, :2]
    )  # nothing of the last episode is left
    assert float(steps[3].reward[0]) == -1.0  # the attacker begins anew too


def test_points_are_told_in_units(game):
    games = MiniCAGEGames("B_line", 2, MiniCAGESettings(unit=10.0))
    games.reset(torch.Generator().manual_seed(0))
    assert [round(float(step.reward[0]), 6) for step in play(games, 3)] == [-0.1, -0.3, -0.6]
    with pytest.raises(SettingsError):
        MiniCAGESettings(unit=0.0)


def test_decoys_are_set_as_long_as_there_are_some(game):
    games = MiniCAGEGames("B_line", 2, MiniCAGESettings(max_steps=2, masked=True))
    games.reset(torch.Generator().manual_seed(0))
    assert games.action_mask().tolist() == [[True] * 3] * 2
    steps = [games.step(torch.tensor([2, 0])) for _ in range(2)]
    assert steps[1].final_action_mask[:, 2].tolist() == [False, True]
    assert games.action_mask()[:, 2].tolist() == [True, True]  # the next episode has decoys again


def test_nothing_is_forbidden_unless_asked_for(game):
    games = MiniCAGEGames("B_line", 2)
    games.reset(torch.Generator().manual_seed(0))
    steps = [games.step(torch.tensor([2, 0])) for _ in range(3)]
    assert bool(steps[2].final_action_mask.all())
    assert bool(games.action_mask().all())


def test_hosts_stand_one_behind_the_other():
    # Two hosts: the game shows four bits of each, then a number of both, then another of both.
    shown = torch.tensor([[1.0, 2, 3, 4, 10, 20, 30, 40, 5, 50, 6, 60]])
    assert by_host(shown).tolist() == [[1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]]
    assert torch.equal(as_the_game_shows(by_host(shown)), shown)


def test_what_was_shown_stays(game):
    games = MiniCAGEGames("Meander", 3)
    shown = games.reset(torch.Generator().manual_seed(0))
    before = shown[HOSTS].clone()
    play(games, 2)
    assert torch.equal(shown[HOSTS], before)


@pytest.mark.parametrize("red", ["B_line", "Meander"])
def test_the_seed_decides_and_resume_is_exact(game, red):
    def rewards(seed, resumed):
        games = MiniCAGEGames(red, 4, MiniCAGESettings(max_steps=5))
        games.reset(torch.Generator().manual_seed(seed))
        first = play(games, 3)
        np.random.rand(7)  # noqa: NPY002 (others may draw as they like)
        if resumed:
            state, games = games.state_dict(), MiniCAGEGames(red, 4, MiniCAGESettings(max_steps=5))
            games.load_state_dict(state, torch.Generator())
        return torch.stack(
            [torch.cat([step.reward, step.observation[HOSTS][:, 2]]) for step in [*first, *play(games, 9)]]
        )

    assert torch.equal(rewards(0, False), rewards(0, True))
    assert not torch.equal(rewards(0, False), rewards(1, False))


def test_nobody_elses_numbers_are_disturbed(game):
    np.random.seed(3)  # noqa: NPY002
    drawn = np.random.rand(2)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    first = np.random.rand()  # noqa: NPY002
    games = MiniCAGEGames("Meander", 2)
    games.reset(torch.Generator().manual_seed(0))
    play(games, 2)
    assert [first, np.random.rand()] == drawn.tolist()  # noqa: NPY002


def test_what_is_refused(game):
    games = MiniCAGEGames("Meander", 2)
    for actions in (torch.zeros(3), torch.tensor([0, 3]), torch.tensor([-1, 0])):
        with pytest.raises(InputError):
            games.step(actions)
    with pytest.raises(WeightsError, match="Meander"):
        MiniCAGEGames("B_line", 2).load_state_dict(games.state_dict())
    with pytest.raises(SettingsError, match="B_line, Meander"):
        MiniCAGEGames("Green", 2)


def test_by_its_name(game):
    games = environment_by_name("MiniCAGE/B_line", 3, EnvironmentOptions(max_episode_steps=30))
    assert (games.num_envs, games.num_actions, games.settings.max_steps) == (3, 3, 30)
    with pytest.raises(SettingsError, match="MiniCAGE/Meander"):
        environment_by_name("MiniCAGE/meandr", 1)


@pytest.mark.skipif(find_spec(PACKAGE) is not None, reason="the game is there")
def test_without_the_game_it_says_where_to_get_it():
    with pytest.raises(SettingsError, match="PYTHONPATH"):
        MiniCAGEGames("Meander", 1)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs a clone of CybORG_plus_plus")
@pytest.mark.parametrize("red", ["B_line", "Meander"])
def test_the_real_game(red):
    """Where nobody defends, the operational server falls, and each later step costs at least 10 points and what is held."""
    games = MiniCAGEGames(red, 16)
    assert games.num_actions == 53
    assert games.reset(torch.Generator().manual_seed(0))[HOSTS].shape == (16, 78)
    rewards = torch.stack([step.reward for step in play(games, 100)])
    assert bool((rewards[0] == 0).all())
    assert float(rewards[-1].mean()) < -11
    assert float(rewards.min()) > -20  # 10 for the impact, at most 1 or 0.1 for each host: counted once
