"""Interquartile means and bootstrap intervals against closed forms."""

import itertools

import numpy as np
import pytest

from clairvoy.errors import InputError
from clairvoy.evaluation.aggregate import (
    bootstrap,
    interquartile_mean,
    paired_difference,
    percentile_interval,
)


def test_the_middle_half_counts():
    assert interquartile_mean([100.0, 1.0, 2.0, 3.0, -100.0]) == pytest.approx(2.0)
    assert interquartile_mean([5.0, 1.0, 2.0, 50.0]) == pytest.approx(3.5)
    assert interquartile_mean([1.0, 2.0, 6.0]) == pytest.approx(3.0)  # too few to leave any out
    columns = np.array([[4.0, 0.0], [1.0, 9.0], [2.0, 8.0], [3.0, 1.0]])
    assert interquartile_mean(columns, axis=0) == pytest.approx([2.5, 4.5])


def test_the_interval_is_that_of_all_possible_resamples():
    scores = np.array([1.0, 2.0, 4.0])
    means = [np.mean(draw) for draw in itertools.product(scores, repeat=3)]  # all 27, equally likely
    found = bootstrap(scores, np.mean, confidence=0.8)
    assert found.value == pytest.approx(7 / 3)
    # The quantiles of a discrete distribution are two of its own values, up to the draws' noise.
    assert found.low == pytest.approx(np.quantile(means, 0.1, method="inverted_cdf"))
    assert found.high == pytest.approx(np.quantile(means, 0.9, method="inverted_cdf"))


def test_a_mean_of_many_has_the_interval_of_the_normal_law():
    scores = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = bootstrap(scores, np.mean)
    half = 1.96 * scores.std() / np.sqrt(len(scores))
    assert found.low == pytest.approx(scores.mean() - half, abs=0.02)
    assert found.high == pytest.approx(scores.mean() + half, abs=0.02)


def test_of_two_samples_each_is_drawn_by_itself():
    """The difference of two means has the variance of both: drawn together, equal samples would differ by nothing."""
    scores = np.random.default_rng(1).normal(0.0, 2.0, 400)
    low, high = percentile_interval(
        lambda one, other: scores[one].mean(axis=1) - scores[other].mean(axis=1), (400,), (400,)
    )
    half = 1.96 * scores.std() * np.sqrt(2 / len(scores))
    assert (low, high) == pytest.approx((-half, half), abs=0.02)


def test_tasks_are_drawn_each_by_itself():
    # Were whole runs drawn, every resample of these rows would sum to 0; by task they do not.
    scores = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert bootstrap(scores, np.mean).high == pytest.approx(1.0)
    # A task is never drawn into another's place: the mean of two constant columns does not move.
    constant = np.tile([0.0, 10.0], (5, 1))
    found = bootstrap(constant, np.mean)
    assert (found.low, found.high) == (5.0, 5.0)


def test_pairs_take_out_what_both_share():
    shared = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    found = paired_difference(shared + 1.0, shared)
    assert (found.value, found.low, found.high, found.runs) == (1.0, 1.0, 1.0, 5)
    assert found.excludes_zero
    assert not paired_difference(shared, shared[::-1]).excludes_zero


def test_refusals():
    with pytest.raises(InputError, match="no pairs"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="finite"):
        bootstrap([1.0, np.nan])
    with pytest.raises(InputError, match="at least one"):
        interquartile_mean([])
