"""PQN: its returns against a recursion in float64, the borders of episodes, a toy to learn, exact resume."""

import pytest
import torch
from corridor import Corridor

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining, lambda_returns
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import evaluate
from clairvoy.qlearning.stretch import record


def returns_by_hand(reward, value, terminated, truncated, gamma, lam):
    """The mixture of n-step returns, not the recursion: (1 - lam) sum_n lam^(n-1) G^(n), ends kept apart."""
    steps, envs = reward.shape
    out = torch.zeros(steps, envs, dtype=torch.float64)
    for env in range(envs):
        for t in range(steps):
            total, power, mixed = 0.0, 1.0, 0.0
            weight_left = 1.0
            for k in range(t, steps):
                total += power * float(reward[k, env])
                power *= gamma
                if bool(terminated[k, env]):
                    mixed += weight_left * total
                    break
                bootstrapped = total + power * float(value[k, env])
                if bool(truncated[k, env]) or k == steps - 1:
                    mixed += weight_left * bootstrapped
                    break
                mixed += weight_left * (1 - lam) * bootstrapped
                weight_left *= lam
            out[t, env] = mixed
    return out


@pytest.mark.parametrize("lam", [0.0, 0.65, 1.0])
def test_lambda_returns_are_the_mixture_of_n_step_returns(lam):
    generator = torch.Generator().manual_seed(0)
    steps, envs = 12, 40
    reward = torch.randn(steps, envs, generator=generator, dtype=torch.float64)
    value = torch.randn(steps, envs, generator=generator, dtype=torch.float64)
    draw = torch.rand(steps, envs, generator=generator)
    terminated, truncated = draw < 0.15, draw > 0.85
    want = returns_by_hand(reward, value, terminated, truncated, 0.9, lam)
    got = lambda_returns(reward, value.masked_fill(terminated, torch.nan), terminated, truncated, 0.9, lam)
    torch.testing.assert_close(got, want, atol=1e-12, rtol=0)


class Script:
    """Environments whose every step is written down: (reward, terminated, truncated), by time.

    Observations are a running number; the last one of an episode is 100 larger than it would be, so that a
    bootstrap from the wrong one shows.
    """

    num_envs, num_actions = 1, 2
    observation_specs = {"number": ObservationSpec((1,), torch.float32, 0, 1000)}  # noqa: RUF012

    def __init__(self, script, late=False, allowed=(True, True)):
        self.script, self.late, self.allowed = script, late, torch.tensor([allowed])

    def reset(self, generator):
        self.time = 0
        return self._shown(0)

    def action_mask(self):
        return self.allowed

    def step(self, actions):
        reward, terminated, truncated = self.script[self.time]
        begun = torch.tensor([reward is None])
        self.time += 1
        end = terminated or truncated
        final = self._shown(self.time + 100 * end)
        return Step(
            final if self.late else self._shown(self.time),
            torch.tensor([reward or 0.0]),
            torch.tensor([terminated]),
            torch.tensor([truncated]),
            final,
            self.action_mask(),
            begun=begun if self.late else None,
        )

    @staticmethod
    def _shown(number):
        return {"number": torch.tensor([[float(number)]])}


class Twice(torch.nn.Module):
    """Q-values ``x`` and ``2 x`` of the number shown."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([[1.0, 2.0]]))

    def forward(self, observation):
        return observation["number"] * self.scale


GOES_ON = (1.0, False, False)


def test_a_truncated_episode_bootstraps_from_its_last_observation():
    environment = Script([GOES_ON, (1.0, False, True), GOES_ON, (1.0, True, False), GOES_ON])
    agent, generator = PQN(Twice()), torch.Generator().manual_seed(0)
    stretch, onwards = record(agent, environment, environment.reset(generator), 5, 0.0, generator)
    assert stretch.observation["number"][:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert onwards["number"].item() == 5
    assert stretch.action.flatten().tolist() == [0, 1, 1, 1, 1]  # 0 and 2 x 0 are equal: the first of equals
    known = stretch.next_value[:, 0][torch.tensor([0, 1, 2, 4])]
    assert known.tolist() == [2 * 1, 2 * 102, 2 * 3, 2 * 5]
    target = lambda_returns(
        stretch.reward, stretch.next_value, stretch.terminated, stretch.truncated, 0.5, 1.0
    )
    cut = 1 + 0.5 * 204
    assert target[:, 0].tolist() == [1 + 0.5 * cut, cut, 1 + 0.5, 1, 1 + 0.5 * 10]


def test_masks_hold_for_exploration_and_for_the_bootstrap():
    environment = Script([GOES_ON] * 40, allowed=(True, False))
    agent, generator = PQN(Twice()), torch.Generator().manual_seed(0)
    stretch, _ = record(agent, environment, environment.reset(generator), 40, 0.5, generator)
    assert stretch.action.eq(0).all()
    assert stretch.next_value[:, 0].tolist() == list(range(1, 41))
    nothing = Script([GOES_ON] * 4, allowed=(False, False))
    with pytest.raises(InputError, match="forbids every action"):
        record(agent, nothing, nothing.reset(generator), 4, 0.5, generator)


def test_a_step_that_only_begins_an_episode_is_not_learnt_from():
    script = [GOES_ON, (5.0, True, False), (None, False, False), GOES_ON]
    environment = Script(script, late=True)
    agent, generator = PQN(Twice(), PQNSettings(minibatches=1, epochs=1)), torch.Generator().manual_seed(0)
    stretch, _ = record(agent, environment, environment.reset(generator), 4, 0.0, generator)
    assert stretch.begun.flatten().tolist() == [False, False, True, False]
    seen = []
    agent.network.register_forward_pre_hook(
        lambda _, given: seen.append(given[0]["number"].flatten().tolist())
    )
    agent.learn(stretch, generator)
    # 0 and 1, then the first of the new episode, 3; the last of the old one, 102, was shown but not learnt from.
    assert sorted(seen[0]) == [0, 1, 3]
    assert stretch.observation["number"].flatten().tolist() == [0, 1, 102, 3]


def corridor_agent(seed, **changes):
    settings = {"gamma": 0.95, "stretch": 16, "learning_rate": 3e-3, **changes}
    network = QNetwork(VectorEncoder({"cell": (8,)}, 32), 32, 2)
    initialise(network, torch.Generator().manual_seed(seed))
    return PQN(network, PQNSettings(**settings))


def test_the_corridor_is_learnt():
    agent, environment = corridor_agent(0), Corridor(32)
    training = PQNTraining(agent, environment, budget=20_000, seed=1)
    while training.steps < training.budget:
        metrics = training.round()
    assert metrics["epsilon"] == pytest.approx(0.05)
    q = agent.q_values({"cell": torch.eye(8)[1:-1]})
    best = environment.optimal_return(torch.arange(1, 7), gamma=0.95).float()
    torch.testing.assert_close(q.amax(dim=1), best, atol=0.05, rtol=0)
    played = evaluate(Corridor(64), agent.act_greedily, 64, torch.Generator().manual_seed(2))
    starts = Corridor(64)
    starts.reset(torch.Generator().manual_seed(2))
    assert played.mean_return == pytest.approx(float(starts.optimal_return(starts.cell).mean()), abs=0.02)


def weights(agent):
    return torch.cat([value.detach().flatten() for value in agent.network.parameters()])


def test_same_seed_same_run_and_resume_is_exact():
    def start(network_seed=3):
        return PQNTraining(corridor_agent(network_seed), Corridor(8), budget=8 * 16 * 12, seed=4)

    runs = []
    for _ in range(2):
        training = start()
        reports = [training.round() for _ in range(12)]
        runs.append((weights(training.agent), reports))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]

    training = start()
    for _ in range(5):
        training.round()
    state = training.state_dict()
    training.round()  # must not reach into the saved state
    resumed = start(network_seed=99)
    resumed.load_state_dict(state)
    reports = [resumed.round() for _ in range(7)]
    assert torch.equal(weights(resumed.agent), runs[0][0])
    assert reports == runs[0][1][5:]


def test_generated_steps_count_as_much_as_they_are_trusted():
    def loss(exponent):
        agent = PQN(Twice(), PQNSettings(minibatches=1, epochs=1, tau_exponent=exponent, trace_decay=0.0))
        environment = Script([(1.0, True, False), (1.0, True, False)])
        generator = torch.Generator().manual_seed(0)
        stretch, _ = record(agent, environment, environment.reset(generator), 2, 0.0, generator)
        stretch.tau = torch.tensor([[1.0], [0.5]])
        return agent.learn(stretch, generator)["loss"]

    # At time 0 the value is 0 and the error 1; at time 1 it is 2 and the error -1.
    assert loss(0.0) == pytest.approx(0.5)
    assert loss(2.0) == pytest.approx(0.5 * (1 + 0.25) / 2)


def test_the_step_size_falls_over_the_budget():
    training = PQNTraining(corridor_agent(0), Corridor(4), budget=4 * 16 * 4)
    rates = []
    for _ in range(4):
        training.round()
        rates.append(training.agent.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([3e-3, 3e-3 * 0.75, 3e-3 * 0.5, 3e-3 * 0.25])


def test_bad_input_is_named():
    agent = PQN(Twice())
    environment = Script([(float("nan"), False, False)] * 2)
    generator = torch.Generator().manual_seed(0)
    stretch, _ = record(agent, environment, environment.reset(generator), 2, 0.0, generator)
    with pytest.raises(InputError, match="loss is not finite"):
        agent.learn(stretch, generator)
    with pytest.raises(SettingsError, match="budget"):
        PQNTraining(agent, environment, budget=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 1.5},
        {"trace_decay": -0.1},
        {"stretch": 0},
        {"epochs": 0},
        {"minibatches": 0},
        {"learning_rate": 0.0},
        {"max_grad_norm": float("nan")},
        {"exploration": 2.0},
        {"epsilon": (1.0, -0.1)},
        {"tau_exponent": -1.0},
    ],
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        PQNSettings(**settings)
