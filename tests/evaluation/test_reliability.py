"""Bins of probabilities, by hand."""

import numpy as np
import pytest

from clairvoy.errors import InputError
from clairvoy.evaluation.reliability import expected_calibration_error, reliability


def test_bins_hold_what_falls_into_them():
    bins = reliability([0.0, 0.05, 0.31, 0.39, 1.0], [False, True, True, False, True])
    assert [tuple(bin) for bin in bins] == [
        (pytest.approx(0.025), 0.5, 2),
        (pytest.approx(0.35), 0.5, 2),
        (1.0, 1.0, 1),
    ]
    gap = (2 * abs(0.025 - 0.5) + 2 * abs(0.35 - 0.5)) / 5
    assert expected_calibration_error([0.0, 0.05, 0.31, 0.39, 1.0], [0, 1, 1, 0, 1]) == pytest.approx(gap)


def test_probabilities_that_hold_have_no_gap():
    rng = np.random.default_rng(0)
    probability = rng.random(200_000)
    assert expected_calibration_error(probability, rng.random(200_000) < probability) < 0.01


def test_nothing_to_compare():
    for said, came in (([], []), ([0.5], [True, False])):
        with pytest.raises(InputError):
            reliability(said, came)
