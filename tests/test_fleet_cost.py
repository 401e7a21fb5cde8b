"""The simulated fleet against what is known in closed form: one worker alone, and each thing that all of them share."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def cost(request):
    patch = pytest.MonkeyPatch()
    folder = Path(__file__).parents[1] / "benchmarks"
    patch.syspath_prepend(folder)
    yield SimpleNamespace(**runpy.run_path(str(folder / "fleet_cost.py")))
    patch.undo()


@pytest.fixture
def even(cost):
    """A fleet whose files are all alike."""
    return cost.Fleet(1, cpu=0.5, read=5.0, written=4.0, line=100.0, bandwidth=1000.0, answer=0.03,
                      scheduling=0.005, spread=0.0)  # fmt: skip


def test_one_worker_does_one_thing_after_another(cost, even):
    load = cost.simulate(even, 50)
    assert 1 / load.rate == pytest.approx(0.005 + 0.03 + 0.05 + 0.5 + 0.03 + 0.04)
    assert load.computing == pytest.approx(0.5 * load.rate)
    assert load.storage == pytest.approx(9.0 * load.rate / 1000)
    assert load.scheduler == pytest.approx(0.005 * load.rate)


def test_few_workers_are_as_fast_as_each_alone(cost, even):
    alone, ten = cost.simulate(even, 200), cost.simulate(replace(even, workers=10), 2000)
    assert ten.rate == pytest.approx(10 * alone.rate, rel=0.02)


def test_many_workers_get_what_the_storage_gives(cost, even):
    load = cost.simulate(replace(even, workers=600, scheduling=0.0, spread=0.3), 24_000)
    assert load.rate == pytest.approx(1000 / 9, rel=0.06)
    assert load.storage > 0.94


def test_many_workers_wait_for_the_scheduler(cost, even):
    load = cost.simulate(replace(even, workers=600, scheduling=0.05), 6000)
    assert load.rate == pytest.approx(1 / 0.05, rel=0.03)
    assert load.scheduler > 0.97


def test_spread_changes_no_total_and_the_same_seed_is_the_same_run(cost, even):
    spread = replace(even, spread=0.5)
    first, again = cost.simulate(spread, 3000, seed=1), cost.simulate(spread, 3000, seed=1)
    assert first == again
    assert first.rate == pytest.approx(cost.simulate(even, 3000).rate, rel=0.05)
