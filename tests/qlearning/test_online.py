"""Training with an environment: the best is kept, and a resumed run is the uninterrupted one, bit for bit."""

import pytest
import torch

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.scenarios.toy import Corridor


def network(seed):
    made = QNetwork(VectorEncoder({"cell": (8,)}, 32), 32, 2)
    initialise(made, torch.Generator().manual_seed(seed))
    return made


def pqn(seed=0, budget=6_000):
    agent = PQN(network(seed), PQNSettings(gamma=0.95, stretch=8, learning_rate=3e-3))
    return PQNTraining(agent, Corridor(16), budget, seed)


def dqn(seed=0, budget=6_000):
    settings = HistorySettings(3000, n_step=2, gamma=0.95)
    history = History(settings, 16, 2, torch.Generator().manual_seed(seed + 5))
    agent = DQN(network(seed), DQNSettings(learning_rate=3e-3, polyak=0.1))
    rhythm = DQNTrainingSettings(act=4, updates=3, batch_size=32, warm_up=300)
    return DQNTraining(agent, history, Corridor(16), budget, rhythm, seed)


SETTINGS = OnlineSettings(evaluate_every=1000, episodes=64)
KINDS = pytest.mark.parametrize("kind", [pqn, dqn])


def weights(training):
    return torch.cat([value.detach().flatten() for value in training.agent.network.parameters()])


def best_possible(seed):
    corridor = Corridor(64)
    corridor.reset(torch.Generator().manual_seed(seed))
    return float(corridor.optimal_return(corridor.cell).mean())


@KINDS
def test_it_learns_and_resumes_exactly(kind, tmp_path):
    whole = kind()
    reports = []
    done = train_online(
        whole, Corridor(64), SETTINGS, report=lambda steps, told: reports.append((steps, told))
    )
    assert done.finished
    assert done.best.mean_return == pytest.approx(best_possible(SETTINGS.seed), abs=0.03)
    assert done.best.mean_return == max(value for _, value in done.evaluations)
    assert [steps for steps, told in reports if "evaluation/return" in told] == [
        s for s, _ in done.evaluations
    ]

    class StopError(KeyboardInterrupt):
        pass

    def stop(steps, told):
        if steps >= 2500:
            raise StopError

    file, first = tmp_path / "run.pt", kind()
    part = train_online(first, Corridor(64), SETTINGS, checkpoint=file, report=stop)
    assert not part.finished
    resumed = kind(seed=77)  # everything that counts comes from the file
    again = []
    rest = train_online(
        resumed, Corridor(64), SETTINGS, checkpoint=file, resume=True, report=lambda *told: again.append(told)
    )
    assert rest.finished
    assert rest.evaluations == done.evaluations
    assert again == reports[len(reports) - len(again) :]
    assert len(again) < len(reports)
    assert torch.equal(weights(resumed), weights(whole))


def test_the_best_weights_are_kept_though_later_ones_are_worse():
    class Spoilt(PQNTraining):
        """After half of its budget it unlearns."""

        def round(self):
            told = super().round()
            if self.steps > self.budget // 2:
                with torch.no_grad():
                    self.agent.network.head.weight.zero_()
                    self.agent.network.head.bias.copy_(torch.tensor([1.0, 0.0]))
            return told

    training = Spoilt(pqn().agent, Corridor(16), 6_000)
    done = train_online(training, Corridor(64), SETTINGS)
    assert done.evaluations[-1][1] < done.best.mean_return - 0.1
    assert done.best.steps <= 3200
    held = training.agent.network.state_dict()
    assert all(torch.equal(held[name], value) for name, value in done.best.network.items())
    assert training.agent.network.head.weight.abs().max() > 0


def test_it_stops_at_the_return_wanted():
    training = pqn(budget=50_000)
    done = train_online(training, Corridor(64), OnlineSettings(1000, 64, stop_at=0.4))
    assert done.finished
    assert training.steps < 20_000
    assert done.best.mean_return >= 0.4 > max([value for _, value in done.evaluations[:-1]], default=-1)


def test_warm_up_acts_at_random_and_learns_nothing():
    training = dqn()
    before = weights(training)
    told = [training.round() for _ in range(4)]  # 256 steps, the warm-up lasts 300
    assert [set(metrics) for metrics in told] == [{"epsilon"}] * 4
    assert torch.equal(weights(training), before)
    actions = training.history.recent(1000).action.float()
    assert 0.4 < float(actions.mean()) < 0.6
    assert "loss" in training.round()


@KINDS
def test_without_a_state_the_environment_begins_new_episodes(kind):
    class Silent(Corridor):
        state_dict = load_state_dict = property()  # hasattr says no

    training = kind()
    training.environment = Silent(16)
    training.observation = training.environment.reset(training.episodes)
    for _ in range(3):
        training.round()
    state = training.state_dict()
    assert "environment" not in state
    other = kind(seed=5)
    other.environment = Silent(16)
    other.load_state_dict(state)
    assert other.steps == training.steps
    assert other.environment.steps.eq(0).all()
    assert torch.equal(other.observation["cell"].argmax(dim=1), other.environment.cell)
    assert torch.equal(weights(other), weights(training))
    other.round()


def test_bad_input_is_named(tmp_path):
    with pytest.raises(SettingsError, match="resume needs a checkpoint"):
        train_online(pqn(), Corridor(4), resume=True)
    with pytest.raises(WeightsError, match="no checkpoint"):
        train_online(pqn(), Corridor(4), checkpoint=tmp_path / "none.pt", resume=True)
    file = tmp_path / "run.pt"
    train_online(pqn(budget=100), Corridor(4), OnlineSettings(50, 4), checkpoint=file)
    with pytest.raises(SettingsError, match="the saved run had 100"):
        train_online(pqn(budget=200), Corridor(4), OnlineSettings(50, 4), checkpoint=file, resume=True)
    with pytest.raises(SettingsError, match="the saved run had 4"):
        train_online(pqn(budget=100), Corridor(4), OnlineSettings(50, 5), checkpoint=file, resume=True)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (OnlineSettings, {"evaluate_every": 0}),
        (OnlineSettings, {"episodes": 0}),
        (DQNTrainingSettings, {"act": 0}),
        (DQNTrainingSettings, {"updates": 0}),
        (DQNTrainingSettings, {"batch_size": 0}),
        (DQNTrainingSettings, {"warm_up": -1}),
        (DQNTrainingSettings, {"exploration": 0.0}),
        (DQNTrainingSettings, {"epsilon": (2.0, 0.0)}),
    ],
)
def test_settings_out_of_range_are_named(kind, settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        kind(**settings)
