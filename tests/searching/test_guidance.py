"""Hints about what lies far away, against loops over all windows."""

import math

import pytest
import torch

from clairvoy.searching.guidance import (
    EXPECTED_FROM,
    GOAL_NUMBERS,
    GOALS,
    GUIDES,
    PULLS,
    REACHES,
    SPREAD_OF_COVER,
    guides,
)  # fmt: skip


def random_maps(rows, cols, seed):
    generator = torch.Generator().manual_seed(seed)
    visited = torch.rand(2, rows, cols, generator=generator) < 0.4
    recognised = visited & (torch.rand(2, rows, cols, generator=generator) < 0.3)
    expected = torch.rand(2, rows, cols, generator=generator)
    distance = torch.randint(0, rows + cols, (2, rows, cols), generator=generator)
    position = torch.stack([torch.randint(n, (2,), generator=generator) for n in (rows, cols)], dim=1)
    return visited, recognised, expected, distance, position


def is_beside(recognised, row, column):
    rows, cols = recognised.shape
    around = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    return any(0 <= r < rows and 0 <= c < cols and bool(recognised[r, c]) for r, c in around)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (5, 9), (20, 33)])
def test_goals_are_the_nearest_windows_of_their_kind(rows, cols):
    maps = random_maps(rows, cols, seed=rows)
    told = guides(*maps)
    assert told.shape == (2, GUIDES)
    goals = told[:, : GOALS * GOAL_NUMBERS].view(2, GOALS, GOAL_NUMBERS)
    side = max(rows, cols)
    for n in range(2):
        visited, recognised, expected, distance, position = (part[n] for part in maps)
        kinds = [lambda r, c, at=at, e=expected: float(e[r, c]) >= at for at in EXPECTED_FROM]
        spreads = [max(2, side // part) for part in SPREAD_OF_COVER]
        kinds += [lambda r, c, far=far, d=distance: int(d[r, c]) >= far for far in spreads]
        kinds += [lambda r, c: True, lambda r, c, seen=recognised: is_beside(seen, r, c)]
        assert len(kinds) == GOALS - 1  # the last one is the nearest hazy one with detours, see below
        for kind, numbers in zip(kinds, goals[n], strict=False):
            row, column = position.tolist()
            far = [
                abs(r - row) + abs(c - column)
                for r in range(rows) for c in range(cols) if not visited[r, c] and kind(r, c)
            ]  # fmt: skip
            assert float(numbers[0]) == float(bool(far))
            if far:
                assert float(numbers[1]) == pytest.approx(math.exp(-min(far) / 3), rel=1e-5)
                assert float(numbers[2]) == pytest.approx(math.exp(-min(far) / 16), rel=1e-5)


def test_goals_tell_which_moves_lead_nearer():
    visited = torch.ones(1, 7, 7, dtype=torch.bool)
    nothing, far = torch.zeros(1, 7, 7), torch.zeros(1, 7, 7, dtype=torch.int64)
    for place, want in (
        ((3, 5), [1, 0, 0, 0]),
        ((3, 1), [0, 1, 0, 0]),
        ((0, 2), [0, 1, 1, 0]),
        ((6, 6), [1, 0, 0, 1]),
    ):
        seen = visited.clone()
        seen[0, place[0], place[1]] = False
        told = guides(seen, torch.zeros_like(seen), nothing, far, torch.tensor([[3, 3]]))
        unread = told[0, : GOALS * GOAL_NUMBERS].view(GOALS, GOAL_NUMBERS)[
            len(EXPECTED_FROM) + len(SPREAD_OF_COVER)
        ]
        assert unread.tolist()[0] == 1.0
        assert unread.tolist()[3:] == want


def test_a_window_that_would_be_left_alone_is_worth_a_detour():
    expected = torch.zeros(1, 1, 9)
    expected[0, 0, [1, 6, 7, 8]] = 0.9  # one alone three moves to the left, three in a row two to the right
    visited = torch.zeros(1, 1, 9, dtype=torch.bool)
    visited[0, 0, 4] = True
    told = guides(
        visited,
        torch.zeros_like(visited),
        expected,
        torch.zeros(1, 1, 9, dtype=torch.int64),
        torch.tensor([[0, 4]]),
    )
    goals = told[0, : GOALS * GOAL_NUMBERS].view(GOALS, GOAL_NUMBERS)
    assert goals[1, 3:5].tolist() == [1.0, 0.0]  # the nearest
    assert goals[-1, 3:5].tolist() == [1.0, 0.0]  # 4 * 2 + 3 * 1 = 11 is less than 4 * 3 + 0 = 12
    expected[0, 0, 5] = 0.0
    expected[0, 0, [6]] = 0.0  # now the row begins three moves away: 4 * 3 + 3 = 15 against 12
    told = guides(
        visited,
        torch.zeros_like(visited),
        expected,
        torch.zeros(1, 1, 9, dtype=torch.int64),
        torch.tensor([[0, 4]]),
    )
    assert told[0, : GOALS * GOAL_NUMBERS].view(GOALS, GOAL_NUMBERS)[-1, 3:5].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (4, 7), (12, 5)])
def test_pulls_are_sums_over_each_side(rows, cols):
    visited, recognised, expected, distance, position = random_maps(rows, cols, seed=cols)
    told = guides(visited, recognised, expected, distance, position)[:, GOALS * GOAL_NUMBERS :]
    told = told.view(2, len(REACHES), PULLS, 4)
    for n in range(2):
        row, column = position[n].tolist()
        for j, reach in enumerate(REACHES):
            want = torch.zeros(PULLS, 4, dtype=torch.float64)
            for r in range(rows):
                for c in range(cols):
                    if visited[n, r, c]:
                        continue
                    haze = float(expected[n, r, c])
                    worth = torch.tensor([1.0, haze, float(haze >= EXPECTED_FROM[1])], dtype=torch.float64)
                    count = reach ** (abs(r - row) + abs(c - column))
                    for direction, there in enumerate((c > column, c < column, r < row, r > row)):
                        want[:, direction] += there * count * worth
            most = (1 - reach) ** 2 / (reach * (1 + reach))
            torch.testing.assert_close(told[n, j].double(), want * most, atol=1e-5, rtol=1e-4)


def test_an_endless_unread_grid_pulls_with_one():
    side = 601
    visited = torch.zeros(1, side, side, dtype=torch.bool)
    middle = torch.tensor([[side // 2, side // 2]])
    told = guides(
        visited, visited, torch.ones(1, side, side), torch.ones(1, side, side, dtype=torch.int64), middle
    )
    pulls = told[0, GOALS * GOAL_NUMBERS :]
    torch.testing.assert_close(pulls, torch.ones_like(pulls), atol=1e-3, rtol=0)
