"""The average of the weights: in closed form, it acts and is kept, and what it leaves behind is of one piece."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.evaluated import EvaluatedTraining
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.transitions import Transitions
from clairvoy.qlearning.units import settle

SHARE = 0.25


class Table(nn.Module):
    """Q-values as plain numbers."""

    def __init__(self):
        super().__init__()
        self.values = nn.Parameter(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))

    def forward(self, observation):
        return self.values[observation["state"]]


def agent(**settings):
    return DQN(Table(), DQNSettings(learning_rate=0.1, **settings))


def batch(action=1, reward=5.0):
    return Transitions(
        {"state": torch.tensor([0])}, torch.tensor([action]), torch.tensor([reward]), torch.zeros(1),
        {"state": torch.tensor([1])}, torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.uint8), torch.ones(1),
    )  # fmt: skip


def test_it_is_the_closed_form_of_a_moving_average():
    learner = agent(average=SHARE)
    seen = [learner.network.values.detach().double().clone()]
    for _ in range(7):
        learner.update(batch())
        seen.append(learner.network.values.detach().double().clone())
    # After k updates: (1 - s)^k of the first weights, s (1 - s)^(k - j) of those after update j.
    want = (1 - SHARE) ** 7 * seen[0]
    for j, weights in enumerate(seen[1:], start=1):
        want = want + SHARE * (1 - SHARE) ** (7 - j) * weights
    assert not torch.allclose(want.float(), learner.network.values)
    torch.testing.assert_close(learner.averaged.values.double(), want)
    assert not learner.averaged.values.requires_grad


def test_it_acts_greedily_and_what_learns_explores():
    learner = agent(average=1e-3)
    state = {"state": torch.tensor([0])}
    for _ in range(20):
        learner.update(
            batch()
        )  # action 1 of state 0 is now worth more than action 0, but hardly in the average
    assert learner.acting is learner.averaged
    assert learner.act_greedily(state).tolist() == [0]
    assert learner.act(state, None, 0.0, torch.Generator()).tolist() == [1]
    assert learner.q_values(state)[0, 1] > learner.q_values(state)[0, 0]


def test_without_one_what_learns_acts():
    learner = agent()
    assert learner.averaged is None
    assert learner.acting is learner.network
    assert learner.networks == [learner.network, learner.target]
    assert "averaged" not in learner.state_dict()


def test_it_changes_nothing_in_what_is_learnt():
    with_one, without = agent(average=SHARE), agent()
    for learner in (with_one, without):
        for _ in range(5):
            learner.update(batch())
    assert torch.equal(with_one.network.values, without.network.values)
    assert torch.equal(with_one.target.values, without.target.values)


def test_resume_is_exact():
    whole, half = agent(average=SHARE), agent(average=SHARE)
    for _ in range(6):
        whole.update(batch())
    for _ in range(3):
        half.update(batch())
    saved = half.state_dict()
    half.update(batch(action=0))  # what was saved is a copy
    resumed = agent(average=SHARE)
    resumed.load_state_dict(saved)
    for _ in range(3):
        resumed.update(batch())
    for mine, want in zip(resumed.networks, whole.networks, strict=True):
        assert torch.equal(mine.values, want.values)


NUMBERS = {"observation": ObservationSpec((2,), torch.float32, -torch.inf, torch.inf)}


def unbounded(seed=0, **settings):
    network = network_for(NUMBERS, 2)
    initialise(network, torch.Generator().manual_seed(seed))
    return DQN(network, DQNSettings(**settings))


def numbers(scale=1.0):
    return {"observation": scale * torch.randn(16, 2, generator=torch.Generator().manual_seed(3))}


@pytest.mark.parametrize("settings", [{"average": SHARE}, {}], ids=["average", "none"])
def test_weights_taken_back_are_of_one_piece_though_scales_settled_since(settings):
    learner, seen = unbounded(**settings), numbers()
    for network in learner.networks:
        settle(network, seen)
    kept, values = copy.deepcopy(learner.acting.state_dict()), learner._values(learner.acting, seen)
    for network in learner.networks:
        settle(network, numbers(50.0))
    unit = learner.network.encoder.unit.clone()
    learner.take_weights(kept)
    assert float(unit.min()) > 20 * float(learner.network.encoder.unit.max())
    for network in learner.networks:
        torch.testing.assert_close(learner._values(network, seen), values)
    # The target mixes weights and units alike: learning on from here, all still count in the same ones.
    learner._target_follows.move()
    for network in learner.networks:
        assert torch.equal(network.encoder.unit, learner.network.encoder.unit)
        torch.testing.assert_close(learner._values(network, seen), values)


def test_units_that_settled_inside_what_learns_reach_the_average():
    """Buffers are no parameters: a moving average of weights alone would leave them at what they were."""
    learner = unbounded(average=SHARE)
    learner.network.encoder.unit.fill_(3.0)
    shown = numbers()
    made = Transitions(
        shown, torch.zeros(16, dtype=torch.int64), torch.zeros(16), torch.zeros(16), shown,
        torch.ones(16, 2, dtype=torch.bool), torch.zeros(16, dtype=torch.uint8), torch.ones(16),
    )  # fmt: skip
    learner.update(made)
    assert learner.averaged.encoder.unit.tolist() == [3.0, 3.0]


def test_evaluation_keeps_the_weights_that_acted():
    """What is evaluated is the average, so that is what must be kept."""
    learner = agent(average=SHARE)
    learner.update(batch())
    training = SimpleNamespace(agent=learner, steps=8, budget=8, over=True, round=dict)
    run = EvaluatedTraining(training, lambda: (1.0, {}), every=8)
    run.round()
    assert torch.equal(run.best.network["values"], learner.averaged.values)
    assert not torch.equal(run.best.network["values"], learner.network.values)


@pytest.mark.parametrize("share", [0.0, 1.5, -0.1])
def test_bad_shares(share):
    with pytest.raises(SettingsError, match=rf"average is {share}; it must (be above 0|lie in \[0, 1\])"):
        DQNSettings(average=share)
