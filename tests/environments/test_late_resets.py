"""Resets a step late, both ways: nobody, neither here nor there, learns from a step that only began an episode.

`Count` shows ``100 * episode + step``: a transition over the border of an episode changes the hundreds.
"""

import gymnasium
import numpy as np
import pytest
import torch
from corridor import Corridor
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.environments.replayed import Replayed
from clairvoy.environments.stable_baselines import as_vec_env
from clairvoy.environments.to_gymnasium import GymnasiumEnv, GymnasiumVectorEnv
from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import resets_late
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.rollout import collect

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


class Count(gymnasium.Env):
    """Ends after ``last`` steps; the reward is the step."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(0, 1e6, (1,), np.float32)

    def __init__(self, last, truncates):
        self.last, self.truncates, self.episode = last, truncates, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.now = self.episode + 1, 0
        return self._shown(), {}

    def step(self, action):
        self.now += 1
        over = self.now == self.last
        return self._shown(), float(self.now), over and not self.truncates, over and self.truncates, {}

    def _shown(self):
        return np.array([100 * self.episode + self.now], np.float32)


def batch(mode):
    """Two environments: episodes of 3 steps that terminate, and of 4 that are truncated."""
    makers = [lambda: Count(3, truncates=False), lambda: Count(4, truncates=True)]
    return FromGymnasium(SyncVectorEnv(makers, autoreset_mode=mode))


def borders(before, after, reward):
    """Transitions that cross the border of an episode, or pay something else than their step."""
    before, after = np.asarray(before).ravel(), np.asarray(after).ravel()
    return int(((before // 100 != after // 100) | (after - before != 1) | (reward != after % 100)).sum())


@pytest.mark.parametrize("mode", MODES)
def test_a_vector_environment_tells_how_it_resets_and_back_again_nothing_is_lost(mode):
    inside = batch(mode)
    vector = GymnasiumVectorEnv(inside)
    late = mode is AutoresetMode.NEXT_STEP
    assert vector.metadata["autoreset_mode"] is (AutoresetMode.NEXT_STEP if late else AutoresetMode.SAME_STEP)
    back = FromGymnasium(vector)
    assert resets_late(back) == late
    history = History(HistorySettings(capacity=400, n_step=1), 2, 2, torch.Generator())
    shown = back.reset(torch.Generator())
    collect(back, lambda seen, mask: torch.zeros(2, dtype=torch.int64), history, shown, 60)
    held = history.recent(400)
    assert len(held) > 80
    assert (
        borders(held.observation["observation"], held.next_observation["observation"], held.reward.numpy())
        == 0
    )
    ends = held.next_observation["observation"][:, 0] % 100
    assert set(ends[held.discount == 0].tolist()) == {3}
    assert 4 in set(ends.tolist())


@pytest.mark.parametrize("wrap", [lambda inside: inside, Replayed])
@pytest.mark.parametrize("mode", MODES)
def test_the_replay_buffer_of_stable_baselines_holds_no_step_that_only_reset(mode, wrap):
    pytest.importorskip("stable_baselines3", reason="the optional package stable-baselines3 is not installed")
    from stable_baselines3 import DQN

    model = DQN(
        "MultiInputPolicy", as_vec_env(wrap(batch(mode))), learning_starts=10**6, buffer_size=400, seed=0
    )
    model.learn(200)
    held = model.replay_buffer
    count = held.size()
    assert count == 100
    before = held.observations["observation"][:count]
    after = held.next_observations["observation"][:count]
    reward = held.rewards[:count].ravel()
    assert borders(before, after, reward) == 0
    done, cut = held.dones[:count], held.timeouts[:count]
    assert set((after[..., 0] % 100)[(done == 1) & (cut == 0)].tolist()) == {3}
    assert set((after[..., 0] % 100)[(done == 1) & (cut == 1)].tolist()) == {4}


@pytest.mark.parametrize("mode", MODES)
def test_one_environment_alone_begins_where_it_is_reset(mode):
    env = GymnasiumEnv(FromGymnasium(SyncVectorEnv([lambda: Count(3, truncates=False)], autoreset_mode=mode)))
    seen, _ = env.reset()
    for _ in range(3):
        begin = seen["observation"][0]
        for step in range(1, 4):
            seen, reward, terminated, truncated, _ = env.step(0)
            assert (seen["observation"][0], reward) == (begin + step, step)
            assert (terminated, truncated) == (step == 3, False)
        seen, _ = env.reset()
        assert seen["observation"][0] % 100 == 0


def test_what_can_only_reset_late_is_refused_where_there_is_no_room_for_it():
    pytest.importorskip("stable_baselines3", reason="the optional package stable-baselines3 is not installed")
    poles = FromGymnasium(gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="vector_entry_point"))
    assert not poles.reset_at_once()
    for environment in (poles, Replayed(poles)):
        with pytest.raises(SettingsError, match="vectorization_mode='sync'"):
            as_vec_env(environment)
    assert GymnasiumVectorEnv(poles).metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_a_late_reset_that_was_not_told_of_is_found_when_it_comes():
    pytest.importorskip("stable_baselines3", reason="the optional package stable-baselines3 is not installed")

    class Late(Corridor):
        def step(self, actions):
            from dataclasses import replace

            return replace(super().step(actions), begun=torch.tensor([True, False]))

    vec, vector = as_vec_env(Late(2)), GymnasiumVectorEnv(Late(2))
    vec.reset()
    vector.reset(seed=0)
    with pytest.raises(SettingsError, match="resets_late = True"):
        vec.step(np.zeros(2, int))
    with pytest.raises(SettingsError, match="resets_late = True"):
        vector.step(np.zeros(2, np.uint8))
