"""Training with an environment: the best is kept, and a resumed run is the uninterrupted one, bit for bit."""

from dataclasses import replace

import pytest
import torch
from corridor import Corridor, CorridorSettings

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import evaluate


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


@pytest.mark.slow
@KINDS
def test_it_learns_and_resumes_exactly(kind, tmp_path):
    whole = kind()
    reports = []
    done = train_online(
        whole, Corridor(64), SETTINGS, report=lambda steps, told: reports.append((steps, told))
    )
    assert done.finished
    assert done.best.score == pytest.approx(best_possible(SETTINGS.seed), abs=0.03)
    assert done.best.score == max(value for _, value in done.evaluations)
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
    assert done.evaluations[-1][1] < done.best.score - 0.1
    assert done.best.steps <= 3200
    held = training.agent.network.state_dict()
    assert all(torch.equal(held[name], value) for name, value in done.best.network.items())
    assert training.agent.network.head.weight.abs().max() > 0


def test_it_stops_at_the_return_wanted():
    training = pqn(budget=50_000)
    done = train_online(training, Corridor(64), OnlineSettings(1000, 64, stop_at=0.4))
    assert done.finished
    assert training.steps < 20_000
    assert done.best.score >= 0.4 > max([value for _, value in done.evaluations[:-1]], default=-1)


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


class Endless(Corridor):
    """Nothing ends an episode but the right door."""

    def step(self, actions):
        step = super().step(torch.where(self.cell > 1, actions, 1))
        return replace(step, truncated=torch.zeros_like(step.truncated))


def endless(num_envs=4):
    return Endless(num_envs, CorridorSettings(max_steps=10**9))


def to_the_left(observation, mask):
    return torch.zeros(len(mask), dtype=torch.int64)


def test_an_episode_that_never_ends_is_cut_and_counts_as_far_as_it_was_played():
    played = evaluate(endless(), to_the_left, 9, torch.Generator().manual_seed(0), longest=50)
    assert (played.cut, played.lengths.tolist()) == (4, [50] * 4)  # one each: it goes on where it was cut
    assert played.returns.tolist() == pytest.approx([-0.05 * 50] * 4)
    # Ends that come are ends, also in the last step that is allowed.
    exact = evaluate(
        Corridor(4), lambda seen, mask: torch.ones(4, dtype=torch.int64), 8, torch.Generator(), longest=6
    )
    assert exact.cut == 0
    assert len(exact.returns) == 8
    with pytest.raises(SettingsError, match="longest 0"):
        evaluate(Corridor(4), to_the_left, 1, torch.Generator(), longest=0)


def test_training_goes_on_where_no_episode_of_an_evaluation_ends():
    class Stubborn(PQNTraining):
        def round(self):
            told = super().round()
            with torch.no_grad():
                self.agent.network.head.weight.zero_()
                self.agent.network.head.bias.copy_(torch.tensor([1.0, 0.0]))
            return told

    training = Stubborn(pqn().agent, endless(16), 600)
    told = []
    done = train_online(
        training,
        endless(),
        OnlineSettings(200, 4, longest=30),
        report=lambda _, metrics: told.append(metrics),
    )
    assert done.finished
    assert [value for _, value in done.evaluations] == pytest.approx([-1.5] * len(done.evaluations))
    assert [metrics["evaluation/cut"] for metrics in told if "evaluation/return" in metrics] == [4] * 3


@pytest.mark.parametrize("at", ["deadline", "Ctrl-C"])
@KINDS
def test_what_stops_a_run_reaches_into_an_evaluation_and_nothing_is_lost(kind, at, tmp_path, monkeypatch):
    reports, file = [], tmp_path / "run.pt"
    whole = kind(budget=3000)
    done = train_online(whole, Corridor(64), SETTINGS, report=lambda *told: reports.append(told))

    steps, now = [], [0.0]
    monkeypatch.setattr("clairvoy.qlearning.rounds.time.monotonic", lambda: now[0])

    def pause():
        """In the middle of the second evaluation."""
        steps.append(first.steps)
        if len([step for step in steps if step >= 2000]) == 4:
            if at == "Ctrl-C":
                raise KeyboardInterrupt
            now[0] = 100.0

    first, seen = kind(budget=3000), []
    part = train_online(
        first, Corridor(64), SETTINGS, checkpoint=file, report=lambda *told: seen.append(told), pause=pause,
        deadline=50.0,
    )  # fmt: skip
    assert not part.finished
    assert [step for step, _ in part.evaluations] == [step for step, _ in done.evaluations[:1]]
    assert len(steps) < 200  # it stopped inside the evaluation, not after it
    second = kind(seed=77, budget=3000)
    rest = train_online(
        second, Corridor(64), SETTINGS, checkpoint=file, resume=True, report=lambda *told: seen.append(told)
    )
    assert rest.finished
    assert rest.evaluations == done.evaluations
    assert seen == reports  # the round before the evaluation is told once, with it
    assert torch.equal(weights(second), weights(whole))


def test_a_run_stopped_in_its_last_evaluation_is_not_finished(tmp_path):
    def pause():
        if training.steps >= 100:
            raise KeyboardInterrupt

    training, file = pqn(budget=100), tmp_path / "run.pt"
    part = train_online(training, Corridor(4), OnlineSettings(50, 4), checkpoint=file, pause=pause)
    assert not part.finished
    rest = train_online(pqn(budget=100), Corridor(4), OnlineSettings(50, 4), checkpoint=file, resume=True)
    assert rest.finished
    assert len(rest.evaluations) == 1


def test_a_report_that_gives_false_ends_the_training():
    told = []
    done = train_online(
        pqn(), Corridor(64), SETTINGS, report=lambda *round_: len(told.append(round_) or told) < 3
    )
    assert not done.finished
    assert len(told) == 3
