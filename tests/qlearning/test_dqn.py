"""The learner: closed forms, exact resume, and a chain of states that it must value correctly."""

import math

import pytest
import torch
from torch import nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.dqn import DQN, DQNSettings, double_q_target, huber, learn_from_history
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.qnetwork import DuelingQNetwork, VectorEncoder, initialise
from clairvoy.qlearning.transitions import GENERATED, Transitions

GAMMA = 0.9
STATES = 5


class Table(nn.Module):
    """Q-values as plain numbers: updates can be worked out by hand."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self, observation):
        return self.values[observation["state"]]


def transitions(state, action, reward, discount, next_state, **changes):
    count = len(state)
    fields = {
        "observation": {"state": torch.tensor(state)},
        "action": torch.tensor(action),
        "reward": torch.tensor(reward),
        "discount": torch.tensor(discount),
        "next_observation": {"state": torch.tensor(next_state)},
        "next_mask": torch.ones(count, 2, dtype=torch.bool),
        "provenance": torch.zeros(count, dtype=torch.uint8),
        "tau": torch.ones(count),
    }
    return Transitions(**(fields | changes))


def test_double_q_target_by_hand():
    target = double_q_target(
        reward=torch.tensor([1.0, 1.0, 1.0, 5.0]),
        discount=torch.tensor([0.5, 0.5, 0.0, 0.0]),
        q_next_online=torch.tensor([[3.0, 2.0, 1.0]] * 4),
        q_next_target=torch.tensor([[10.0, 20.0, 40.0]] * 4),
        next_mask=torch.tensor([[True] * 3, [False, True, True], [True] * 3, [False] * 3]),
    )
    # The online network chooses, not the largest of the target network; the target network values the choice.
    assert target.tolist() == [1 + 0.5 * 10, 1 + 0.5 * 20, 1.0, 5.0]


@pytest.mark.parametrize("delta", [0.5, 1.0, 3.0])
def test_huber_is_that_of_pytorch(delta):
    error = torch.linspace(-5, 5, 101, dtype=torch.float64)
    want = nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta)
    torch.testing.assert_close(huber(error, delta), want)


def test_dueling_heads_are_identified_and_agree_with_the_formula():
    network = DuelingQNetwork(VectorEncoder({"x": (3,)}, 16), 16, num_actions=4)
    initialise(network, torch.Generator().manual_seed(0))
    observation = {"x": torch.rand(6, 3)}
    feature = network.encoder(observation)
    q = network(observation)
    torch.testing.assert_close(q.mean(dim=1), network.value(feature)[:, 0])
    advantage = network.advantage(feature)
    torch.testing.assert_close(q - q.mean(1, True), advantage - advantage.mean(1, True))


def test_initialisation_depends_on_the_generator_alone():
    networks = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(networks))
        network = DuelingQNetwork(VectorEncoder({"x": (3,)}, 16), 16, num_actions=4)
        initialise(network, torch.Generator().manual_seed(seed))
        networks.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])


def test_update_reports_the_errors_and_the_loss_of_the_formula():
    values = torch.tensor([[0.0, 1.0], [2.0, 4.0]])
    agent = DQN(Table(values), DQNSettings(huber_delta=1.0))
    batch = transitions([0, 1], [1, 0], [1.0, 0.0], [0.5, 0.0], [1, 0], weight=torch.tensor([1.0, 0.5]))
    metrics = agent.update(batch)
    # Errors: 1 + 0.5 * 4 - 1 = 2 and 0 - 2 = -2; Huber of size 2 at delta 1 is 1.5.
    assert agent.td_error.tolist() == [2.0, -2.0]
    assert metrics["loss"] == pytest.approx((1.5 + 0.5 * 1.5) / 2)
    assert metrics["td_error"] == 2.0
    assert metrics["q"] == 1.5
    assert metrics["grad_norm"] == pytest.approx(math.hypot(0.5, 0.25))


def test_generated_transitions_count_as_much_as_they_are_trusted():
    def loss(exponent):
        agent = DQN(Table(torch.zeros(2, 2)), DQNSettings(tau_exponent=exponent))
        batch = transitions(
            [0, 0], [0, 0], [1.0, 1.0], [0.0, 0.0], [1, 1],
            provenance=torch.tensor([0, GENERATED], dtype=torch.uint8), tau=torch.tensor([1.0, 0.5]),
        )  # fmt: skip
        return agent.update(batch)["loss"]

    assert loss(0.0) == pytest.approx(0.5)
    assert loss(1.0) == pytest.approx(0.5 * (1 + 0.5) / 2)
    assert loss(2.0) == pytest.approx(0.5 * (1 + 0.25) / 2)


def test_target_network_moves_by_its_share_and_at_its_period():
    agent = DQN(Table(torch.zeros(2, 2)), DQNSettings(polyak=0.25, target_period=2, learning_rate=0.1))
    batch = transitions([0], [0], [1.0], [0.0], [1])
    agent.update(batch)
    assert agent.target.values.eq(0).all()
    agent.update(batch)
    torch.testing.assert_close(agent.target.values, 0.25 * agent.network.values.detach())
    assert not agent.target.values.requires_grad


def test_gradients_are_clipped():
    # Adam's step does not change with the gradient's scale, so clipping shows in its first moment.
    agent = DQN(Table(torch.zeros(2, 2)), DQNSettings(max_grad_norm=0.01, huber_delta=100.0))
    metrics = agent.update(transitions([0], [0], [50.0], [0.0], [1]))
    assert metrics["grad_norm"] == pytest.approx(50.0)
    moment = agent.optimizer.state[agent.network.values]["exp_avg"]
    assert float(moment.norm()) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_the_gradient_of_the_loss_is_that_of_autograd():
    agent = DQN(
        Table(torch.randn(6, 2, generator=torch.Generator().manual_seed(0))), DQNSettings(huber_delta=0.7)
    )
    batch = transitions(
        [0, 1, 2, 3], [0, 1, 1, 0], [1.0, 0.2, -3.0, 0.0], [0.5, 0.9, 0.0, 0.5], [4, 5, 0, 1],
        weight=torch.tensor([1.0, 0.5, 0.25, 1.0]),
    )  # fmt: skip
    q = agent.network(batch.observation)
    target = double_q_target(
        batch.reward, batch.discount, *[agent.target(batch.next_observation)] * 2, batch.next_mask
    )
    agent.td_error = (target - q.gather(1, batch.action[:, None])[:, 0]).detach()
    with torch.no_grad():
        loss, gradient = agent.loss_and_gradient(q, batch.action, agent.weights(batch))
    q.retain_grad()
    taken = q.gather(1, batch.action[:, None])[:, 0]
    want = (batch.weight * nn.functional.huber_loss(taken, target, reduction="none", delta=0.7)).mean()
    want.backward()
    torch.testing.assert_close(loss, want.detach())
    torch.testing.assert_close(gradient, q.grad)


def test_without_double_the_target_network_chooses_too():
    def error(double):
        agent = DQN(Table(torch.tensor([[0.0, 0.0], [1.0, 2.0]])), DQNSettings(double=double))
        with torch.no_grad():
            agent.target.values.copy_(torch.tensor([[0.0, 0.0], [5.0, 3.0]]))
        agent.update(transitions([0], [0], [0.0], [1.0], [1]))
        return float(agent.td_error)

    assert error(double=True) == 3.0
    assert error(double=False) == 5.0


@pytest.mark.parametrize("double", [True, False])
def test_targets_worked_out_together_are_those_of_each_batch(double):
    """The target network rests for 6 updates, so a draw of 3 batches meets it resting, and moved in between."""
    reports = []
    for period, ahead in ((6, 3), (6, 3)):
        agent = chain_agent(5, double=double, polyak=1.0, target_period=period)
        if reports:
            agent.target_rests = lambda updates: False
        reports.append(learn_from_history(agent, chain_history(1), 12, 16, draw_ahead=ahead))
        reports.append(parameters(agent))
    assert reports[2] == pytest.approx(reports[0])
    torch.testing.assert_close(reports[3], reports[1])
    agent = chain_agent(5, polyak=1.0, target_period=6)
    agent.updates = 4
    assert agent.target_rests(2)
    assert not agent.target_rests(3)


def parameters(agent):
    return torch.cat([p.detach().flatten() for p in agent.network.parameters()])


def chain_history(seed, alpha=0.6):
    """Steps of a random walk: RIGHT (1) leads on, at last to the end and a reward of 1; LEFT (0) back."""
    generator = torch.Generator().manual_seed(seed)
    history = History(HistorySettings(2000, n_step=1, gamma=GAMMA, priority_exponent=alpha), 4, 2, generator)
    state = torch.zeros(4, dtype=torch.int64)
    for _ in range(300):
        action = torch.randint(2, (4,), generator=generator)
        following = (state + 2 * action - 1).clamp(0, STATES)
        end = following == STATES
        shown = nn.functional.one_hot(state, STATES + 1).float()
        history.append(
            {"state": shown},
            action,
            Step(
                {},
                end.float(),
                end,
                torch.zeros(4, dtype=torch.bool),
                {"state": nn.functional.one_hot(following, STATES + 1).float()},
                torch.ones(4, 2, dtype=torch.bool),
            ),
        )
        state = torch.where(end, 0, following)
    return history


def chain_agent(seed, **settings):
    network = DuelingQNetwork(VectorEncoder({"state": (STATES + 1,)}, 32), 32, 2, hidden=32)
    initialise(network, torch.Generator().manual_seed(seed))
    return DQN(network, DQNSettings(**({"learning_rate": 3e-3, "polyak": 0.05} | settings)))


@pytest.mark.slow
def test_history_alone_teaches_the_true_values_of_a_chain():
    agent, history = chain_agent(0), chain_history(1)
    learn_from_history(agent, history, updates=600, batch_size=64)
    q = agent.q_values({"state": torch.eye(STATES + 1)[:STATES]})
    right = torch.tensor([GAMMA ** (STATES - 1 - s) for s in range(STATES)])
    left = GAMMA * torch.tensor([right[max(s - 1, 0)] for s in range(STATES)])
    torch.testing.assert_close(q, torch.stack((left, right), dim=1), atol=0.03, rtol=0)
    assert agent.act_greedily({"state": torch.eye(STATES + 1)[:STATES]}).eq(1).all()


def test_same_seed_same_run_and_resume_is_exact(tmp_path):
    def start():
        return chain_agent(7), chain_history(8)

    runs = []
    for _ in range(2):
        agent, history = start()
        learn_from_history(agent, history, 20)
        learn_from_history(agent, history, 20)
        runs.append(parameters(agent))
    assert torch.equal(runs[0], runs[1])

    agent, history = start()
    learn_from_history(agent, history, 20)
    state = agent.state_dict()
    history.save(tmp_path / "history.safetensors")
    learn_from_history(agent, history, 5)  # must not reach into the saved state
    resumed = chain_agent(1234)
    resumed.load_state_dict(state)
    learn_from_history(resumed, History.load(tmp_path / "history.safetensors"), 20)
    assert resumed.updates == 40
    assert torch.equal(parameters(resumed), runs[0])


def test_exploration_and_evaluation_are_apart():
    agent = DQN(Table(torch.tensor([[0.0, 1.0]])))
    observation = {"state": torch.zeros(500, dtype=torch.int64)}
    assert agent.act_greedily(observation).eq(1).all()
    assert agent.act(observation, None, 0.0, torch.Generator().manual_seed(0)).eq(1).all()
    explored = agent.act(observation, None, 1.0, torch.Generator().manual_seed(0))
    assert 200 < int(explored.sum()) < 300


def test_bad_input_is_named():
    agent = DQN(Table(torch.zeros(2, 2)))
    with pytest.raises(InputError, match="loss is not finite"):
        agent.update(transitions([0], [0], [float("nan")], [0.0], [1]))
    with pytest.raises(SettingsError, match="updates"):
        learn_from_history(agent, chain_history(0), updates=0)
    with pytest.raises(SettingsError, match="draw_ahead"):
        learn_from_history(agent, chain_history(0), updates=1, draw_ahead=0)
    with pytest.raises(SettingsError, match="at least 2 actions"):
        DuelingQNetwork(nn.Identity(), 4, num_actions=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 0.0},
        {"huber_delta": -1.0},
        {"max_grad_norm": 0.0},
        {"polyak": 1.5},
        {"target_period": 0},
        {"tau_exponent": float("nan")},
    ],
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        DQNSettings(**settings)
