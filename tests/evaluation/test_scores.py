"""Means, intervals, harm and trust against closed forms."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.evaluation import Evaluation, MethodScores, rank_correlation
from clairvoy.evaluation.scores import mean_and_interval


def test_rank_correlation_of_known_cases():
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    # Spearman without ties: 1 - 6 sum d^2 / (n (n^2 - 1)), here d = 1, 1, 0, 0.
    assert rank_correlation([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(1 - 6 * 2 / (4 * 15))
    # With a tie, Pearson's correlation of the mean ranks 1.5, 1.5, 3 and 1, 2, 3.
    assert rank_correlation([5, 5, 6], [1, 2, 3]) == pytest.approx(
        np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1]
    )
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=20, unique=True))
def test_rank_correlation_sees_only_the_order(values):
    x = np.asarray(values)
    assert rank_correlation(x, np.argsort(np.argsort(x))) == pytest.approx(1.0)


def test_the_interval_draws_whole_scenes():
    """Ten densities over one view carry the information of one view: the interval is as wide as that of the means."""
    rng = np.random.default_rng(1)
    means = rng.normal(20, 2, 40)
    many = np.repeat(means, 10)
    grouped = mean_and_interval(many, [str(k) for k in np.repeat(np.arange(40), 10)])
    single = mean_and_interval(means, [str(k) for k in range(40)])
    loose = mean_and_interval(many, [str(k) for k in range(400)])
    assert grouped.mean == pytest.approx(means.mean())
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.02)
    assert loose.high - loose.low < 0.5 * (grouped.high - grouped.low)
    # The interval of a normal mean.
    assert grouped.high - grouped.low == pytest.approx(2 * 1.96 * means.std() / math.sqrt(40), rel=0.1)


def test_harm_counts_unchanged_pictures_at_the_cap():
    scores = MethodScores(harm_db=[math.inf, math.inf, 30.0])
    assert scores.harm() == {"median_db": 100.0, "p5_db": pytest.approx(37.0), "unchanged": 2, "n": 3}


def test_trust():
    scores = MethodScores(psnr_db=[20.0, 25.0, math.inf], tau=[0.2, 0.5, 0.9], tau_db=[21.0, 23.0, 50.0])
    trust = scores.trust()
    assert trust == {"rank_correlation": pytest.approx(1.0), "mae_db": pytest.approx((1 + 2 + 50) / 3)}
    assert MethodScores(psnr_db=[20.0]).trust() is None


def test_what_is_not_known_is_null_in_json_and_a_dash_in_the_table():
    scores = MethodScores(psnr_db=[20.0], ssim=[math.nan], lpips=[0.1], niqe=[4.0], scenes=["a"])
    evaluation = Evaluation({"m": scores}, 1, 1, 0)
    told = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert told["methods"]["m"]["psnr_db"] == {"mean": 20.0, "low": 20.0, "high": 20.0, "n": 1}
    assert told["methods"]["m"]["ssim"]["mean"] is None
    row = next(line for line in evaluation.table().splitlines() if line.split()[:2] == ["m", "20.00"])
    assert row.split()[1:6] == ["20.00", "-", "0.100", "4.00", "-"]
