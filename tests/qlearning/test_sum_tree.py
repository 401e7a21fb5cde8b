"""The sum tree against plain cumulative sums."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import SettingsError
from clairvoy.qlearning.sum_tree import SumTree


@pytest.mark.parametrize("capacity", [1, 2, 63, 64, 65, 4096, 4097, 5000])
def test_finds_what_a_search_in_the_cumulative_sum_finds(capacity):
    generator = torch.Generator().manual_seed(capacity)
    value = torch.randint(0, 4, (capacity,), generator=generator).double()
    value[0] = 1.0  # whole numbers: sums are exact, so that both ways must agree to the last leaf
    tree = SumTree(capacity)
    tree.set(torch.arange(capacity), value)
    assert tree.total == float(value.sum())
    height = torch.rand(500, generator=generator, dtype=torch.float64) * tree.total
    want = torch.searchsorted(value.cumsum(0), height, right=True)
    assert torch.equal(tree.find(height), want)


def test_changes_reach_the_root():
    tree = SumTree(200)
    tree.set(torch.arange(200), torch.ones(200))
    tree.set(torch.tensor([3, 199, 64]), torch.tensor([5.0, 0.0, 0.5]))
    assert tree.total == 197 + 5.0 + 0.5
    assert tree.get(torch.tensor([3, 199, 64, 0])).tolist() == [5.0, 0.0, 0.5, 1.0]


@settings(max_examples=50, deadline=None)
@given(
    exponents=st.lists(st.integers(-40, 40), min_size=1, max_size=300),
    zeros=st.lists(st.integers(0, 299), max_size=100),
    draw=st.floats(0.0, 1.0),
)
def test_never_finds_a_leaf_of_value_zero(exponents, zeros, draw):
    value = 2.0 ** torch.tensor(exponents, dtype=torch.float64) / 3.0
    for index in zeros:
        if index % len(value) != 0:
            value[index % len(value)] = 0.0
    tree = SumTree(len(value))
    tree.set(torch.arange(len(value)), value)
    found = tree.find(torch.tensor([draw * tree.total, tree.total, 0.0], dtype=torch.float64))
    assert bool((value[found] > 0).all())


def test_is_a_pure_function_of_its_leaves():
    generator = torch.Generator().manual_seed(0)
    changed, fresh = SumTree(1000), SumTree(1000)
    for _ in range(50):
        index = torch.randint(1000, (64,), generator=generator)
        changed.set(index, torch.rand(64, generator=generator, dtype=torch.float64))
    everything = torch.arange(1000)
    fresh.set(everything, changed.get(everything))
    assert changed.total == fresh.total
    height = torch.rand(1000, generator=generator, dtype=torch.float64) * fresh.total
    assert torch.equal(changed.find(height), fresh.find(height))


def test_needs_a_leaf():
    with pytest.raises(SettingsError, match="capacity is 0"):
        SumTree(0)
