"""Stable-Baselines3 trains on our environments, and evaluates our policies."""

import sys
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from corridor import Corridor

from clairvoy.environments.stable_baselines import PredictsAsInSB3, as_vec_env
from clairvoy.environments.to_gymnasium import GymnasiumEnv
from clairvoy.errors import SettingsError
from clairvoy.qlearning.pqn import PQN
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import evaluate
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes

sb3 = pytest.importorskip(
    "stable_baselines3", reason="the optional package stable-baselines3 is not installed"
)
from stable_baselines3.common.evaluation import evaluate_policy  # noqa: E402


def test_the_vec_env_shows_the_same_episodes_as_the_batch():
    def search():
        return HazeSearch(synthetic_scenes(4, 3, 3, seed=0), 3, HazeSearchSettings(budget=0.5))

    batch, wrapped = search(), as_vec_env(search(), seed=4)
    want, got = batch.reset(torch.Generator().manual_seed(4)), wrapped.reset()
    assert all(np.array_equal(got[name], value.numpy()) for name, value in want.items())
    assert all(wrapped.observation_space.contains({n: v[row] for n, v in got.items()}) for row in range(3))
    generator, ended, earned = torch.Generator().manual_seed(0), 0, np.zeros(3)
    for _ in range(12):
        action = torch.randint(5, (3,), generator=generator)
        step = batch.step(action)
        shown, reward, done, infos = wrapped.step(action.numpy())
        assert all(np.array_equal(shown[name], value.numpy()) for name, value in step.observation.items())
        assert np.array_equal(reward, step.reward.numpy())
        assert np.array_equal(done, step.done.numpy())
        earned += reward
        for row in done.nonzero()[0]:
            last = infos[row]["terminal_observation"]
            assert all(np.array_equal(last[n], v[row].numpy()) for n, v in step.final_observation.items())
            assert infos[row]["TimeLimit.truncated"] == bool(step.truncated[row])
            assert infos[row]["episode"]["r"] == pytest.approx(earned[row])
            earned[row], ended = 0.0, ended + 1
    assert ended >= 6


@pytest.mark.slow
def test_dqn_of_sb3_learns_our_corridor():
    model = sb3.DQN(
        "MultiInputPolicy", as_vec_env(Corridor(8), seed=1), learning_rate=3e-3, learning_starts=200, gamma=0.95,
        train_freq=2, gradient_steps=2, target_update_interval=100, exploration_fraction=0.5, seed=0,
        policy_kwargs={"net_arch": [32]}, device="cpu",
    )  # fmt: skip
    model.learn(5000)
    played, _ = evaluate_policy(model, as_vec_env(Corridor(16), seed=2), 64, warn=False)
    corridor = Corridor(64)
    corridor.reset(torch.Generator().manual_seed(2))
    assert played > float(corridor.optimal_return(corridor.cell).mean()) - 0.1


def right():
    """An agent that always goes right."""
    network = QNetwork(VectorEncoder({"cell": (8,)}, 8), 8, 2)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([0.0, 1.0]))
    return PQN(network)


@pytest.mark.parametrize("kind", ["gymnasium", "vec env"])
def test_our_policy_runs_in_the_evaluation_of_sb3(kind):
    environment = GymnasiumEnv(Corridor(1)) if kind == "gymnasium" else as_vec_env(Corridor(4), seed=0)
    policy = PredictsAsInSB3(right(), environment.observation_space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        returns, lengths = evaluate_policy(policy, environment, 40, return_episode_rewards=True)
    # d steps to the right door pay 1 and cost 0.05 each.
    assert returns == pytest.approx([1 - 0.05 * length for length in lengths], abs=1e-5)
    assert set(lengths) <= set(range(1, 7))
    ours = evaluate(Corridor(40), right().act_greedily, 40, torch.Generator().manual_seed(0))
    assert np.mean(returns) == pytest.approx(ours.mean_return, abs=0.06)


def test_predict_takes_one_observation_or_a_batch_and_no_dictionary_too():
    space = gymnasium.make("CartPole-v1").observation_space
    network = QNetwork(VectorEncoder({"observation": (4,)}, 8), 8, 2)
    initialise(network, torch.Generator().manual_seed(1))
    policy = PredictsAsInSB3(PQN(network), space)
    shown = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    batch, _ = policy.predict(shown)
    single = [policy.predict(one)[0] for one in shown]
    assert batch.tolist() == [int(action) for action in single]
    assert np.ndim(single[0]) == 0
    assert set(batch.tolist()) == {0, 1}


def test_the_library_is_named_if_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env", None)
    with pytest.raises(SettingsError, match=r"clairvoy\[peers\]"):
        as_vec_env(Corridor(2))
