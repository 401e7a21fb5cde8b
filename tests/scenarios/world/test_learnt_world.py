"""The learnt world is an environment like any other: episodes, resets, what is told, and agents that learn in it."""

from types import SimpleNamespace

import pytest
import torch

from clairvoy.errors import InputError, SettingsError
from clairvoy.generative.transitions.learner import Made
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import evaluate
from clairvoy.qlearning.transitions import GENERATED
from clairvoy.scenarios.world.learnt_world import LearntWorld
from clairvoy.scenarios.world.scenario import WorldScenario

SPECS = {"at": ObservationSpec((1,), torch.float32, 0.0, 9.0)}


class Stairs:
    """A learner that knows a world: action 1 goes a step up, 0 one down; 5 pays 1 and ends; noise is noted."""

    device = torch.device("cpu")

    def __init__(self, bad=None):
        self.bad, self.noises = bad, []
        self.outcomes = SimpleNamespace(
            encode_state=lambda state: state,
            decode=lambda state, said: (said[:, :1], said[:, 1], said[:, 2] > 0.5),
        )

    def make(self, state, action, noise=None):
        self.noises.append(noise)
        then = state[:, 0] + 2 * action - 1
        if self.bad is not None:
            then = torch.where(then == self.bad, torch.nan, then)
        top = (then >= 5).float()
        return Made(torch.stack([then, top, top], dim=1), then, then, then)


def tau(made):
    return 1 / (1 + made.spread.abs())


def world(num_envs=2, learner=None, **settings):
    def starts(count, generator):
        return torch.randint(1, 4, (count, 1), generator=generator).float()

    return LearntWorld(learner or Stairs(), tau, SPECS, 2, starts, num_envs, **settings)


def at(observation):
    return observation["at"][:, 0].tolist()


def test_an_end_begins_a_new_episode_and_both_are_told():
    one = world(64)
    begun = one.reset(torch.Generator().manual_seed(0))["at"][:, 0]
    assert set(begun.tolist()) == {1, 2, 3}
    up = torch.ones(64, dtype=torch.int64)
    one.step(up)
    step = one.step(up)  # those that began in 3 are at 5 now
    assert torch.equal(step.terminated, begun == 3)
    assert torch.equal(step.final_observation["at"][:, 0], begun + 2)
    assert set(step.observation["at"][begun == 3, 0].tolist()) == {1, 2, 3}
    assert torch.equal(step.observation["at"][begun < 3], step.final_observation["at"][begun < 3])
    assert torch.equal(step.reward, (begun == 3).float())
    assert not step.truncated.any()
    assert step.final_action_mask.all()
    assert step.provenance.eq(GENERATED).all()
    assert torch.allclose(step.tau, 1 / (1 + begun + 2))


def test_episodes_are_cut_after_the_longest():
    one = world(3, longest=2)
    one.reset(torch.Generator().manual_seed(0))
    down = torch.zeros(3, dtype=torch.int64)
    assert [one.step(down).truncated.tolist() for _ in range(4)] == [[False] * 3, [True] * 3] * 2


def test_what_is_no_number_ends_an_episode_and_is_not_shown():
    one = world(32, Stairs(bad=3))
    begun = one.reset(torch.Generator().manual_seed(0))["at"][:, 0]
    step = one.step(torch.ones(32, dtype=torch.int64))
    lost = begun == 2
    assert torch.equal(step.truncated, lost)
    assert not step.terminated.any()
    assert torch.equal(step.final_observation["at"][lost, 0], begun[lost])
    assert step.tau[lost].eq(0).all()
    assert torch.isfinite(step.observation["at"]).all()


def test_the_same_seed_is_the_same_world_also_when_resumed():
    def walk(one, steps, seed):
        draw = torch.Generator().manual_seed(seed)
        return [at(one.step(torch.randint(2, (8,), generator=draw)).observation) for _ in range(steps)]

    one, same, other = world(8), world(8), world(8)
    for each in (one, same):
        each.reset(torch.Generator().manual_seed(3))
    assert walk(one, 20, 1) == walk(same, 20, 1)
    state = one.state_dict()
    went_on = walk(one, 20, 2)
    other.load_state_dict(state, torch.Generator())
    assert walk(other, 20, 2) == went_on
    assert walk(same, 20, 2) == went_on


def test_imagining_touches_no_episode():
    one = world(2)
    shown = at(one.reset(torch.Generator().manual_seed(0)))
    made = one.imagine(torch.tensor([[4.0], [2.0], [1.0]]), torch.tensor([1, 1, 0]))
    assert made.state[:, 0].tolist() == [5, 3, 0]
    assert made.ended.tolist() == [True, False, False]
    assert made.reward.tolist() == [1, 0, 0]
    assert at(one.step(torch.zeros(2, dtype=torch.int64)).final_observation) == [value - 1 for value in shown]


def test_an_agent_learns_in_it():
    network = QNetwork(VectorEncoder({"at": (1,)}, 32), 32, 2)
    initialise(network, torch.Generator().manual_seed(0))
    agent = PQN(network, PQNSettings(gamma=0.9, stretch=8, learning_rate=3e-3))
    training = PQNTraining(agent, world(16, longest=12), budget=6000)
    while training.steps < training.budget:
        training.round()
    played = evaluate(world(16, longest=12), agent.act_greedily, 32, torch.Generator().manual_seed(1))
    assert played.mean_return == 1.0
    assert played.lengths.float().mean() < 5  # straight up: 2 to 4 steps


@pytest.mark.parametrize("kind", ["numbers", "bits", "frames"])
def test_the_world_of_a_scenario_begins_where_the_agent_was(learnt_worlds, kind):
    made, _ = learnt_worlds(kind)
    one = made.learnt_world(4, longest=5)
    shown = one.reset(torch.Generator().manual_seed(0))[made.name]
    spec = one.observation_specs[made.name]
    assert shown.dtype == spec.dtype
    met = made.history.steps.recent(10_000).observation[made.name].flatten(1)
    assert all(bool((met == row).all(dim=1).any()) for row in shown.flatten(1))
    noise = made.learner.noise.get_state()
    for _ in range(6):
        step = one.step(torch.zeros(4, dtype=torch.int64))
        assert step.observation[made.name].dtype == spec.dtype
        assert step.observation[made.name].shape == (4, *spec.shape)
    assert torch.equal(noise, made.learner.noise.get_state())  # playing changes nothing in the training


def test_bad_use_is_named(learnt_worlds):
    with pytest.raises(SettingsError, match="longest"):
        world(longest=0)
    with pytest.raises(InputError, match="call reset first"):
        world().step(torch.zeros(2, dtype=torch.int64))
    one = world()
    one.reset(torch.Generator())
    with pytest.raises(InputError, match=r"actions have shape \(3,\)"):
        one.step(torch.zeros(3, dtype=torch.int64))
    _, kind = learnt_worlds("numbers")
    fresh = WorldScenario(kind(2))
    with pytest.raises(SettingsError, match="learnt nothing yet"):
        fresh.learnt_world()
