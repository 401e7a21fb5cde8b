"""CQL: the penalty in closed form, and that it keeps to what a history shows."""

import math

import pytest
import torch
from torch import nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.cql import CQL, CQLSettings, conservative_penalty
from clairvoy.qlearning.dqn import DQN, DQNSettings, learn_from_history
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.transitions import Transitions


def test_the_penalty_and_its_gradient_are_those_of_autograd():
    q = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    action = torch.arange(7) % 4
    want = (q.exp().sum(dim=1).log() - q[torch.arange(7), action]).mean()
    want.backward()
    penalty, gradient = conservative_penalty(q.detach(), action)
    torch.testing.assert_close(penalty, want.detach(), atol=1e-12, rtol=0)
    torch.testing.assert_close(gradient, q.grad, atol=1e-12, rtol=0)


class Table(nn.Module):
    """Q-values as plain numbers."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self, observation):
        return self.values[observation["state"]]


def of_one_state(action, reward):
    count = len(action)
    state = torch.zeros(count, dtype=torch.int64)
    return Transitions(
        {"state": state},
        torch.tensor(action),
        torch.tensor(reward),
        torch.zeros(count),
        {"state": state},
        torch.ones(count, 2, dtype=torch.bool),
        torch.zeros(count, dtype=torch.uint8),
        torch.ones(count),
    )


def test_the_penalty_is_added_to_the_loss():
    values = torch.tensor([[0.3, -0.2]])
    loss = CQL(Table(values), CQLSettings(conservatism=2.0)).update(of_one_state([0], [0.3]))["loss"]
    assert loss == pytest.approx(2.0 * (math.log(math.exp(0.3) + math.exp(-0.2)) - 0.3), rel=1e-5)


def test_it_settles_where_the_gradients_balance():
    """Only action 0 was tried and paid 1. Huber's slope 1 - Q is the penalty's 1 - softmax, halved by alpha."""
    agent = CQL(Table(torch.zeros(1, 2)), CQLSettings(conservatism=0.5, learning_rate=0.01))
    for _ in range(1500):
        agent.update(of_one_state([0], [1.0]))
    q = agent.network.values.detach()[0]
    tried = float(torch.softmax(q, dim=0)[0])
    assert float(q[0]) - 1.0 == pytest.approx(0.5 * (1.0 - tried), abs=0.02)
    assert float(q[1]) < -1.0


def lopsided_history():
    """40 states in a ring; action 0 costs a little and was tried nearly always, 1 costs more, 2 and 3 were never tried."""
    generator = torch.Generator().manual_seed(0)
    history = History(HistorySettings(2000, n_step=1, gamma=0.9, priority_exponent=0.0), 1, 4, generator)
    state = torch.randint(40, (600,), generator=generator)
    action = (torch.rand(600, generator=generator) < 0.1).long()
    show = nn.functional.one_hot(state, 40).float()
    history.add(
        Transitions(
            {"state": show},
            action,
            torch.where(action == 0, -0.1, -0.5),
            torch.full((600,), 0.9),
            {"state": nn.functional.one_hot((state + 1) % 40, 40).float()},
            torch.ones(600, 4, dtype=torch.bool),
            torch.zeros(600, dtype=torch.uint8),
            torch.ones(600),
        )
    )
    return history


def test_actions_that_the_history_does_not_show_are_not_chosen():
    def learnt(kind, settings):
        network = QNetwork(VectorEncoder({"state": (40,)}, 32, normalise=False), 32, 4)
        initialise(network, torch.Generator().manual_seed(1))
        agent = kind(network, settings)
        learn_from_history(agent, lopsided_history(), updates=400, batch_size=64)
        return agent.q_values({"state": torch.eye(40)})

    careful = learnt(CQL, CQLSettings(conservatism=0.5, learning_rate=2e-3, polyak=0.05))
    credulous = learnt(DQN, DQNSettings(learning_rate=2e-3, polyak=0.05))
    assert bool((careful.argmax(dim=1) == 0).all())
    assert bool((careful[:, 2:].amax(dim=1) < careful[:, 0] - 1.0).all())
    # The toy is one in which plain DQN does believe in what was never tried.
    assert bool((credulous.argmax(dim=1) >= 2).any())


def test_without_conservatism_it_is_dqn():
    batch = of_one_state([0, 1], [1.0, -1.0])
    values = torch.tensor([[0.1, 0.7]])
    plain, none = DQN(Table(values)), CQL(Table(values), CQLSettings(conservatism=0.0))
    assert plain.update(batch) == none.update(batch)
    assert torch.equal(plain.network.values, none.network.values)


def test_settings_out_of_range_are_named():
    for settings in ({"conservatism": -0.1}, {"conservatism": float("nan")}, {"polyak": 2.0}):
        with pytest.raises(SettingsError, match=next(iter(settings))):
            CQLSettings(**settings)
