"""Rollouts in a world in closed form: what is added up, where they end, and who is let through."""

from types import SimpleNamespace

import pytest
import torch

from clairvoy.generative.transitions.learner import Made
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.transitions import GENERATED
from clairvoy.scenarios.world.generated_rollouts import RolloutSettings, _Steps, _to_the_end, roll_out
from clairvoy.scenarios.world.learnt_world import LearntWorld


def count_up(x, action):
    """From x to x + action; x is paid; it ends at 4."""
    return x + action, x, x + action >= 4


class FakeLearner:
    """Says what the world does, believes it as `logit` of the state says, and notes what it was asked."""

    device = torch.device("cpu")

    def __init__(self, world=count_up, logit=lambda x: torch.zeros_like(x)):
        self.world, self.logit, self.asked = world, logit, []
        self.outcomes = SimpleNamespace(
            encode_state=lambda state: state,
            decode=lambda state, said: (said[:, :1], said[:, 1], said[:, 2] > 0.5),
        )

    def make(self, state, action, noise=None):
        x = state[:, 0]
        then, reward, ended = self.world(x, action)
        self.asked.append((x.tolist(), action.tolist()))
        return Made(torch.stack([then, reward, ended.float()], dim=1), x, x, self.logit(x))


def sure(made):
    """Tau of a step from x: (9 - x) / 10."""
    return (9 - made.spread) / 10


def world_of(learner, tau, num_actions=3):
    spec = ObservationSpec((1,), torch.float32, 0.0, 99.0)
    return LearntWorld(learner, tau, {"at": spec}, num_actions, starts=None)


def rolled(states, learner=None, tau=sure, act=None, **changes):
    rng = changes.pop("rng", torch.Generator().manual_seed(0))
    settings = RolloutSettings(**{"gamma": 0.5, "horizon": 3, "gate": "open", "least_tau": 0.5} | changes)
    one = torch.tensor(states, dtype=torch.float32)[:, None]
    act = act or (lambda states, number: torch.ones(len(states), dtype=torch.int64))
    return roll_out(world_of(learner or FakeLearner(), tau), act, one, settings, rng)


def told(made):
    """(state, action, return, discount, last state, tau) of each transition, sorted."""
    t = made.transitions
    rows = torch.stack(
        [t.observation["at"][:, 0], t.action, t.reward, t.discount, t.next_observation["at"][:, 0], t.tau], 1
    )
    return sorted(tuple(round(value, 5) for value in row) for row in rows.tolist())


def test_rewards_are_added_up_to_where_a_rollout_ends():
    made = rolled([0, 2, 3])
    assert told(made) == [
        (0, 1, 0 + 0.5 * 1 + 0.25 * 2, 0.125, 3, 0.504),  # 0.9 * 0.8 * 0.7
        (1, 1, 1 + 0.5 * 2, 0.25, 3, 0.56),
        (2, 1, 2, 0.5, 3, 0.7),  # the third step of the first
        (2, 1, 2 + 0.5 * 3, 0, 4, 0.42),  # the first of the second; it ends at 4
        (3, 1, 3, 0, 4, 0.6),
        (3, 1, 3, 0, 4, 0.6),
    ]
    assert made.transitions.provenance.tolist() == [GENERATED] * 6
    assert made.transitions.next_mask.all()
    assert made.transitions.next_mask.shape == (6, 3)
    steps = [0.9, 0.8, 0.7, 0.7, 0.6, 0.6]  # tau of each step
    assert made.metrics == {
        "generated/transitions": 6,
        "generated/admitted": 1,
        "generated/length": 2,
        "generated/tau": pytest.approx(sum(steps) / 6),
    }


def test_one_step_is_a_transition_as_the_world_would_give_it():
    assert told(rolled([1, 3], horizon=1)) == [(1, 1, 1, 0.5, 2, 0.8), (3, 1, 3, 0, 4, 0.6)]


def test_the_agent_is_asked_anew_in_each_state_and_told_the_number_of_the_step():
    def act(states, number):
        numbers.append(number)
        return (states[:, 0] == 1).long() + 1

    numbers, learner = [], FakeLearner()
    made = rolled([0, 1], learner, act=act, horizon=2)
    assert numbers == [0, 1]
    assert learner.asked[0] == ([0, 1], [1, 2])
    assert learner.asked[1] == ([1, 3], [2, 1])
    assert told(made) == [
        (0, 1, 0 + 0.5 * 1, 0.25, 3, 0.72),
        (1, 2, 1, 0.5, 3, 0.8),
        (1, 2, 1 + 0.5 * 3, 0, 4, 0.48),
        (3, 1, 3, 0, 4, 0.6),
    ]


def test_no_step_is_made_when_all_have_ended():
    learner = FakeLearner()
    rolled([3, 3], learner, horizon=5)
    assert len(learner.asked) == 1


def test_the_open_gate_admits_everything_that_is_finite():
    disbelieved = FakeLearner(logit=lambda x: torch.full_like(x, -50.0))
    made = rolled([0, 1], disbelieved, tau=lambda made: torch.zeros(len(made.spread)), horizon=2)
    assert made.metrics["generated/admitted"] == 1
    assert len(made.transitions) == 4


@pytest.mark.parametrize(("least", "length"), [(0.71, 2), (0.73, 1)])
def test_a_rollout_is_trusted_by_the_product_of_its_steps(least, length):
    """Tau is 0.9 from 0, 0.8 from 1, 0.7 from 2, 0.6 from 3; the product of the first two is 0.72."""
    made = rolled([0, 1, 2, 3], gate="judged", least_tau=least, horizon=9)
    of_first = (
        [(0, 1, 0.5, 0.25, 2, 0.72), (1, 1, 1, 0.5, 2, 0.8)] if length == 2 else [(0, 1, 0, 0.5, 1, 0.9)]
    )
    assert told(made) == sorted([*of_first, (1, 1, 1, 0.5, 2, 0.8)])
    # The rollouts from 2 and from 3 never begin.
    assert made.metrics["generated/admitted"] == 0.5
    assert made.metrics["generated/length"] == (length + 1) / 2


def test_nothing_admitted_is_nothing_kept():
    made = rolled([2, 3], gate="judged", least_tau=0.8)
    assert made.transitions is None
    assert made.metrics["generated/admitted"] == made.metrics["generated/length"] == 0
    assert made.metrics["generated/tau"] == pytest.approx(0.65)


def test_judged_asks_tau_alone():
    """What the discriminator thinks is in the draw and in tau already; it must not count twice."""
    for logit in (50.0, -50.0):
        made = rolled(
            [0, 1], FakeLearner(logit=lambda x, logit=logit: x * 0 + logit), gate="judged", horizon=1
        )
        assert told(made) == [(0, 1, 0, 0.5, 1, 0.9), (1, 1, 1, 0.5, 2, 0.8)]


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_admits_as_many_but_any(seed):
    states = [k / 100 for k in range(400)]
    learner = FakeLearner()

    def admitted(gate):
        made = rolled(
            states, learner, gate=gate, horizon=1, rng=torch.Generator().manual_seed(seed), least_tau=0.8
        )
        return made.transitions, made.metrics["generated/admitted"]

    (judged, rate), (shuffled, same) = admitted("judged"), admitted("shuffled")
    assert rate == same == len(judged) / 400 == len(shuffled) / 400
    assert 0.1 < rate < 0.5
    assert bool((judged.tau >= 0.8).all())
    assert judged.observation["at"].mean() < 1
    # Those admitted by lot lie evenly over [0, 4): a mean of 2, with a standard error of about 0.1.
    assert shuffled.observation["at"].mean() == pytest.approx(2, abs=0.4)
    assert bool((shuffled.tau < 0.8).any())


@pytest.mark.parametrize("gate", ["open", "judged", "shuffled"])
def test_what_is_not_finite_is_dropped_and_takes_nobody_with_it(gate):
    def world(x, action):
        then, reward, ended = count_up(x, action)
        return torch.where(x == 1, torch.nan, then), torch.where(x == 2, torch.inf, reward), ended

    learner = FakeLearner(world, lambda x: torch.where(x == 1, torch.nan, 1.0))
    made = rolled(
        [1, 2, 3, 3, 3, 3], learner, lambda made: torch.where(made.spread == 1, torch.nan, 0.9), gate=gate
    )
    rows = told(made)
    assert set(rows) == {(3, 1, 3, 0, 4, 0.9)}
    # By lot the one who is not admitted may be any of them.
    assert len(rows) == 4 if gate != "shuffled" else len(rows) in (3, 4)
    assert made.metrics["generated/tau"] == pytest.approx(0.9 * 5 / 6)


def test_pictures_stay_what_they_are():
    learner = FakeLearner()
    learner.outcomes.decode = lambda state, said: (state.roll(1, 3), said[:, 1], said[:, 2] > 0.5)
    learner.make = lambda state, action, noise: Made(torch.zeros(len(state), 3), *torch.zeros(3, len(state)))
    planes = torch.eye(4, dtype=torch.bool).expand(2, 1, 4, 4)
    act = lambda states, number: torch.zeros(len(states), dtype=torch.int64)  # noqa: E731
    world = world_of(learner, lambda made: torch.ones(2), num_actions=2)
    made = roll_out(world, act, planes, RolloutSettings(1.0, 2, "open", 0.0), torch.Generator())
    t = made.transitions
    assert t.observation["at"].dtype == torch.bool
    for row in range(4):
        moved = 2 - int(t.observation["at"][row, 0, 0].int().argmax())
        assert torch.equal(t.next_observation["at"][row], t.observation["at"][row].roll(moved, 2))


def test_three_steps_by_hand():
    """Five rollouts: whole; ended in the second step; not admitted at the third, the second, and the first."""
    gamma = 0.5
    at = torch.tensor([[10.0, 20, 30, 40, 50], [11.0, 21, 31, 41, 50], [12.0, 22, 32, 41, 50]])
    reward = torch.tensor([[1.0, 2, 3, 4, 5], [10.0, 20, 30, 40, 50], [100.0, 200, 300, 400, 500]])
    tau = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5], [0.8, 0.9, 0.6, 0.1, 0.1], [0.95, 0.1, 0.1, 0.1, 0.1]])
    ended = torch.zeros(3, 5, dtype=torch.bool)
    ended[1, 1] = ended[2, 2] = ended[1, 3] = ended[0, 4] = True  # of these only the first was admitted
    admitted = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    last = torch.tensor([13.0, 22, 32, 41, 50])[:, None]
    steps = [
        _Steps(at[k][:, None], torch.full((5,), k), reward[k], ended[k], tau[k], admitted[k])
        for k in range(3)
    ]
    made = _to_the_end(steps, last, "at", 3, gamma)
    assert told(SimpleNamespace(transitions=made)) == [
        (10, 0, 1 + 0.5 * 10 + 0.25 * 100, 0.125, 13, 0.684),
        (11, 1, 10 + 0.5 * 100, 0.25, 13, 0.76),
        (12, 2, 100, 0.5, 13, 0.95),
        (20, 0, 2 + 0.5 * 20, 0, 22, 0.72),
        (21, 1, 20, 0, 22, 0.9),
        (30, 0, 3 + 0.5 * 30, 0.25, 32, 0.42),
        (31, 1, 30, 0.5, 32, 0.6),
        (40, 0, 4, 0.5, 41, 0.6),
    ]
    for step in range(3):
        steps[step] = steps[step]._replace(admitted=torch.zeros(5, dtype=torch.bool))
    assert _to_the_end(steps, last, "at", 3, gamma) is None
