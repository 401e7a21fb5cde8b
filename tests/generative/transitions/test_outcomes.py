"""Outcomes: round trips, scales in closed form, gaps worked out by hand, and what is refused."""

import pytest
import torch

from clairvoy.errors import InputError
from clairvoy.generative.transitions.outcomes import Outcomes, are_stacked, sight_of

STATE = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
NEXT = torch.tensor([[1.0, 1.0], [1.0, 9.0]])
REWARD = torch.tensor([0.5, -2.0])
ENDED = torch.tensor([False, True])


def planes(*dots, count=1):
    """Grids (1, count, 2, 3), with bits set at (plane, row, column)."""
    grid = torch.zeros(1, count, 2, 3, dtype=torch.bool)
    for dot in dots:
        grid[(0, *dot)] = True
    return grid


def frames(rows, seed=0):
    return torch.randint(0, 256, (rows, 4, 16, 16), generator=torch.Generator().manual_seed(seed)).to(
        torch.uint8
    )


def test_sights():
    assert sight_of(torch.zeros(2, 3)) == "numbers"
    assert sight_of(torch.zeros(2, 3, 4, 4)) == "numbers"
    assert sight_of(torch.zeros(2, 3, 4, 4, dtype=torch.bool)) == "bits"
    assert sight_of(torch.zeros(2, 3, 4, 4, dtype=torch.uint8)) == "frames"
    for refused in (
        torch.zeros(2, 3, dtype=torch.bool),
        torch.zeros(2, 3, 4, dtype=torch.uint8),
        torch.zeros(2, 3).long(),
    ):
        with pytest.raises(InputError, match="give floating point numbers, bool planes"):
            sight_of(refused)


def test_numbers_are_told_in_units_of_what_was_seen():
    outcomes = Outcomes(STATE, NEXT, REWARD)
    # Changes are (1, 1) and (-1, 5): mean (0, 3), standard deviation (1, 2). The largest reward is 2.
    encoded = outcomes.encode(STATE, NEXT, REWARD, ENDED)
    torch.testing.assert_close(encoded, torch.tensor([[1.0, -1.0, 0.25, 0.0], [-1.0, 1.0, -1.0, 1.0]]))
    # States: mean (1, 2), standard deviation (1, 2).
    torch.testing.assert_close(outcomes.encode_state(STATE), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    then, reward, ended = outcomes.decode(STATE, encoded)
    torch.testing.assert_close(then, NEXT)
    torch.testing.assert_close(reward, REWARD)
    assert torch.equal(ended, ENDED)


def test_states_are_brought_back_to_what_was_seen():
    outcomes = Outcomes(STATE, NEXT, REWARD)
    outside = outcomes.encode_state(torch.tensor([[-9.0, 2.0], [1.0, 9.0]]))
    inside = outcomes.encode_state(torch.tensor([[0.0, 2.0], [1.0, 4.0]]))
    torch.testing.assert_close(outcomes.within(outside), inside)
    outcomes.fit(10 * STATE, NEXT, REWARD)
    assert torch.equal(outcomes.within(inside), inside)
    grid = planes((0, 0, 1)).expand(2, -1, -1, -1)
    grids = Outcomes(grid, grid, REWARD)
    assert torch.equal(grids.within(grids.encode_state(grid)), grids.encode_state(grid))


def test_scales_follow_what_is_fitted_anew():
    outcomes = Outcomes(STATE, NEXT, REWARD)
    outcomes.fit(10 * STATE, 10 * NEXT, 10 * REWARD)
    again = outcomes.encode(10 * STATE, 10 * NEXT, 10 * REWARD, ENDED)
    torch.testing.assert_close(again, Outcomes(STATE, NEXT, REWARD).encode(STATE, NEXT, REWARD, ENDED))
    torch.testing.assert_close(outcomes.encode_state(10 * STATE), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))


def test_what_never_varied_is_told_as_it_is():
    """A leg that never touched the ground, a reward that never came: their first time must not be a million."""
    state = torch.tensor([[0.0, 0.5], [0.0, 1.5]])
    outcomes = Outcomes(state, state + torch.tensor([0.0, 1.0]), torch.zeros(2))
    told = outcomes.encode(
        state[:1], state[:1] + torch.tensor([1.0, 1.0]), torch.ones(1), torch.zeros(1).bool()
    )
    assert told.tolist() == [[1.0, 0.0, 1.0, 0.0]]
    assert outcomes.encode_state(torch.tensor([[1.0, 1.0]])).tolist() == [[1.0, 0.0]]
    grids = Outcomes(planes().expand(2, -1, -1, -1), planes().expand(2, -1, -1, -1), torch.zeros(2))
    assert grids.encode(planes(), planes(), torch.ones(1), torch.zeros(1))[0, 0] == 1


def test_bits_come_back_exactly_behind_the_reward():
    draw = torch.Generator().manual_seed(0)
    state, then = (torch.rand(6, 2, 4, 5, generator=draw) < 0.4 for _ in range(2))
    reward, ended = torch.tensor([0.0, 1.0, -4.0, 0.0, 2.0, 1.0]), torch.arange(6) % 2 == 1
    outcomes = Outcomes(state, then, reward)
    encoded = outcomes.encode(state, then, reward, ended)
    # Numbers first: the reward, in units of the largest; then the planes; then the end.
    assert encoded.shape == (6, 1 + 40 + 1)
    assert torch.equal(encoded[:, 0], reward / 4)
    assert torch.equal(encoded[:, 1:-1], then.flatten(1).float())
    assert torch.equal(encoded[:, -1], ended.float())
    back = outcomes.decode(state, encoded)
    assert torch.equal(back[0], then)
    assert torch.equal(back[1], reward)
    assert torch.equal(back[2], ended)
    assert torch.equal(outcomes.encode_state(state), state.float())


def test_frames_come_back_exactly_with_the_newest_last():
    state = frames(3)
    newest = (
        torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(3, -1, -1, -1)
    )  # every value there is
    then = torch.cat([state[:, 1:], newest], dim=1)
    reward, ended = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([True, False, True])
    outcomes = Outcomes(state, then, reward)
    encoded = outcomes.encode(state, then, reward, ended)
    assert encoded.shape == (3, 256 + 2)
    torch.testing.assert_close(encoded[:, :256], torch.arange(256).div(255).expand(3, -1))
    assert encoded[:, 256].tolist() == [0.5, 0.0, 1.0]
    assert encoded[:, 257].tolist() == [1.0, 0.0, 1.0]
    back = outcomes.decode(state, encoded)
    assert torch.equal(back[0], then)
    assert torch.equal(back[1], reward)
    assert torch.equal(back[2], ended)
    # What a network says beyond black and white is black and white.
    beyond = outcomes.decode(state, encoded * 2 - 0.5)[0][:, -1].flatten(1).float()
    assert torch.equal(beyond, (torch.arange(256) / 255 * 2 - 0.5).clamp(0, 1).mul(255).round().expand(3, -1))
    torch.testing.assert_close(outcomes.encode_state(state), state.float() / 255)


def test_gap_of_numbers():
    outcomes = Outcomes(STATE, NEXT, REWARD)
    true = outcomes.encode(STATE, NEXT, REWARD, ENDED)

    def gap(*change):
        return outcomes.gap(STATE, true + torch.tensor(change), true).tolist()

    assert gap(0, 0, 0, 0) == [0, 0]
    assert gap(0.3, 0, 0, 0) == pytest.approx([0.3 / 2**0.5] * 2)
    assert gap(0.3, -0.4, 0.1, 0) == pytest.approx([0.125**0.5] * 2)
    assert gap(0.3, 0, -0.25, 0) == pytest.approx([0.25] * 2)  # the reward is worse than what is seen
    assert gap(9, 0, 0, 0) == [1, 1]
    assert gap(0, 0, 0, 1) == [1, 0]  # an end that was none; the second had ended


def test_gap_of_bits_is_a_distance_of_what_changed():
    before, moved = planes((0, 0, 0)), planes((0, 0, 1))
    outcomes = Outcomes(before.expand(2, -1, -1, -1), moved.expand(2, -1, -1, -1), torch.tensor([2.0, 0.0]))

    def encode(then, reward=0.0, ended=False):
        return outcomes.encode(before, then, torch.tensor([reward]), torch.tensor([ended]))

    def gap(then, reward=0.0, ended=False, truth=moved):
        return float(outcomes.gap(before, encode(then, reward, ended), encode(truth)))

    assert gap(moved) == 0
    assert gap(before) == 1  # said to stay: both bits that changed are wrong
    assert gap(planes((0, 1, 2))) == pytest.approx(2 / 3)  # moved elsewhere: two wrong of three touched
    assert gap(planes((0, 0, 1), (0, 1, 2))) == pytest.approx(1 / 3)  # one dot too many
    assert gap(planes((0, 0, 0), (0, 0, 1))) == pytest.approx(1 / 2)  # moved, and yet stayed
    assert gap(before, truth=before) == 0
    assert gap(moved, reward=0.5) == pytest.approx(0.25)  # a quarter of the largest reward
    assert gap(moved, reward=-2.0) == 1
    assert gap(moved, ended=True) == 1


def test_gap_of_frames_is_error_as_a_part_of_error_and_change():
    state = torch.full((2, 4, 16, 16), 51, dtype=torch.uint8)  # 0.2
    then = torch.cat([state[:, 1:], torch.full((2, 1, 16, 16), 102, dtype=torch.uint8)], dim=1)  # 0.4
    outcomes = Outcomes(state, then, torch.tensor([1.0, 0.0]))
    true = outcomes.encode(state, then, torch.zeros(2), torch.zeros(2).bool())
    said = true.clone()
    assert outcomes.gap(state, said, true).tolist() == [0, 0]
    said[:, :256] -= 0.1
    assert outcomes.gap(state, said, true).tolist() == pytest.approx([0.1 / 0.301] * 2, rel=1e-5)
    said[0, 256] += 0.6
    assert outcomes.gap(state, said, true).tolist() == pytest.approx([0.6, 0.1 / 0.301], rel=1e-5)
    said[1, 257] = 1
    assert outcomes.gap(state, said, true).tolist() == pytest.approx([0.6, 1], rel=1e-5)


def test_frames_are_drawn_as_their_means():
    state = frames(2)
    outcomes = Outcomes(state, state, torch.tensor([1.0, 0.0]))
    outputs = torch.rand(2, 258)
    outputs[:, -1] = torch.tensor([20.0, -20.0])
    drawn = outcomes.draw(outputs, torch.Generator().manual_seed(0))
    assert torch.equal(drawn[:, :256], outputs[:, :256])
    assert drawn[:, 257].round().tolist() == [1, 0]
    assert not torch.equal(drawn[:, 256], outputs[:, 256])  # the reward has its noise


def test_states_of_another_shape_are_refused():
    outcomes = Outcomes(STATE, NEXT, REWARD)
    with pytest.raises(InputError, match=r"states are \(3,\); this generator knows \(2,\)"):
        outcomes.encode_state(torch.zeros(5, 3))
    with pytest.raises(InputError, match=r"rows are \(5,\)"):
        outcomes.encode(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1), torch.zeros(1))
    with pytest.raises(InputError, match="at least 2 rows"):
        Outcomes(STATE[:1], NEXT[:1], REWARD[:1])


def test_of_a_picture_in_colours_all_channels_are_predicted_and_of_stacked_frames_the_newest():
    rng = torch.Generator().manual_seed(0)
    film = torch.randint(0, 256, (8, 5, 4, 4), generator=rng).to(torch.uint8)
    stack, stack_then = film[:, :3], film[:, 1:4]  # each frame is the one before at the next step
    picture, then = film[:, :3], film[:, 2:5]
    reward, ended = torch.arange(8.0), torch.zeros(8, dtype=torch.bool)
    frames, colours = (
        Outcomes(seen, after, reward, are_stacked(seen, after))
        for seen, after in ((stack, stack_then), (picture, then))
    )
    assert (frames.stacked, frames.predicted, colours.stacked, colours.predicted) == (
        True, (1, 4, 4), False, (3, 4, 4)
    )  # fmt: skip
    for outcomes, seen, after in ((frames, stack, stack_then), (colours, picture, then)):
        back, paid, over = outcomes.decode(seen, outcomes.encode(seen, after, reward, ended))
        assert torch.equal(back, after)
        torch.testing.assert_close(paid, reward)
        assert not bool(over.any())
        assert float(outcomes.gap(seen, *[outcomes.encode(seen, after, reward, ended)] * 2).max()) == 0


def test_distance_is_told_in_units_of_the_noise_and_reaches_the_outcome_alone():
    state = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    outcomes = Outcomes(state, 2 * state, torch.tensor([1.0, -1.0]))
    with torch.no_grad():
        outcomes.kind.log_scale.copy_(torch.tensor([1.0, 0.5, 0.25]).log())
    outcome = torch.tensor([[1.0, 1.0, 1.0, 1.0]], requires_grad=True)
    expected = torch.tensor([[0.5, 1.25, -9.0, 0.75]], requires_grad=True)
    told = outcomes.distance(outcome, expected)
    torch.testing.assert_close(told, torch.tensor([[0.5, -0.5, 5.0, 0.25]]))
    told.sum().backward()
    assert outcome.grad.tolist() == [[1, 2, 0, 1]]  # beyond five units nothing is told apart
    assert expected.grad is None
    assert outcomes.kind.log_scale.grad is None
