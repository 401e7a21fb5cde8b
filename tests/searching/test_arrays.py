"""The search is the same on NumPy arrays, where it is used, as on torch tensors, where it is learnt."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from clairvoy.searching import glimpse
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import cut_windows, explore, search
from clairvoy.searching.glimpse import Memory
from clairvoy.searching.guidance import GUIDES


def as_tensors(value):
    """The same numbers in torch."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return Memory(*(as_tensors(getattr(value, item.name)) for item in fields(Memory)))


def equal(found, expected):
    assert isinstance(found, np.ndarray)
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


def searched(scenes, rows, cols, seed):
    """A memory of NumPy arrays after some windows, positions, and beliefs."""
    rng = np.random.default_rng(seed)
    preview = rng.random((scenes, 4, rows, cols), dtype=np.float32)
    memory = Memory.empty(scenes, rows, cols, like=preview, preview=preview, shown=rng.random(scenes) < 0.5)
    for _ in range(rows * cols // 2):
        place = np.stack([rng.integers(n, size=scenes) for n in (rows, cols)], axis=1)
        glimpse.remember(memory, place, rng.random((scenes, 4), dtype=np.float32))
    memory.recognised[...] = rng.random((scenes, rows, cols)) < 0.3
    position = np.stack([rng.integers(n, size=scenes) for n in (rows, cols)], axis=1)
    return memory, position, rng


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 5), (12, 10), (1, 30)])
def test_what_is_seen_remembered_and_allowed(rows, cols):
    memory, position, rng = searched(6, rows, cols, seed=rows)
    other, place = as_tensors(memory), torch.from_numpy(position)
    window = rng.integers(256, size=(6, 3, 32, 32), dtype=np.uint8)
    belief, left = rng.random((6, 4), dtype=np.float32), rng.random(6, dtype=np.float32)
    arguments = (window, belief), (torch.from_numpy(window), torch.from_numpy(belief))
    seen = glimpse.observe_window(*arguments[0], memory, position, left)
    expected = glimpse.observe_window(*arguments[1], other, place, torch.from_numpy(left))
    assert seen.keys() == expected.keys()
    for name in seen:
        equal(seen[name], expected[name])
    idle = np.array([0, 9, 9, 0, 9, 9])
    equal(
        glimpse.must_go_on(memory, position, idle), glimpse.must_go_on(other, place, torch.from_numpy(idle))
    )
    equal(glimpse.open_directions(position, rows, cols), glimpse.open_directions(place, rows, cols))
    equal(glimpse.tau_of_actions(memory, position), glimpse.tau_of_actions(other, place))
    action = rng.integers(5, size=6)
    for one, two in zip(
        glimpse.move(position, action, rows, cols),
        glimpse.move(place, torch.from_numpy(action), rows, cols),
        strict=True,
    ):
        equal(one, two)
    glimpse.remember(memory, position, belief)
    glimpse.remember(other, place, torch.from_numpy(belief))
    for item in fields(Memory):
        equal(getattr(memory, item.name), getattr(other, item.name))


@pytest.mark.parametrize("difficulty", [0.0, 0.5])
def test_a_whole_search(difficulty):
    """By an agent whose values follow from all that it is shown."""
    rng = np.random.default_rng(3)
    windows = rng.integers(256, size=(1, 8, 8, 3, 32, 32), dtype=np.uint8)
    beliefs = rng.random((1, 4, 8, 8), dtype=np.float32)
    weights = {name: rng.normal(size=(n, 5)) for name, n in (("guides", GUIDES), ("position", 8))}

    def values(seen):
        return sum(seen[name].astype(np.float64) @ weights[name] for name in weights).astype(np.float32)

    def in_torch(seen):
        return torch.from_numpy(values({name: part.numpy() for name, part in seen.items()}))

    found = search(values, windows, beliefs, difficulty=difficulty)
    expected = search(in_torch, torch.from_numpy(windows), torch.from_numpy(beliefs), difficulty=difficulty)
    assert found.path == expected.path
    assert (found.value, found.looked_ahead, found.finished) == pytest.approx(
        (expected.value, expected.looked_ahead, expected.finished)
    )
    equal(found.visited, expected.visited)

    def read(row, column):
        return windows[0, row, column], beliefs[0, :, row, column]

    def read_in_torch(row, column):
        return tuple(torch.from_numpy(part) for part in read(row, column))

    there = explore(values, read, 8, 8, budget=0.5, difficulty=difficulty)
    assert there.path == explore(in_torch, read_in_torch, 8, 8, budget=0.5, difficulty=difficulty).path


@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (1, 1), (5, 40)])
def test_pooling_is_that_of_torch(rows, cols):
    rng = np.random.default_rng(0)
    maps = [rng.random((2, 1, *size), dtype=np.float32) for size in ((80, 104), (10, 13), (10, 13), (10, 13))]
    pooled = pool_beliefs(*maps, rows, cols)
    expected = [torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(m), (rows, cols)) for m in maps]
    expected[1] = expected[1] * 4
    equal(pooled, torch.cat(expected, dim=1).clamp(0, 1))


def test_windows_are_cut_alike():
    picture = np.random.default_rng(0).integers(256, size=(2, 3, 96, 128), dtype=np.uint8)
    equal(cut_windows(picture, 3, 4), cut_windows(torch.from_numpy(picture), 3, 4))
