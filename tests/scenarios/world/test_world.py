"""A world model in Q-learning: learns, resumes to the bit, and every arm of the ablation is what it says."""

import gymnasium
import pytest
import torch
from corridor import Corridor
from torch.nn.functional import one_hot

from clairvoy.cotraining.loop import Cotraining, CotrainSettings, Feedback, cotrain
from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.errors import SettingsError
from clairvoy.generative.transitions.learner import TransitionLearnerSettings, end_shift
from clairvoy.generative.transitions.vae import TransitionVAESettings
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.mixed_history import HELD_OUT
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.rollout import evaluate
from clairvoy.qlearning.transitions import GENERATED, REAL
from clairvoy.scenarios.world.scenario import WorldScenario
from clairvoy.scenarios.world.settings import WorldSettings

RHYTHM = {"warm_up": 8, "agent_batch": 32, "refresh_every": 10, "exploration": 0.4}
BUDGET = 60


class Planes(Corridor):
    """The corridor as planes of bits, 8 x 8: the cell is a column of the first."""

    spec = ObservationSpec((2, 8, 8), torch.bool, 0.0, 1.0)

    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.observation_specs = {"cell": self.spec}

    def _observation(self):
        column = one_hot(self.cell, 8).bool()[:, None, None, :].expand(-1, 1, 8, 8)
        return {"cell": torch.cat([column, torch.ones_like(column)], dim=1)}


class Frames(Planes):
    """The same as two frames of bytes, of which the second is the newest."""

    spec = ObservationSpec((2, 8, 8), torch.uint8, 0.0, 255.0)

    def _observation(self):
        return {"cell": super()._observation()["cell"].flip(1) * torch.tensor(200, dtype=torch.uint8)}


def world(environment=None, **changes):
    settings = {
        "rollouts": 32, "batch": 16, "generate_after": 20, "gamma": 0.95, "least_tau": 0.1,
        "least_events": 1, "least_worth": 0.0,
        "model": TransitionVAESettings(latent=2, width=32, channels=8),
        "learner": TransitionLearnerSettings(members=2, learning_rate=3e-3),
    }  # fmt: skip
    return WorldScenario(environment or Corridor(4), WorldSettings(**settings | changes))


def trained(scenario=None, feedback=None, seed=0, **more):
    rhythm = CotrainSettings(**RHYTHM, seed=seed, feedback=feedback or Feedback())
    return cotrain(scenario or world(), rhythm, **{"budget": BUDGET} | more).scenario


def agent_of(scenario):
    return [*scenario.agent.network.state_dict().values(), *scenario.agent.target.state_dict().values()]


def whole_of(scenario):
    """Everything that a run leaves: agent, generators, discriminator, scales, tau, histories."""
    learner, histories = scenario.learner, scenario.history
    return [
        *agent_of(scenario), *learner.members.state_dict().values(), *learner.discriminator.state_dict().values(),
        *learner.outcomes.state_dict().values(), scenario.tau.gap.weights, scenario.rng.get_state(),
        learner.noise.get_state(),
        *(value for part in (histories.real, histories.steps, histories.held_out, histories.generated)
          for value in part.state_dict().values()),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    """A run that is only looked at."""
    return trained()


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_it_learns_the_corridor_and_the_agent():
    scenario = world(rollouts=64, batch=32, generate_after=60)
    run = cotrain(scenario, CotrainSettings(**RHYTHM), budget=300)
    corridor = Corridor(64)
    corridor.reset(torch.Generator().manual_seed(5))
    played = evaluate(Corridor(64), scenario.agent.act_greedily, 64, torch.Generator().manual_seed(5))
    assert played.mean_return == pytest.approx(float(corridor.optimal_return(corridor.cell).mean()), abs=0.01)
    # The generator was right, knew it, and said so on steps that it had never seen.
    assert run.metrics["tau/gap"] < 0.15
    assert run.metrics["tau/off"] < 0.15
    assert run.metrics["generated/tau"] > 0.8
    # Whatever it met a few times, against the corridor itself.
    met = scenario.history.steps.recent(10**6)
    visits = torch.bincount(met.observation["cell"].argmax(dim=1) * 2 + met.action, minlength=16)
    pairs = (visits >= 10).nonzero()[:, 0].repeat(50)
    assert len(pairs) >= 50 * 6
    cells, actions = pairs // 2, pairs % 2
    state = one_hot(cells, 8).float()
    outcomes = scenario.learner.outcomes
    made = scenario.learner.make(outcomes.encode_state(state), actions)
    then, reward, ended = outcomes.decode(state, made.outcome)
    after = cells + 2 * actions - 1
    pay = (after == 7) * 1.0 + (after == 0) * 0.2 - 0.05
    assert (then.argmax(dim=1) == after).float().mean() > 0.97
    assert (reward - pay).abs().mean() < 0.1
    assert (ended == ((after == 0) | (after == 7))).float().mean() > 0.95


@pytest.mark.slow
def test_every_batch_has_generated_transitions_once_there_are_some(monkeypatch):
    monkeypatch.setattr("clairvoy.scenarios.world.scenario.worth", lambda *_: 0.75)
    scenario, rates = admitted()
    drawn = scenario.history.sample(20, batches=2)
    # One for each real one, times the part that the gate admitted last, times what that is worth.
    assert 0.1 < scenario.history.trust == 0.75 * rates[-1]
    made = round(20 * scenario.history.trust)
    assert (drawn.provenance == GENERATED).view(2, 20 + made).sum(dim=1).tolist() == [made] * 2
    made = scenario.history.generated.recent(10**6)
    # Judged: nothing below the least tau comes in, and the agent trusts it by as much.
    assert bool((made.tau >= scenario.settings.least_tau).all())
    assert bool((made.tau < 1).all())
    powers = torch.tensor([0.0, 0.95, 0.95**2, 0.95**3])
    assert bool(torch.isclose(made.discount[:, None], powers).any(dim=1).all())
    assert scenario.history.real.recent(10**6).provenance.eq(REAL).all()
    assert scenario.learner.update_count == 2 * (
        BUDGET - 3
    )  # begins with the fourth, at 16 steps of 4 environments


@pytest.mark.slow
@pytest.mark.parametrize("environment", [Corridor, Planes, Frames], ids=["numbers", "bits", "frames"])
def test_a_resumed_run_is_the_uninterrupted_one(environment, tmp_path):
    whole = trained(world(environment(4)))
    assert len(whole.history.generated) > 0

    def stop(update, metrics):
        if update == 45:
            raise KeyboardInterrupt

    file = tmp_path / "run.pt"
    half = trained(world(environment(4)), checkpoint=file, report=stop)
    assert len(half.history.generated) > 0
    assert not same(agent_of(half), agent_of(whole))
    # What counts comes from the file, not from the new scenario's own seed.
    resumed = trained(world(environment(4), seed=9), checkpoint=file, resume=True)
    assert same(whole_of(whole), whole_of(resumed))


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_and_another_another(reference):
    assert same(whole_of(reference), whole_of(trained()))
    assert not same(agent_of(reference), agent_of(trained(world(seed=1))))
    assert not same(agent_of(reference), agent_of(trained(seed=1)))


def test_resume_before_there_is_a_generator(reference, tmp_path):
    def stop(update, metrics):
        if update == 2:
            raise KeyboardInterrupt

    file = tmp_path / "run.pt"
    assert trained(checkpoint=file, report=stop).learner is None
    assert same(whole_of(reference), whole_of(trained(checkpoint=file, resume=True)))


@pytest.mark.slow
def test_train_online_drives_it_and_resumes_exactly(tmp_path):
    online = OnlineSettings(evaluate_every=80, episodes=16)

    def training():
        return Cotraining(world(), CotrainSettings(**RHYTHM), BUDGET)

    whole, reports = training(), []
    assert (whole.steps, whole.budget) == (0, 4 * BUDGET)
    done = train_online(whole, Corridor(16), online, report=lambda steps, told: reports.append(steps))
    assert done.finished
    assert reports == [4 * round for round in range(1, BUDGET + 1)]
    assert [steps for steps, _ in done.evaluations] == [80, 160, 240]
    assert done.best.score == max(value for _, value in done.evaluations)

    def stop(steps, told):
        if steps == 4 * 47:
            raise KeyboardInterrupt

    file = tmp_path / "run.pt"
    assert not train_online(training(), Corridor(16), online, checkpoint=file, report=stop).finished
    resumed = training()
    again = train_online(resumed, Corridor(16), online, checkpoint=file, resume=True)
    assert again.evaluations == done.evaluations
    assert same(whole_of(whole.scenario), whole_of(resumed.scenario))


def test_train_online_does_all_updates_also_where_the_agent_acts_in_few_of_them():
    loop = Cotraining(world(), CotrainSettings(**RHYTHM, act_every=4), 10)
    done = train_online(loop, Corridor(4), OnlineSettings(evaluate_every=4, episodes=4))
    assert done.finished
    assert (loop.update, loop.acted) == (10, 3)
    # After each time it acted, and at the end.
    assert [steps for steps, _ in done.evaluations] == [4, 8, 12, 12]


@pytest.mark.slow
def test_an_environment_that_cannot_tell_its_state_resumes_too(tmp_path):
    def cartpole():
        return world(FromGymnasium(gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync")))

    def stop(update, metrics):
        if update == 45:
            raise KeyboardInterrupt

    file, whole = tmp_path / "run.pt", trained(cartpole())
    trained(cartpole(), checkpoint=file, report=stop)
    assert same(whole_of(whole), whole_of(trained(cartpole(), checkpoint=file, resume=True)))
    assert len(whole.history.generated) > 0


def test_none_per_real_transition_is_q_learning_alone(reference):
    alone, off = trained(world(per_real=0.0)), trained(feedback=Feedback(generated_scenes=False))
    for scenario in (alone, off):
        assert scenario.learner is None
        assert len(scenario.history.generated) == 0
    assert same(agent_of(alone), agent_of(off))
    assert not same(agent_of(alone), agent_of(reference))


def test_a_gate_that_admits_nothing_leaves_the_agent_as_it_is_alone():
    """Bit for bit: a generator that is not believed can do no harm."""
    alone = trained(feedback=Feedback(generated_scenes=False))
    refused, rates = admitted(least_tau=1.0)
    assert rates == [0.0] * 3
    assert refused.learner.update_count > 0
    assert same(agent_of(refused), agent_of(alone))


def admitted(feedback=None, **changes):
    """Share admitted at each refresh."""
    rates = []
    scenario = trained(
        world(**changes),
        feedback,
        report=lambda update, told: (
            rates.append(told["generated/admitted"]) if "generated/admitted" in told else None
        ),
    )
    return scenario, rates


def test_without_the_gate_all_are_admitted():
    scenario, rates = admitted(Feedback(gate=False), least_tau=0.99)
    assert rates == [1.0] * len(rates)
    assert scenario.history.trust == 1
    assert len(rates) == 3  # at updates 40 to 60: 16 steps must have been held out
    assert bool((scenario.history.generated.recent(10**6).tau < 0.99).any())


@pytest.mark.slow
def test_the_gate_and_its_shuffled_control_admit_alike():
    judged, rates = admitted(horizon=1)
    shuffled, control = admitted(horizon=1, shuffled_gate=True)
    # The first refresh is that of the same models: as many, but others.
    assert control[0] == rates[0]
    assert 0 < rates[0] < 1
    assert bool((judged.history.generated.recent(10**6).tau >= 0.1).all())
    assert bool((shuffled.history.generated.recent(10**6).tau < 0.1).any())


def test_the_generator_learns_most_from_what_it_understands_least(reference):
    heard, deaf = reference, trained(feedback=Feedback(agent_to_generator=False))
    assert deaf.history.steps.priorities().unique().tolist() == [1]
    priority = heard.history.steps.priorities()
    assert float(priority.min()) >= 0.05
    assert float(priority.max()) <= 1.05
    assert len(priority.unique()) > 10
    assert not same(heard.learner.members.state_dict().values(), deaf.learner.members.state_dict().values())


def test_what_teaches_little_that_is_true_is_left_out_however_sure_tau_is(monkeypatch):
    """A generator that is sure, and whose TD errors say less about the real ones than they should."""
    monkeypatch.setattr("clairvoy.scenarios.world.scenario.worth", lambda *_: 0.49)
    useless, rates = admitted(least_tau=0.0, least_worth=0.5)
    assert rates == [1.0] * 3
    assert len(useless.history.generated) > 0
    assert same(agent_of(useless), agent_of(trained(feedback=Feedback(generated_scenes=False))))


def test_tau_is_told_on_steps_that_it_was_not_fitted_on():
    scenario = trained()
    histories, learner = scenario.history, scenario.learner
    assert scenario.fitted_on == histories.appended // HELD_OUT == 6
    assert "tau/off" not in scenario._calibrate(learner)  # nothing new since
    new = histories.held_out.recent(8)
    over = new.discount[:4] == 0
    for k in range(2 * HELD_OUT):  # two more steps of four environments are held out
        part = new.rows(slice(0, 4)) if k < HELD_OUT else new.rows(slice(4, 8))
        histories.append(
            part.observation,
            part.action,
            Step({}, part.reward + 3, over, over & False, part.next_observation, part.next_mask),
        )
    noise, before = learner.noise.get_state(), scenario.tau.state_dict()
    told = scenario._calibrate(learner)
    learner.noise.set_state(noise)
    scenario.tau.load_state_dict(before)
    held = histories.held_out.recent(1000)
    state, action, outcome = scenario._encoded(learner, held)
    made = learner.make(state, action)
    gap = learner.outcomes.gap(held.observation["cell"], made.outcome, outcome)
    assert gap[-8:].tolist() == [1] * 8  # rewards that never were: beyond the largest
    assert told["tau/gap"] == pytest.approx(float(gap.mean()))
    assert told["tau/off"] == pytest.approx(float(scenario.tau(made)[-8:].mean()), abs=1e-6)


def test_errors():
    class Two(Corridor):
        def __init__(self):
            super().__init__(2)
            self.observation_specs |= {"clock": ObservationSpec((1,), torch.float32, 0.0, 1.0)}

    with pytest.raises(
        SettingsError, match="the environment shows cell, clock; a generator of transitions takes one"
    ):
        WorldScenario(Two())
    with pytest.raises(SettingsError, match=r"per_real is -1\.0"):
        world(per_real=-1.0)
    for changes, text in (
        ({"horizon": 0}, r"horizon is 0; it must lie in \[1, 100\]"),
        ({"horizon": 101}, "horizon is 101"),
        ({"rollouts": 0}, "rollouts is 0; it must be at least 1"),
        ({"fresh": 0}, "fresh is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"generator_updates": 0}, "generator_updates is 0"),
        ({"least_tau": 1.5}, r"least_tau is 1\.5; it must lie in \[0, 1\]"),
        ({"least_worth": -0.1}, r"least_worth is -0\.1"),
        ({"exploration": -0.1}, r"exploration is -0\.1"),
        ({"surprising": 2}, "surprising is 2"),
        ({"surprising": 0.5, "ends": 0.5}, r"surprising is 0\.5 and ends 0\.5; something must be left"),
    ):
        with pytest.raises(SettingsError, match=text):
            WorldSettings(**changes)


@pytest.mark.slow
def test_nothing_is_made_up_before_something_has_happened():
    """Rewards other than the usual one, and ends; the corridor has both."""

    def made(least_events):
        scenario = trained(world(least_events=least_events), budget=120)
        return len(scenario.history.generated), scenario.met_events

    assert made(10_000) == (0, False)
    generated, met = made(1)
    assert generated > 0
    assert met


class Forbidding(Corridor):
    """One may not go left from the second cell."""

    def action_mask(self):
        mask = super().action_mask()
        mask[:, 0] = self.cell != 1
        return mask


def test_an_environment_that_forbids_actions_is_refused():
    with pytest.raises(SettingsError, match="the environment forbids actions in some states"):
        trained(world(Forbidding(4)))
    # Without anything made up nobody needs to know what is allowed there.
    scenario = trained(world(Forbidding(4)), Feedback(generated_scenes=False))
    met = scenario.history.real.recent(10**6)
    left_of_second = (met.observation["cell"][:, 1] == 1) & (met.action == 0)
    assert len(met) > 100
    assert not left_of_second.any()


@pytest.mark.slow
def test_a_batch_of_the_generator_is_never_of_ends_and_surprises_alone():
    scenario = trained(world(batch=1, ends=0.6, surprising=0.3))
    _, place = scenario._lesson(Feedback())
    assert len(place) == 1
    assert scenario.learner.end_shift == 0.0


def test_rollouts_begin_around_real_states():
    """By `widen` times what a step changes, each number for itself; and in real states where it is 0."""

    def starts(widen):
        environment = FromGymnasium(gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync"))
        scenario = trained(world(environment, widen=widen, rollouts=4000), budget=30)
        assert scenario.learner is not None
        scenario.rng.manual_seed(3)
        return scenario._starts(scenario.learner), scenario

    real, scenario = starts(0.0)
    seen = scenario.history.steps.recent(1000).observation["observation"]
    assert bool((real[:, None] == seen[None]).all(dim=2).any(dim=1).all())
    around, scenario = starts(2.0)
    step = scenario.learner.outcomes.kind.spread[:4]
    torch.testing.assert_close((around - real).std(dim=0), 2 * step, rtol=0.05, atol=0)
    with pytest.raises(SettingsError, match=r"widen is -1\.0; it must be at least 0"):
        WorldSettings(widen=-1.0)


def test_the_shift_of_odds_is_that_of_the_batch():
    """What is seen tells more or less of an end; the log odds in a batch and in the world differ by one number."""
    rate, share = 0.03, 0.25
    of_ends, of_others = torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0.1, 0.3, 0.6]).double()
    world_ends, world_others = rate * of_ends, (1 - rate) * of_others
    batch_ends = share * of_ends + (1 - share) * world_ends
    batch_others = (1 - share) * world_others
    shift = (batch_ends / batch_others).log() - (world_ends / world_others).log()
    assert end_shift(rate, share) == pytest.approx(shift.tolist()[0])
    assert shift.tolist() == pytest.approx([end_shift(rate, share)] * 3)
    assert end_shift(rate, 0.0) == 0


class Chance:
    """Eight points that the action pushes; chance alone ends one step in twenty."""

    num_envs, num_actions = 8, 2
    observation_specs: dict = {"at": ObservationSpec((1,), torch.float32, -9.0, 9.0)}  # noqa: RUF012

    def reset(self, generator):
        self.generator, self.at = generator, torch.zeros(8, 1)
        return {"at": self.at.clone()}

    def step(self, actions):
        self.at = 0.8 * self.at + (actions - 0.5)[:, None]
        over = torch.rand(8, generator=self.generator) < 0.05
        final = {"at": self.at.clone()}
        self.at = torch.where(over[:, None], torch.rand(8, 1, generator=self.generator) - 0.5, self.at)
        mask = self.action_mask()
        return Step({"at": self.at.clone()}, torch.zeros(8), over, torch.zeros_like(over), final, mask)

    def action_mask(self):
        return torch.ones(8, 2, dtype=torch.bool)


@pytest.mark.slow
def test_generated_steps_end_as_often_as_real_ones():
    """An eighth of the generator's batch are ends, and yet it makes them as seldom as they are."""
    scenario = trained(world(Chance(), surprising=0.0, batch=64), budget=130)
    learner, history = scenario.learner, scenario.history
    seen = history.steps.recent(10**6)
    assert history.end_rate == pytest.approx(float((seen.discount == 0).float().mean()), abs=1e-3)
    assert learner.end_shift == pytest.approx(end_shift(history.end_rate, 0.125))
    state = torch.linspace(-2, 2, 8000)[:, None]

    def ends():
        made = learner.make(learner.outcomes.encode_state(state), torch.arange(8000) % 2)
        return float(learner.outcomes.decode(state, made.outcome)[2].float().mean())

    assert ends() == pytest.approx(history.end_rate, abs=0.02)
    learner.end_shift = 0.0
    assert ends() > 0.12
