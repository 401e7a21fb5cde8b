"""History: what goes in comes out, as often as its priority says, and again after a resume."""

import pytest
import torch
from safetensors.torch import save_file

from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.transitions import GENERATED, REAL, Transitions


def new(capacity=32, seed=0, num_envs=2, **settings):
    settings = HistorySettings(capacity=capacity, **settings)
    return History(settings, num_envs, num_actions=3, generator=torch.Generator().manual_seed(seed))


def numbered(count, first=0, **changes):
    """Transitions whose reward is their number."""
    number = torch.arange(first, first + count)
    fields = {
        "observation": {"pixels": (number[:, None, None] % 256).to(torch.uint8).expand(-1, 2, 2)},
        "action": number % 3,
        "reward": number.float(),
        "discount": torch.full((count,), 0.9),
        "next_observation": {"pixels": ((number[:, None, None] + 1) % 256).to(torch.uint8).expand(-1, 2, 2)},
        "next_mask": torch.ones(count, 3, dtype=torch.bool),
        "provenance": torch.full((count,), REAL, dtype=torch.uint8),
        "tau": torch.ones(count),
    }
    return Transitions(**(fields | changes))


def step(history, t, done=False):
    envs = history.num_envs
    history.append(
        {"pixels": torch.full((envs, 2, 2), t, dtype=torch.uint8), "half": torch.full((envs,), t).half()},
        torch.full((envs,), t % 3),
        Step(
            {},
            torch.full((envs,), float(t)),
            torch.full((envs,), done),
            torch.zeros(envs, dtype=torch.bool),
            {
                "pixels": torch.full((envs, 2, 2), t + 1, dtype=torch.uint8),
                "half": torch.full((envs,), t + 1).half(),
            },
            torch.ones(envs, 3, dtype=torch.bool),
        ),
    )


def test_observations_keep_their_dtype_and_value():
    history = new(n_step=1)
    step(history, 7)
    batch = history.sample(4)
    assert batch.observation["pixels"].dtype == torch.uint8
    assert batch.observation["half"].dtype == torch.float16
    assert batch.observation["pixels"].eq(7).all()
    assert batch.next_observation["pixels"].eq(8).all()
    assert batch.provenance.eq(REAL).all()
    assert batch.tau.eq(1).all()
    assert batch.next_mask.all()


def test_the_oldest_are_overwritten():
    history = new(capacity=5)
    history.add(numbered(3))
    assert history.recent(10).reward.tolist() == [0, 1, 2]
    history.add(numbered(4, first=3))
    assert len(history) == 5
    assert history.recent(5).reward.tolist() == [2, 3, 4, 5, 6]
    history.add(numbered(12, first=7))
    assert history.recent(5).reward.tolist() == [14, 15, 16, 17, 18]
    history.check_valid()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_sampling_frequency_is_proportional_to_priority(exponent):
    history = new(capacity=8, priority_exponent=exponent, priority_floor=0.5)
    history.add(numbered(8))
    error = torch.tensor([0.0, 1.0, -2.0, 3.0, 0.5, 8.0, 1.5, 4.0])
    history.update_priorities(torch.arange(8), error)
    expected = (error.abs() + 0.5).double() ** exponent
    expected /= expected.sum()
    batches = [history.sample(64, importance_exponent=0.7) for _ in range(500)]
    index = torch.cat([batch.index for batch in batches])
    frequency = torch.bincount(index, minlength=8) / len(index)
    # Stratified draws: the spread is well below that of independent ones, about 0.003.
    torch.testing.assert_close(frequency.double(), expected, atol=0.003, rtol=0)
    weight = (8 * expected) ** -0.7
    for batch in batches[:20]:
        want = weight[batch.index] / weight[batch.index].max()
        torch.testing.assert_close(batch.weight.double(), want, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("held", [7, 32, 40])
def test_even_priorities_draw_what_the_tree_would_draw(held):
    even, by_tree = new(), new()
    for history in (even, by_tree):
        history.add(numbered(held))
    # Away from 1 and back: from then on the tree is asked, and it holds the same.
    by_tree.set_priorities(torch.tensor([3]), torch.tensor([0.5], dtype=torch.float64))
    by_tree.set_priorities(torch.tensor([3]), torch.tensor([1.0], dtype=torch.float64))
    for batches in (1, 8):
        one, other = even.sample(64, batches=batches), by_tree.sample(64, batches=batches)
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.weight, other.weight)


def test_priorities_that_were_even_are_drawn_by_once_they_are_not(tmp_path):
    history = new(priority_exponent=0.0)
    history.add(numbered(4))
    history.update_priorities(torch.arange(4), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert history.priorities().tolist() == [1.0] * 4  # errors to the power of 0
    history.set_priorities(torch.arange(4), torch.tensor([1.0, 1e-9, 1e-9, 1e-9], dtype=torch.float64))
    assert history.sample(64).index.eq(0).all()
    history.save(tmp_path / "held")
    assert History.load(tmp_path / "held").sample(64).index.eq(0).all()
    history.update_priorities(torch.arange(4), torch.ones(4))
    assert history.priorities().tolist() == [1.0] * 4


def test_each_of_several_batches_is_spread_over_the_whole_history():
    history = new(capacity=64)
    history.add(numbered(64))
    drawn = history.sample(8, batches=3)
    assert len(drawn) == 24
    for batch in (drawn.rows(slice(k, k + 8)) for k in (0, 8, 16)):
        # One draw from each eighth of the history.
        assert (batch.index // 8).tolist() == list(range(8))
        assert torch.equal(batch.reward, batch.index.float())


def test_new_transitions_come_with_the_largest_priority_so_far():
    history = new(capacity=8, priority_exponent=1.0)
    history.add(numbered(4))
    history.update_priorities(torch.arange(4), torch.tensor([0.0, 0.0, 9.0, 0.0]))
    history.add(numbered(1, first=4))
    index = torch.cat([history.sample(50).index for _ in range(20)])
    count = torch.bincount(index, minlength=5)
    assert count[4] == pytest.approx(int(count[2]), abs=40)
    assert count[4] > 400


def test_generated_transitions_keep_provenance_and_tau():
    history = new()
    history.add(
        numbered(2, provenance=torch.tensor([0, 1], dtype=torch.uint8), tau=torch.tensor([1.0, 0.25]))
    )
    batch = history.recent(2)
    assert batch.provenance.tolist() == [REAL, GENERATED]
    assert batch.tau.tolist() == [1.0, 0.25]


def test_a_resumed_history_equals_the_uninterrupted_one(tmp_path):
    whole = new(capacity=20, seed=5)
    for t in range(9):
        step(whole, t, done=t == 4)
    whole.sample(6)
    whole.update_priorities(torch.arange(6), torch.linspace(0, 2, 6))
    whole.save(tmp_path / "history.safetensors")
    state = whole.state_dict()

    from_state = new(capacity=20, seed=99)
    from_state.load_state_dict(state)
    from_file = History.load(tmp_path / "history.safetensors")
    assert from_file.settings == whole.settings
    for t in range(9, 30):
        results = []
        for history in (whole, from_state, from_file):
            step(history, t, done=t % 7 == 0)
            batch = history.sample(5)
            history.update_priorities(batch.index, batch.reward - 10)
            results.append(batch)
        for other in results[1:]:
            assert torch.equal(results[0].index, other.index)
            assert torch.equal(results[0].reward, other.reward)
            assert torch.equal(results[0].weight, other.weight)
            assert torch.equal(results[0].observation["pixels"], other.observation["pixels"])
    assert list(tmp_path.iterdir()) == [tmp_path / "history.safetensors"]


def test_same_seed_same_samples():
    first, second, other = new(seed=1), new(seed=1), new(seed=2)
    for history in (first, second, other):
        history.add(numbered(30))
    draws = [torch.cat([history.sample(16).index for _ in range(5)]) for history in (first, second, other)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_bad_input_is_named(tmp_path):
    history = new()
    with pytest.raises(InputError, match="empty"):
        history.sample(1)
    history.add(numbered(3))
    with pytest.raises(InputError, match="observation/pixels"):
        history.add(numbered(3, observation={"pixels": torch.zeros(3, 2, 2)}))
    with pytest.raises(InputError, match="not finite"):
        history.update_priorities(torch.tensor([0]), torch.tensor([float("nan")]))
    zero = torch.zeros(3)
    with pytest.raises(InputError, match=r"action has shape \(3,\)"):
        history.append({}, zero.long(), Step({}, zero, zero.bool(), zero.bool(), {}, zero.bool()))
    with pytest.raises(FileError, match="nowhere"):
        History.load(tmp_path / "nowhere.safetensors")
    (tmp_path / "text").write_text("no history at all")
    with pytest.raises(FileError, match="cannot be read"):
        History.load(tmp_path / "text")
    save_file({"weight": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(FileError, match=r"of format .*give a file of History.save"):
        History.load(tmp_path / "weights.safetensors")
    with pytest.raises(FileError, match="cannot be written"):
        history.save(tmp_path / "text" / "history.safetensors")
    with pytest.raises(SettingsError, match="raise capacity"):
        new(capacity=2).load_state_dict(history.state_dict())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("action", torch.tensor([0, 3]), "actions out of range"),
        ("reward", torch.tensor([0.0, float("inf")]), "finite"),
        ("discount", torch.tensor([0.5, 1.5]), "discounts"),
        ("tau", torch.tensor([0.5, float("nan")]), "tau"),
        ("provenance", torch.tensor([0, 2], dtype=torch.uint8), "provenance"),
        ("next_mask", torch.ones(2, 4, dtype=torch.bool), "num_actions"),
    ],
)
def test_check_valid_says_what_is_wrong(name, value, message):
    history = new()
    history.add(numbered(2, **{name: value}))
    with pytest.raises(InputError, match=message):
        history.check_valid()


@pytest.mark.parametrize(
    "settings",
    [{"capacity": 0}, {"priority_exponent": 1.5}, {"importance_exponent": -1.0}, {"priority_floor": 0.0}],
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        HistorySettings(**settings)


def test_transitions_at_places_of_ones_own_choice():
    history = new(capacity=5)
    history.add(numbered(7))
    # The ring has gone round: 5 and 6 lie where 0 and 1 were.
    drawn = history.at(torch.tensor([1, 4, 1, 2]))
    assert drawn.reward.tolist() == [6, 4, 6, 2]
    assert drawn.index.tolist() == [1, 4, 1, 2]
    assert drawn.observation["pixels"][:, 0, 0].tolist() == [6, 4, 6, 2]
    assert drawn.next_observation["pixels"][:, 0, 0].tolist() == [7, 5, 7, 3]
    assert drawn.weight is None
    assert len(history.at(torch.zeros(0, dtype=torch.int64))) == 0


def test_places_where_nothing_is_are_refused():
    history = new(capacity=5)
    history.add(numbered(3))
    with pytest.raises(InputError, match="index runs from 0 to 3; there are 3"):
        history.at(torch.tensor([0, 3]))
    with pytest.raises(InputError, match="index runs from -1 to 2; there are 3"):
        history.at(torch.tensor([2, -1]))


def test_no_errors_change_no_priorities():
    history = new(capacity=5, priority_exponent=1.0)
    history.add(numbered(3))
    history.update_priorities(torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert history.priorities().tolist() == [1, 1, 1]


def test_of_an_empty_history_nothing_can_be_told():
    for ask in (
        lambda history: history.recent(3),
        lambda history: history.at(torch.zeros(0, dtype=torch.int64)),
    ):
        with pytest.raises(InputError, match="the history is empty"):
            ask(new())
