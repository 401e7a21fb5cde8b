"""The corridor: its closed form against value iteration, and DQN against the closed form."""

import pytest
import torch
from corridor import LEFT, RIGHT, Corridor, CorridorSettings
from torch import nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.dqn import DQN, DQNSettings, learn_from_history
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.qlearning.qnetwork import DuelingQNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import collect, evaluate


@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.5])
def test_closed_form_equals_value_iteration(gamma):
    settings = CorridorSettings(cells=9, small_reward=0.4, step_cost=0.03)
    value = torch.zeros(9, dtype=torch.float64)
    for _ in range(50):
        new = value.clone()
        for cell in range(1, 8):
            outcomes = []
            for there in (cell - 1, cell + 1):
                pay = {0: 0.4, 8: 1.0}.get(there, 0.0)
                outcomes.append(pay - 0.03 + (gamma * value[there] if 0 < there < 8 else 0.0))
            new[cell] = max(outcomes)
        value = new
    got = Corridor(1, settings).optimal_return(torch.arange(1, 8), gamma)
    torch.testing.assert_close(got, value[1:8])


def test_episodes_end_and_begin_as_told():
    environment = Corridor(3, CorridorSettings(cells=4, max_steps=3))
    environment.reset(torch.Generator().manual_seed(0))
    environment.cell = torch.tensor([1, 2, 1])
    step = environment.step(torch.tensor([LEFT, RIGHT, RIGHT]))
    assert step.terminated.tolist() == [True, True, False]
    torch.testing.assert_close(step.reward, torch.tensor([0.15, 0.95, -0.05]))
    assert step.final_observation["cell"].argmax(1).tolist() == [0, 3, 2]
    assert step.observation["cell"].argmax(1)[2] == 2
    assert set(step.observation["cell"].argmax(1)[:2].tolist()) <= {1, 2}
    environment.cell = torch.tensor([1, 1, 2])
    environment.step(torch.tensor([RIGHT, RIGHT, LEFT]))
    step = environment.step(torch.tensor([LEFT, LEFT, RIGHT]))
    assert step.truncated.tolist() == [False, False, True]
    assert step.final_observation["cell"].argmax(1)[2] == 2
    assert environment.steps.tolist() == [2, 2, 0]


def learn(seed, rounds=40):
    generator = torch.Generator().manual_seed(seed)
    environment = Corridor(16)
    gamma = 0.95
    network = DuelingQNetwork(VectorEncoder({"cell": (8,)}, 32), 32, environment.num_actions, hidden=32)
    initialise(network, generator)
    agent = DQN(network, DQNSettings(learning_rate=3e-3, polyak=0.05))
    history = History(HistorySettings(5000, n_step=1, gamma=gamma), 16, environment.num_actions, generator)
    observation = environment.reset(generator)
    for turn in range(rounds):
        epsilon = linear_schedule(1.0, 0.1, rounds // 2, turn)
        observation = collect(
            environment, lambda o, m, e=epsilon: agent.act(o, m, e, generator), history, observation, steps=8
        )
        learn_from_history(agent, history, updates=6, batch_size=64)
    history.check_valid()
    return agent, environment, gamma


@pytest.mark.slow
def test_dqn_learns_the_corridor_to_the_optimum():
    agent, environment, gamma = learn(seed=0)
    cells = torch.arange(1, 7)
    observation = {"cell": nn.functional.one_hot(cells, 8).float()}
    best = agent.q_values(observation).max(dim=1).values
    want = environment.optimal_return(cells, gamma).float()
    torch.testing.assert_close(best, want, atol=0.01, rtol=0)

    result = evaluate(Corridor(16), agent.act_greedily, 64, torch.Generator().manual_seed(3))
    # Undiscounted, the large door is the better one from every cell: d steps at 0.05 each, then 1.
    starts = 7 - result.lengths
    torch.testing.assert_close(result.returns, environment.optimal_return(starts).float(), atol=1e-5, rtol=0)
    assert len(result.returns) == 64


def test_same_seed_same_agent():
    runs = [
        torch.cat([p.detach().flatten() for p in learn(seed, rounds=6)[0].network.parameters()])
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_evaluation_counts_each_environment_equally():
    """Always LEFT from random cells: short episodes must not be counted more often than long ones."""
    generator = torch.Generator().manual_seed(0)
    result = evaluate(Corridor(50), lambda o, m: torch.zeros(50, dtype=torch.int64), 2000, generator)
    frequency = torch.bincount(result.lengths, minlength=7)[1:].float() / 2000
    torch.testing.assert_close(frequency, torch.full((6,), 1 / 6), atol=0.03, rtol=0)
    torch.testing.assert_close(result.returns, 0.2 - 0.05 * result.lengths.float())


def test_bad_input_is_named():
    with pytest.raises(SettingsError, match="cells"):
        CorridorSettings(cells=2)
    with pytest.raises(InputError, match="actions"):
        Corridor(3).step(torch.zeros(2, dtype=torch.int64))
    with pytest.raises(SettingsError, match="episodes"):
        evaluate(Corridor(1), lambda o, m: m, 0, torch.Generator())
