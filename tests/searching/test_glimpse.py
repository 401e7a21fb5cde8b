"""What an action does and what the agent sees, against a scalar loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import InputError
from clairvoy.searching import glimpse
from clairvoy.searching.glimpse import CROP, DOWN, LEFT, RIGHT, STAY, UP, Memory


def test_actions_are_numbered_as_agreed():
    assert (RIGHT, LEFT, UP, DOWN, STAY) == (0, 1, 2, 3, 4)


def test_every_action_from_the_middle_and_against_every_wall():
    actions = torch.tensor([RIGHT, LEFT, UP, DOWN, STAY])
    middle = torch.tensor([[1, 1]]).repeat(5, 1)
    reached, hit = glimpse.move(middle, actions, rows=3, cols=3)
    assert reached.tolist() == [[1, 2], [1, 0], [0, 1], [2, 1], [1, 1]]
    assert not hit.any()
    assert middle.tolist() == [[1, 1]] * 5

    corners = torch.tensor([[2, 4], [0, 0], [0, 3], [2, 1], [2, 4]])
    reached, hit = glimpse.move(corners, actions, rows=3, cols=5)
    assert torch.equal(reached, corners)
    assert hit.tolist() == [True, True, True, True, False]


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 6))
def test_open_directions_are_those_that_hit_no_wall(data, rows, cols):
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    position = torch.tensor([[row, column]]).repeat(5, 1)
    _, hit = glimpse.move(position, torch.arange(5), rows, cols)
    assert torch.equal(glimpse.open_directions(position[:1], rows, cols)[0], ~hit)


@pytest.mark.parametrize("action", [-1, 5])
def test_an_unknown_action_is_named(action):
    with pytest.raises(InputError, match="RIGHT, LEFT, UP, DOWN, STAY"):
        glimpse.move(torch.zeros(1, 2, dtype=torch.int64), torch.tensor([action]), 2, 2)


def random_scene(scenes, rows, cols, seed):
    """A memory after some looks, the first scenes with a thumbnail and the others without."""
    generator = torch.Generator().manual_seed(seed)
    preview = torch.rand(scenes, 4, rows, cols, generator=generator)
    memory = Memory.empty(
        scenes, rows, cols, preview=preview, shown=torch.arange(scenes) < scenes // 2, like=torch.empty(0)
    )
    for _ in range(rows * cols // 2):
        place = torch.stack([torch.randint(n, (scenes,), generator=generator) for n in (rows, cols)], dim=1)
        glimpse.remember(memory, place, torch.rand(scenes, 4, generator=generator))
    memory.recognised[:] = torch.rand(scenes, rows, cols, generator=generator) < 0.3
    windows = torch.randint(0, 256, (scenes, rows, cols, 3, 32, 32), dtype=torch.uint8, generator=generator)
    beliefs = torch.rand(scenes, 4, rows, cols, generator=generator)
    position = torch.stack([torch.randint(n, (scenes,), generator=generator) for n in (rows, cols)], dim=1)
    return windows, beliefs, memory, position, torch.rand(scenes, generator=generator)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 5), (12, 10), (1, 30)])
def test_observation_equals_a_loop_over_windows(rows, cols):
    windows, beliefs, memory, position, left = random_scene(4, rows, cols, seed=rows)
    before = (memory.visited.clone(), memory.recognised.clone(), memory.belief.clone())
    at = (torch.arange(4), position[:, 0], position[:, 1])
    seen = glimpse.observe_window(windows[at], beliefs[at[0], :, at[1], at[2]], memory, position, left)
    half, expected = CROP // 2, memory.expected()
    for n in range(4):
        row, column = position[n].tolist()
        assert torch.equal(seen["window"][n], windows[n, row, column])
        assert torch.equal(seen["belief"][n], beliefs[n, :, row, column])
        crop = torch.zeros(8, CROP, CROP)
        for y in range(CROP):
            for x in range(CROP):
                r, c = row + y - half, column + x - half
                if 0 <= r < rows and 0 <= c < cols:
                    known = [1.0, float(memory.visited[n, r, c]), float(memory.recognised[n, r, c])]
                    crop[:, y, x] = torch.tensor(
                        [*known, *memory.belief[n, :, r, c].tolist(), float(expected[n, r, c])]
                    )
        assert torch.equal(seen["memory"][n], crop)
        numbers = [
            row / (rows - 1) if rows > 1 else 0.0,
            column / (cols - 1) if cols > 1 else 0.0,
            float(memory.visited[n].float().mean()),
            float(memory.recognised[n].float().mean()),
            float(left[n]),
            float(memory.recognised[n, row, column]),
            float(n < 2),
            float(memory.prior[n, row, column]),
        ]
        torch.testing.assert_close(seen["position"][n], torch.tensor(numbers))
    assert seen["window"].dtype == torch.uint8
    for was, now in zip(before, (memory.visited, memory.recognised, memory.belief), strict=True):
        assert torch.equal(was, now)


def test_looking_changes_one_window_of_each_memory():
    memory = Memory.empty(2, 3, 3, like=torch.empty(0))
    position = torch.tensor([[0, 1], [2, 2]])
    belief = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]])
    glimpse.remember(memory, position, belief)
    assert memory.visited.nonzero().tolist() == [[0, 0, 1], [1, 2, 2]]
    assert not memory.recognised.any()
    assert torch.equal(memory.belief[0, :, 0, 1], belief[0])
    assert torch.equal(memory.belief[1, :, 2, 2], belief[1])
    torch.testing.assert_close(memory.belief.sum(), belief.sum())


def test_expected_haze_is_the_prior_corrected_by_looks_nearby():
    preview = torch.full((2, 4, 1, 6), 0.4)
    memory = Memory.empty(2, 1, 6, preview=preview, shown=torch.tensor([True, False]), like=torch.empty(0))
    torch.testing.assert_close(memory.expected()[:, 0, 0], torch.tensor([0.4, glimpse.UNSEEN]))
    for column, haze in ((1, 0.9), (4, 0.2), (1, 0.1)):  # looking twice at a window teaches nothing new
        place = torch.tensor([[0, column]]).repeat(2, 1)
        glimpse.remember(memory, place, torch.tensor([[haze, 0.0, 0.0, 0.0]]).repeat(2, 1))
    fall = math.exp(-1 / (1.5 + 6 / 32))
    for scene, (prior, trust) in enumerate(((0.4, 12.0), (glimpse.UNSEEN, 0.5))):
        for column in range(6):
            near = [fall ** abs(column - place) for place in (1, 4)]
            error = near[0] * (0.9 - prior) + near[1] * (0.2 - prior)
            want = min(1.0, max(0.0, prior + error / (sum(near) + trust)))
            assert float(memory.expected()[scene, 0, column]) == pytest.approx(want, abs=1e-5)
    assert memory.distance[0, 0].tolist() == [1, 0, 1, 1, 0, 1]


def test_tau_of_actions_is_that_of_the_window_reached():
    memory = Memory.empty(1, 3, 3, like=torch.empty(0))
    tau = glimpse.BELIEF_CHANNELS.index("tau")
    for place, value in (((1, 1), 0.5), ((1, 2), 0.9), ((0, 1), 0.1)):
        belief = torch.zeros(1, 4)
        belief[0, tau] = value
        glimpse.remember(memory, torch.tensor([place]), belief)
    found = glimpse.tau_of_actions(memory, torch.tensor([[1, 1]]))[0]
    torch.testing.assert_close(
        found, torch.tensor([0.9, 0.5, 0.1, 0.5, 0.5])
    )  # unknown: the mean of the known


def test_a_search_that_dithers_must_go_on_towards_the_nearest_unread_window():
    memory = Memory.empty(1, 3, 5, like=torch.empty(0))
    memory.visited[:] = True
    position = torch.tensor([[1, 1]])
    patient, late = torch.tensor([glimpse.PATIENCE - 1]), torch.tensor([glimpse.PATIENCE])
    assert glimpse.must_go_on(memory, position, patient).all()
    assert glimpse.must_go_on(memory, position, late).tolist() == [[False] * 4 + [True]]  # all is read: stay
    memory.visited[0, 0, 0] = False
    assert glimpse.must_go_on(memory, position, late).tolist() == [[False, True, True, False, True]]
    memory.visited[0, 1, 4] = False
    memory.prior[0, 1, 4] = 0.9  # further away, but haze is expected there
    assert glimpse.must_go_on(memory, position, late).tolist() == [[True, False, False, False, True]]
