"""Dreams beside the game: the same actions from the same state, to where an end is dreamed, and nothing is disturbed."""

from types import SimpleNamespace

import pytest
import torch
from test_world import same, whole_of

from clairvoy.generative.transitions.learner import Made
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.scenarios.world.dream import dream
from clairvoy.scenarios.world.learnt_world import LearntWorld


class Counting:
    """Two copies that count: the first begins at 0, and an action adds itself; it is over at 20, or cut at 9 steps."""

    num_envs, num_actions = 2, 3
    observation_specs: dict = {"at": ObservationSpec((1,), torch.float32, 0.0, 99.0)}  # noqa: RUF012

    def __init__(self, over=20.0, cut=9):
        self.over, self.cut = over, cut

    def reset(self, generator):
        self.at, self.steps = torch.tensor([0.0, 50.0]), 0
        return {"at": self.at[:, None]}

    def step(self, actions):
        self.at, self.steps = self.at + actions, self.steps + 1
        terminated = self.at >= torch.tensor([self.over, 999.0])
        final = self.at[:, None].clone()
        self.at = torch.where(terminated, -7.0, self.at)  # the next episode, which is no part of the dream
        truncated = torch.full((2,), self.steps >= self.cut) & ~terminated
        return Step(
            {"at": self.at[:, None]}, actions * 0.5, terminated, truncated, {"at": final}, self.action_mask()
        )

    def action_mask(self):
        return torch.ones(2, 3, dtype=torch.bool)


def scenario(dreamed_end=99.0, bad=None, tau=True):
    """An agent that alternates 1 and 2, and a generator that thinks every action adds twice as much."""
    asked = []

    def act(shown, mask):
        return 1 + (shown["at"][:, 0] % 3).long().clamp(max=1)

    def make(state, action, noise):
        asked.append((float(state[0]), int(action[0])))
        then = state[:, 0] + 2 * action
        if bad is not None and bool(then[0] >= bad):
            then = then * torch.nan
        return Made(torch.stack([then, -action.float(), (then >= dreamed_end).float()], 1), then, then, then)

    learner = SimpleNamespace(
        device=torch.device("cpu"), noise=torch.Generator(), make=make,
        outcomes=SimpleNamespace(encode_state=lambda s: s, decode=lambda s, o: (o[:, :1], o[:, 1], o[:, 2] > 0.5)),
    )  # fmt: skip

    class Tau:
        fitted = tau

        def __call__(self, made):
            return 1 / (1 + made.spread)

    made = SimpleNamespace(learner=learner, tau=Tau(), name="at", agent=SimpleNamespace(act_greedily=act))
    made.learnt_world = lambda noise: LearntWorld(
        learner, made.tau, Counting.observation_specs, 3, starts=None, noise=noise
    )
    return made, asked


def test_the_games_actions_are_dreamed_from_the_games_state():
    made, asked = scenario()
    seen = dream(made, Counting(), steps=4, begin=2, seed=0)
    # Played: 0, 1, 3, 4, 6, 7, 9: actions 1, 2, 1, 2, 1, 2.
    assert seen.game[:, 0].tolist() == [3, 4, 6, 7, 9]
    assert seen.rewards.tolist() == [0.5, 1, 0.5, 1]
    # The dream begins in 3, is told the same actions, and never how it went on.
    assert asked == [(3, 1), (5, 2), (9, 1), (11, 2)]
    assert seen.dream[:, 0].tolist() == [3, 5, 9, 11, 15]
    assert seen.dreamed_rewards.tolist() == [-1, -2, -1, -2]
    assert seen.tau.tolist() == pytest.approx([1 / 6, 1 / 10, 1 / 12, 1 / 16])
    assert (seen.begin, seen.ended, seen.dreamed_end) == (2, False, False)


def test_it_stops_where_an_end_is_dreamed():
    seen = dream(scenario(dreamed_end=9)[0], Counting(), steps=4, begin=2, seed=0)
    assert seen.dream[:, 0].tolist() == [3, 5, 9]
    assert len(seen.dreamed_rewards) == len(seen.tau) == 2
    assert (seen.dreamed_end, seen.ended) == (True, False)
    assert seen.game[:, 0].tolist() == [3, 4, 6, 7, 9]


def test_it_stops_where_no_number_is_dreamed():
    seen = dream(scenario(bad=9)[0], Counting(), steps=4, begin=2, seed=0)
    assert seen.dream[:, 0].tolist() == [3, 5]
    assert len(seen.dreamed_rewards) == len(seen.tau) == 1
    assert not seen.dreamed_end
    nothing = dream(scenario(bad=0)[0], Counting(), steps=4, begin=2, seed=0)
    assert nothing.dream[:, 0].tolist() == [3]
    assert len(nothing.dreamed_rewards) == len(nothing.tau) == 0


@pytest.mark.parametrize(
    ("environment", "begin", "want"),
    [
        (Counting(over=9.0), 3, [3, 4, 6, 7, 9]),  # over after six steps: as late as it can
        (Counting(cut=5), 3, [1, 3, 4, 6, 7]),
        (Counting(over=3.0), 10, [0, 1, 3]),  # shorter than the dream
    ],
)
def test_a_short_episode_is_dreamed_as_late_as_it_can_and_to_its_own_end(environment, begin, want):
    seen = dream(scenario()[0], environment, steps=4, begin=begin, seed=0)
    assert seen.game[:, 0].tolist() == want
    assert seen.ended
    assert len(seen.rewards) == len(want) - 1


def test_without_a_generator_or_a_calibration():
    made, _ = scenario(tau=False)
    assert dream(made, Counting(), steps=4, begin=0, seed=0).tau is None
    made.learner = None
    assert dream(made, Counting(), steps=4, begin=0, seed=0) is None


@pytest.fixture(params=["numbers", "bits", "frames"])
def learnt(request, learnt_worlds):
    return learnt_worlds(request.param)


def test_looking_changes_nothing_and_sees_the_same_twice(learnt):
    made, kind = learnt
    before, everywhere = [value.clone() for value in whole_of(made)], torch.get_rng_state()
    environment = made.environment.state_dict()
    one, two = (dream(made, kind(1), steps=6, begin=1, seed=3) for _ in range(2))
    assert same(before, whole_of(made))  # random states of rollouts and of the generators among them
    assert torch.equal(everywhere, torch.get_rng_state())
    assert same(environment.values(), made.environment.state_dict().values())
    assert torch.equal(one.dream, two.dream)
    assert torch.equal(one.game, two.game)
    assert torch.equal(one.dream[0], one.game[0])
    assert one.dream.dtype == one.game.dtype == kind(1).observation_specs["cell"].dtype
    assert 0 < len(one.dreamed_rewards) == len(one.dream) - 1 == len(one.tau) <= len(one.rewards)


def test_an_error_while_dreaming_leaves_the_noise_as_it_was(learnt, monkeypatch):
    made, kind = learnt
    noise, state = made.learner.noise, made.learner.noise.get_state()

    def fail(*args):
        raise RuntimeError("no dream")

    monkeypatch.setattr(made.learner, "make", fail)
    with pytest.raises(RuntimeError, match="no dream"):
        dream(made, kind(1), steps=6, begin=1, seed=3)
    assert made.learner.noise is noise
    assert torch.equal(noise.get_state(), state)
