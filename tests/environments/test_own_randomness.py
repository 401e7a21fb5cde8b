"""Environments that draw from global random numbers depend on their seed, and disturb nobody."""

import random

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.environments.handed_in import as_environment
from clairvoy.environments.own_randomness import OwnRandomness
from clairvoy.errors import WeightsError


class Gambler(gymnasium.Env):
    """Draws from the generators that everybody shares, and does not seed them."""

    observation_space, action_space = spaces.Box(0.0, 1.0, (2,), np.float32), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._drawn(), {}

    def step(self, action):
        self.steps += 1
        return self._drawn(), 0.0, self.steps == 5, False, {}

    def _drawn(self):
        return np.array([random.random(), np.random.rand()], np.float32)  # noqa: NPY002


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Gambler-v0", Gambler)
    yield
    del gymnasium.registry["Gambler-v0"]


def episodes(environment, seed):
    shown = [environment.reset(torch.Generator().manual_seed(seed))["observation"]]
    shown += [
        environment.step(torch.zeros(3, dtype=torch.int64)).final_observation["observation"]
        for _ in range(12)
    ]
    return torch.stack(shown)


def test_the_seed_decides_everything_and_each_environment_draws_its_own():
    wrapped = as_environment("Gambler-v0", 3, EnvironmentOptions(own_randomness=True))
    first = episodes(wrapped, 0)
    random.random(), np.random.rand()  # noqa: NPY002
    assert torch.equal(episodes(wrapped, 0), first)
    assert not torch.equal(episodes(wrapped, 1), first)
    assert len(first.flatten().unique()) == first.numel()
    bare = as_environment("Gambler-v0", 3)
    assert not torch.equal(episodes(bare, 0), episodes(bare, 0))


def test_it_leaves_the_numbers_of_others_as_they_were():
    env = OwnRandomness(Gambler())
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002
    want = random.Random(4).random(), np.random.RandomState(4).rand()
    env.reset(seed=0)
    env.step(0)
    assert (random.random(), np.random.rand()) == want  # noqa: NPY002


def test_a_run_in_it_is_resumed_and_without_it_the_remedy_is_named():
    wrapped = as_environment("Gambler-v0", 3, EnvironmentOptions(own_randomness=True))
    episodes(wrapped, 0)
    state = wrapped.state_dict()
    later = wrapped.step(torch.zeros(3, dtype=torch.int64)).observation["observation"]
    again = as_environment("Gambler-v0", 3, EnvironmentOptions(own_randomness=True))
    again.load_state_dict(state, torch.Generator())
    assert torch.equal(again.step(torch.zeros(3, dtype=torch.int64)).observation["observation"], later)
    bare = as_environment("Gambler-v0", 3)
    episodes(bare, 0)
    with pytest.raises(WeightsError, match=r"did not repeat itself.*OwnRandomness"):
        as_environment("Gambler-v0", 3).load_state_dict(bare.state_dict(), torch.Generator())
