"""Actions from Q-values: masks, exploration frequencies, difficulty, look-ahead."""

import pytest
import torch

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.policy import epsilon_greedy, greedy, in_difficulty, linear_schedule, look_ahead

Q = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, -1.0]])


def test_greedy_takes_the_best_allowed():
    assert greedy(Q).tolist() == [1, 0]
    mask = torch.tensor([[True, False, True], [False, False, True]])
    assert greedy(Q, mask).tolist() == [2, 2]


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_exploration_frequencies(epsilon):
    rows = 60_000
    q = torch.tensor([[0.0, 5.0, 1.0, 9.0]]).expand(rows, 4)
    mask = torch.tensor([[True, True, True, False]]).expand(rows, 4)
    actions = epsilon_greedy(q, epsilon, mask, torch.Generator().manual_seed(0))
    frequency = torch.bincount(actions, minlength=4) / rows
    expected = torch.tensor([epsilon / 3, 1 - 2 * epsilon / 3, epsilon / 3, 0.0])
    torch.testing.assert_close(frequency, expected, atol=0.008, rtol=0)
    assert frequency[3] == 0


def test_epsilon_may_differ_between_rows():
    q = torch.tensor([[0.0, 1.0]]).expand(2000, 2)
    epsilon = torch.cat((torch.zeros(1000), torch.ones(1000)))
    actions = epsilon_greedy(q, epsilon, None, torch.Generator().manual_seed(0))
    assert actions[:1000].eq(1).all()
    assert 400 < actions[1000:].sum() < 600


def test_same_generator_same_actions_and_one_row_does_not_shift_another():
    q = torch.rand(50, 5, generator=torch.Generator().manual_seed(1))
    changed = q.clone()
    changed[0] = -q[0]
    runs = [epsilon_greedy(x, 0.5, None, torch.Generator().manual_seed(2)) for x in (q, q, changed)]
    assert torch.equal(runs[0], runs[1])
    assert torch.equal(runs[0][1:], runs[2][1:])


def test_difficulty_is_the_gap_of_the_best_two_allowed():
    assert in_difficulty(Q, None, 0.5).tolist() == [False, True]
    assert in_difficulty(Q, None, 1.5).tolist() == [True, True]
    assert in_difficulty(Q, None, 0.0).tolist() == [False, False]
    only_one = torch.tensor([[False, True, False], [True, False, True]])
    assert in_difficulty(Q, only_one, 1e9).tolist() == [False, True]
    assert in_difficulty(Q, only_one, 1.0).tolist() == [False, False]


def test_look_ahead_asks_tau_only_in_difficulty():
    tau = torch.tensor([[0.9, 0.0, 0.1], [0.1, 0.2, 0.9]])
    action, acted = look_ahead(Q, tau, None, margin=0.5)
    assert (action.tolist(), acted.tolist()) == ([1, 2], [False, True])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    action, acted = look_ahead(Q, tau, mask, margin=0.5)
    assert (action.tolist(), acted.tolist()) == ([1, 1], [False, True])


def test_schedule_is_a_line_and_then_constant():
    assert [linear_schedule(1.0, 0.2, 10, t) for t in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    with pytest.raises(SettingsError, match="duration"):
        linear_schedule(1.0, 0.0, 0, 1)


def test_bad_masks_are_named():
    with pytest.raises(InputError, match="forbids every action"):
        greedy(Q, torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(InputError, match="mask has shape"):
        greedy(Q, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(InputError, match="tau_of_action"):
        look_ahead(Q, torch.zeros(2, 2), None, 0.1)
