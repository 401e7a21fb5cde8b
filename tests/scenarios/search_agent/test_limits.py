"""What is missing, parted into budget, path and belief: on toys whose figures can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.errors import InputError
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.search_agent.baselines import oracle
from clairvoy.scenarios.search_agent.limits import Shares, led_by_truth, true_beliefs, walk
from clairvoy.searching.glimpse import DOWN, LEFT, RIGHT, STAY

HAZY = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]], dtype=torch.bool)
"""An episode begins at row 2, column 2."""
AREA = HAZY * torch.tensor([[1.0], [0.5], [1.0], [0.5]])
AREA[2, 2] = 0.3
"""That of a window which is not hazy as a whole counts for nothing."""


def scenes(hazy=HAZY):
    grid = hazy.shape
    return SceneSet.of(
        torch.zeros(1, *grid, 3, 32, 32, dtype=torch.uint8), hazy[None], torch.zeros(1, 4, *grid)
    )


def scripted(*actions):
    """Takes these actions, then leaves."""
    waiting = list(actions)

    def act(search, observation):
        left = not waiting
        return torch.tensor([STAY if left else waiting.pop(0)]), torch.tensor([left])

    return act


def ends(actions):
    return actions, torch.zeros(len(actions), dtype=torch.bool)


def led(says):
    def act(search, observation):
        return led_by_truth(search.position, search.memory, search.hazy, torch.full((1,), says))

    return act


def test_a_walk_counts_what_was_recognised_and_what_was_only_read():
    # A false alarm at the start; hazy (2, 3) recognised; (1, 3) clear, (1, 2) hazy and passed.
    way = walk(scenes(), AREA[None], scripted(STAY, RIGHT, STAY, 2, LEFT))
    assert way.restored.tolist() == [0.5]  # 1.0 of 0.5 + 1.0 + 0.5
    assert way.seen.tolist() == [0.75]
    assert way.read.tolist() == [4 / 16]
    assert way.false_alarms.tolist() == [1]


def test_a_walk_ends_with_its_budget():
    way = walk(scenes(), AREA[None], scripted(RIGHT, STAY, LEFT, LEFT, LEFT, DOWN, STAY), budget=0.25)
    assert way.read.tolist() == [0.25]  # (2, 2), (2, 3), (2, 1) and (2, 0); not (3, 0)
    assert way.restored.tolist() == [0.5]


def test_what_is_done_in_a_scene_after_it_was_left_does_not_count():
    two = scenes()
    two = SceneSet.of(
        two.windows.repeat(2, 1, 1, 1, 1, 1), two.hazy.repeat(2, 1, 1), two.beliefs.repeat(2, 1, 1, 1)
    )
    moves = [RIGHT, STAY]

    def one_stays_at_home(search, observation):
        over = not moves
        return torch.tensor([STAY if over else moves.pop(0)] * 2), torch.tensor([True, over])

    way = walk(two, AREA.repeat(2, 1, 1), one_stays_at_home)
    assert (way.restored.tolist(), way.read.tolist()) == ([0.0, 0.5], [1 / 16, 2 / 16])


def test_the_true_way_with_the_true_word_is_the_oracle_s():
    way = walk(scenes(), AREA[None], led(True))
    perfect = walk(scenes(), AREA[None], lambda s, o: ends(oracle(s.position, s.memory, s.hazy)))
    assert way.restored.tolist() == perfect.restored.tolist() == [1.0]
    # Led, it recognises all that it stands on; the way is the same.
    assert way.read.tolist() == perfect.read.tolist()


def test_the_true_way_of_somebody_who_says_nothing_sees_all_haze_once_and_ends():
    way = walk(scenes(), AREA[None], led(False))
    assert (way.restored.tolist(), way.seen.tolist(), way.false_alarms.tolist()) == ([0.0], [1.0], [0])


def test_a_scene_without_haze_is_refused():
    with pytest.raises(InputError, match="no hazy area"):
        walk(scenes(torch.zeros_like(HAZY)), AREA[None], led(True))


@pytest.mark.parametrize(
    ("restored", "seen", "led", "oracle", "path", "belief"),
    [
        (0.3, 0.9, 0.3, 0.9, 0.0, 0.6),  # it goes the oracle's way, and does not recognise what it sees
        (0.3, 0.3, 0.9, 0.9, 0.6, 0.0),  # it recognises all that it sees, and goes the wrong way
        (0.2, 0.4, 0.5, 0.8, 0.35, 0.25),
    ],
)
def test_what_is_missing_is_path_or_belief_or_both(restored, seen, led, oracle, path, belief):
    shares = Shares.of(*(np.asarray(value) for value in (restored, seen, led, oracle)))
    assert shares.path == pytest.approx(path)
    assert shares.belief == pytest.approx(belief)
    assert shares.budget == pytest.approx(1 - oracle)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_the_shares_are_all_that_is_missing(figures):
    shares = Shares.of(*map(np.asarray, figures))
    assert shares.budget + shares.path + shares.belief == pytest.approx(1 - figures[0])


def test_true_beliefs_know_the_haze_and_keep_what_goes_with_it():
    beliefs = torch.tensor([[0.1, 0.9], [0.2, 0.6]])
    # Spread, clearness and tau tell which window they come from.
    others = torch.arange(4).view(2, 2) / 10
    given_ = torch.stack((beliefs, others, others, others))[None]
    lost = torch.tensor([[[0.85, 0.0], [0.5, 0.14]]])
    true = true_beliefs(given_, lost)
    assert torch.equal(true[:, 0], lost)
    assert true[0, 1].flatten().tolist() == pytest.approx([0.1, 0.0, 0.3, 0.0])
    assert torch.equal(given_[0, 0], beliefs)


def test_true_beliefs_of_a_single_window():
    assert true_beliefs(torch.full((1, 4, 1, 1), 0.5), torch.full((1, 1, 1), 0.2)).flatten().tolist() == (
        pytest.approx([0.2, 0.5, 0.5, 0.5])
    )
