"""Two kinds of history in every batch: counts exact, priorities kept apart, what is held out never learnt from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.dqn import DQN, learn_from_history
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.mixed_history import HELD_OUT, MixedHistory
from clairvoy.qlearning.transitions import GENERATED, REAL, Transitions


def history(seed, n_step=1, exponent=1.0, capacity=200):
    made = HistorySettings(capacity, n_step, 0.9, exponent, priority_floor=1e-6)
    return History(made, 2, 3, torch.Generator().manual_seed(seed))


def mixed(per_real=1.0, n_step=1):
    return MixedHistory(history(1, n_step), history(2), history(3), history(4), per_real)


def dreams(count, first=1000):
    """Generated transitions; the reward is their number."""
    number = torch.arange(first, first + count).float()
    return Transitions(
        {"at": number[:, None]}, torch.zeros(count, dtype=torch.int64), number, torch.full((count,), 0.9),
        {"at": number[:, None] + 1}, torch.ones(count, 3, dtype=torch.bool),
        torch.full((count,), GENERATED, dtype=torch.uint8), torch.full((count,), 0.25),
    )  # fmt: skip


def live(both, steps, first=0):
    """Steps of two environments; the reward is the number of the step, times 2, plus that of the environment."""
    for step in range(first, first + steps):
        number = torch.tensor([2.0 * step, 2.0 * step + 1])
        over = torch.zeros(2, dtype=torch.bool)
        both.append(
            {"at": number[:, None]},
            torch.tensor([0, 1]),
            Step({}, number, over, over, {"at": number[:, None] + 2}, torch.ones(2, 3, dtype=torch.bool)),
        )


def test_every_tenth_step_is_held_out():
    both = mixed()
    live(both, 3 * HELD_OUT + 2)
    held = both.held_out.recent(100).reward.tolist()
    assert held == [18, 19, 38, 39, 58, 59]
    steps = both.steps.recent(100).reward.tolist()
    assert not set(held) & set(steps)
    assert sorted(held + steps) == both.real.recent(100).reward.tolist() == list(range(64))
    assert len(both) == 64


def test_the_agents_transitions_may_have_several_steps():
    both = mixed(n_step=3)
    live(both, 5)
    assert both.real.recent(2).reward.tolist() == pytest.approx(
        [4 + 0.9 * 6 + 0.81 * 8, 5 + 0.9 * 7 + 0.81 * 9]
    )
    assert both.steps.recent(2).reward.tolist() == [8, 9]
    assert both.real.recent(2).discount.tolist() == pytest.approx([0.729] * 2)


@pytest.mark.parametrize(("offered", "trust"), [(0, 1.0), (30, 0.0)])
def test_where_nothing_is_offered_or_trusted_the_draws_are_those_of_real_steps_alone(offered, trust):
    """The same numbers in the same order: so what a gate refuses costs the agent nothing."""
    both, alone = mixed(3.0), mixed(0.0)
    for one in (both, alone):
        live(one, 4)
    if offered:
        both.generated.add(dreams(offered))
    both.trust = trust
    for _ in range(3):
        drawn, expected = both.sample(8, batches=2), alone.sample(8, batches=2)
        assert len(drawn) == 16
        assert drawn.provenance.eq(REAL).all()
        assert torch.equal(drawn.index, expected.index)
        assert torch.equal(drawn.weight, expected.weight)


@settings(max_examples=60, deadline=None)
@given(per_real=st.floats(0, 4), size=st.integers(1, 40), batches=st.integers(1, 5), count=st.integers(1, 60))
def test_both_kinds_are_counted_exactly_in_every_batch(per_real, size, batches, count):
    both = mixed(per_real)
    live(both, 7)
    both.generated.add(dreams(count))
    drawn = both.sample(size, batches=batches)
    want = round(per_real * size)
    whole = size + want
    assert len(drawn) == whole * batches
    for k in range(0, whole * batches, whole):
        batch = drawn.rows(slice(k, k + whole))
        made = batch.provenance == GENERATED
        assert int(made.sum()) == want
        assert torch.equal(batch.index < 0, made)
        # The index leads back to where it came from.
        assert torch.equal(both.real.at(batch.index[~made]).reward, batch.reward[~made])
        assert torch.equal(both.generated.at(-1 - batch.index[made]).reward, batch.reward[made])
        assert torch.equal(batch.observation["at"][:, 0], batch.reward)
        assert torch.equal(batch.tau, torch.where(made, 0.25, 1.0))
        assert batch.weight is not None


@pytest.mark.parametrize(("trust", "made"), [(1.0, 10), (0.25, 2), (0.0, 0)])
def test_what_is_trusted_less_takes_less_of_a_batch_and_the_real_part_stays(trust, made):
    both = mixed(0.5)
    live(both, 30)
    both.generated.add(dreams(50))
    both.trust = trust
    drawn = both.sample(20, batches=3)
    assert len(drawn) == 3 * (20 + made)
    assert (drawn.provenance == GENERATED).view(3, -1).sum(dim=1).tolist() == [made] * 3
    again = mixed(0.5)
    again.load_state_dict(both.state_dict())
    assert again.trust == trust


def test_an_agent_learns_from_batches_that_are_larger_than_asked_for():
    """To 20 real ones 10 generated at most; one in five of these is trusted: five updates of 22."""
    both = mixed(0.5)
    live(both, 30)
    both.generated.add(dreams(50))
    both.trust = 0.2
    agent, sizes = DQN(_Linear()), []
    learns = agent.descend
    agent.descend = lambda *batch: sizes.append(len(batch[1])) or learns(*batch)
    learn_from_history(agent, both, updates=5, batch_size=20, draw_ahead=3)
    assert sizes == [22] * 5


class _Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 3)

    def forward(self, observation):
        return self.layer(observation["at"])


def test_priorities_reach_the_history_they_belong_to():
    both = mixed()
    live(both, 2)  # 0 to 3
    both.generated.add(dreams(3))
    both.update_priorities(torch.tensor([2, -1, 0, -3]), torch.tensor([5.0, 7.0, 0.5, -9.0]))
    # The exponent is 1: a priority is the size of the error, and 1 where there was none.
    assert both.real.priorities().tolist() == pytest.approx([0.5, 1, 5, 1], rel=1e-4)
    assert both.generated.priorities().tolist() == pytest.approx([7, 1, 9], rel=1e-4)
    assert both.steps.priorities().tolist() == [1] * 4
    both.update_priorities(torch.tensor([1, 3]), torch.tensor([2.0, 3.0]))  # none of them generated
    assert both.real.priorities().tolist() == pytest.approx([0.5, 2, 5, 3], rel=1e-4)
    both.update_priorities(torch.tensor([-2]), torch.tensor([4.0]))  # all of them
    assert both.generated.priorities().tolist() == pytest.approx([7, 4, 9], rel=1e-4)


def test_each_kind_is_drawn_by_its_own_priority():
    both = mixed()
    live(both, 2)
    both.generated.add(dreams(4))
    both.update_priorities(
        torch.tensor([0, 1, 2, 3, -1, -2, -3, -4]), torch.tensor([1, 3, 1, 3, 6, 2, 6, 2.0])
    )
    drawn = both.sample(400)
    real = torch.bincount(drawn.index[drawn.index >= 0], minlength=4)
    made = torch.bincount(-1 - drawn.index[drawn.index < 0], minlength=4)
    assert real.tolist() == pytest.approx([50, 150, 50, 150], abs=2)  # stratified: hardly any chance is left
    assert made.tolist() == pytest.approx([150, 50, 150, 50], abs=2)


def test_ends_of_episodes_are_kept_apart_too():
    both, again = mixed(), mixed()
    for step in range(12):
        number = torch.tensor([2.0 * step, 2.0 * step + 1])
        over = torch.tensor([step % 3 == 0, step == 9])  # the tenth step, 9, is held out
        cut = torch.tensor([False, step == 4])  # a truncated episode is not an end
        seen = {"at": number[:, None]}
        mask = torch.ones(2, 3, dtype=torch.bool)
        both.append(
            seen, torch.tensor([0, 1]), Step({}, number, over, cut, {"at": number[:, None] + 2}, mask)
        )
    assert both.ends.recent(100).reward.tolist() == [0, 6, 12]
    assert both.ends.recent(100).discount.tolist() == [0, 0, 0]
    again.load_state_dict(both.state_dict())
    assert again.ends.recent(100).reward.tolist() == [0, 6, 12]


@pytest.mark.parametrize("saved", [{"per_real": 0.5}, {}])
def test_a_history_that_mixes_in_another_way_is_not_gone_on_with(saved):
    """That of an older version does not say how it mixed."""
    both = mixed(1.0)
    live(both, 3)
    state = {name: value for name, value in both.state_dict().items() if name != "per_real"} | saved
    with pytest.raises(
        SettingsError, match=r"per_real is 1\.0, and the history saved has (0\.5|None); resume with"
    ):
        mixed(1.0).load_state_dict(state)


def test_a_resumed_history_draws_the_same():
    both, again = mixed(0.3, n_step=2), mixed(0.3, n_step=2)
    live(both, 13)
    both.generated.add(dreams(9))
    both.sample(10)
    again.load_state_dict(both.state_dict())
    for one in (both, again):
        live(one, 8, first=13)  # the next to be held out is the 20th, in both
    assert again.held_out.recent(9).reward.tolist() == [18, 19, 38, 39]
    first, second = both.sample(10, batches=2), again.sample(10, batches=2)
    assert torch.equal(first.reward, second.reward)
    assert torch.equal(first.index, second.index)
    assert torch.equal(first.weight, second.weight)


def test_unfinished_steps_are_dropped_in_all():
    both = mixed(n_step=3)
    live(both, 2)
    assert len(both) == 0
    both.drop_unfinished()
    live(both, 1, first=2)
    assert len(both) == 0  # what waited is gone: only one of three rewards is there
    live(both, 2, first=3)
    assert both.real.recent(2).observation["at"][:, 0].tolist() == [4, 5]


def test_errors():
    for per_real in (-0.1, float("inf"), float("nan")):
        with pytest.raises(SettingsError, match=f"per_real is {per_real}"):
            mixed(per_real)
    with pytest.raises(SettingsError, match="n_step of steps and held_out must be 1"):
        MixedHistory(history(1), history(2, n_step=2), history(3), history(4), 0.5)
    with pytest.raises(SettingsError, match="n_step of steps and held_out must be 1"):
        MixedHistory(history(1), history(2), history(3, n_step=2), history(4), 0.5)
    with pytest.raises(InputError, match="the history is empty"):
        mixed().sample(4)
