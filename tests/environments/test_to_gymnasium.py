"""Every scenario as a Gymnasium environment."""

import gymnasium
import numpy as np
import pytest
import torch
from corridor import Corridor
from gymnasium.utils.env_checker import check_env

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.environments.to_gymnasium import GymnasiumEnv, GymnasiumVectorEnv
from clairvoy.errors import SettingsError
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes
from clairvoy.searching.glimpse import DOWN, STAY


def search(num_envs=1, **options):
    return HazeSearch(synthetic_scenes(4, 3, 3, seed=0), num_envs, HazeSearchSettings(**options))


@pytest.mark.parametrize("environment", [search(), search(preview=True, mask_walls=True), Corridor(1)])
def test_passes_the_checker_of_gymnasium(environment):
    gymnasium.logger.min_level = gymnasium.logger.WARN
    gymnasium.register("clairvoy-check-v0", entry_point=lambda: GymnasiumEnv(environment))
    try:
        # Warnings are errors in these tests, those of the checker too.
        check_env(gymnasium.make("clairvoy-check-v0", disable_env_checker=True).unwrapped)
    finally:
        del gymnasium.registry["clairvoy-check-v0"]


def test_shows_the_same_episode_as_the_batch():
    env = GymnasiumEnv(search(start="centre", budget=0.3, false_alarm=0.5))
    first, info = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert first["window"].dtype == np.uint8
    assert info["action_mask"].tolist() == [1, 1, 1, 1, 1]

    batch = search(start="centre", budget=0.3, false_alarm=0.5)
    seed = int(np.random.Generator(np.random.PCG64(np.random.SeedSequence(3))).integers(2**31))
    batch.reset(torch.Generator().manual_seed(seed))
    for action in (DOWN, STAY, DOWN):
        observation, reward, terminated, truncated, info = env.step(np.int64(action))
        step = batch.step(torch.tensor([action]))
        assert (reward, terminated, truncated) == (
            float(step.reward),
            bool(step.terminated),
            bool(step.truncated),
        )
        assert all(np.array_equal(observation[k], v[0].numpy()) for k, v in step.final_observation.items())
        assert info["position"].tolist() == step.info["position"][0].tolist()
    assert truncated
    assert observation["position"][4] == 0.0  # the last observation of the episode, not the first of the next


def test_refuses_a_batch_of_many():
    with pytest.raises(SettingsError, match="num_envs=1"):
        GymnasiumEnv(search(num_envs=2))


def test_a_batch_as_a_vector_environment_goes_there_and_back():
    """Wrapped for Gymnasium, and that wrapped for us again, it is the environment that it was."""
    once, twice = (
        HazeSearch(synthetic_scenes(4, 3, 3, seed=0), 3, HazeSearchSettings(budget=0.5, mask_walls=True))
        for _ in range(2)
    )
    vector = GymnasiumVectorEnv(twice)
    shown, infos = vector.reset(seed=5)
    assert vector.observation_space.contains(shown)
    assert vector.action_space.shape == (3,)
    seed = int(np.random.Generator(np.random.PCG64(np.random.SeedSequence(5))).integers(2**31))
    again = once.reset(torch.Generator().manual_seed(seed))
    assert all(np.array_equal(shown[name], again[name].numpy()) for name in again)
    assert np.array_equal(infos["action_mask"], once.action_mask().numpy())
    back = FromGymnasium(vector)
    back.reset(torch.Generator().manual_seed(6))
    once.load_state_dict(twice.state_dict())
    ended = 0
    for action in (DOWN, STAY, DOWN, STAY, STAY, DOWN, STAY, STAY):
        want, got = once.step(torch.full((3,), action)), back.step(torch.full((3,), action))
        for one, other in (
            (want.observation, got.observation),
            (want.final_observation, got.final_observation),
        ):
            assert all(torch.equal(one[name], other[name]) for name in one)
        for name in ("reward", "terminated", "truncated"):
            assert torch.equal(getattr(want, name), getattr(got, name))
        assert torch.equal(once.action_mask(), back.action_mask())
        ended += int(want.done.sum())
    assert ended >= 3
