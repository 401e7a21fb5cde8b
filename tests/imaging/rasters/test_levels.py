"""Values as brightness and back: what is black and white, what stays exact, what is never taken for "no data"."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.imaging.rasters.levels import Levels, keeping_apart, levels_of


@pytest.mark.parametrize(
    ("values", "black", "white"),
    [
        (np.full(1000, 3, np.uint8), 0, 255),
        (np.linspace(0, 60000, 1000).astype(np.uint16), 0, 65535),
        (np.linspace(0, 3000, 1001).astype(np.uint16), 0, 2994),  # a reflectance
        (np.linspace(0, 200, 1000).astype(np.uint16), 0, 255),
        (np.linspace(0, 0.9, 1000).astype(np.float32), 0, 1),
        (np.linspace(0, 0.3, 1001).astype(np.float32), 0, 0.2994),
        (np.linspace(-100, 100, 1001).astype(np.int16), -99, 99),
        (np.array([np.nan, 0.8], np.float32), 0, 1),
        (np.array([], np.float32), 0, 1),
        (np.zeros(10, np.int16), 0, 1),
    ],
)
def test_black_and_white(values, black, white):
    found = levels_of(values)
    assert (found.black, found.white) == (pytest.approx(black, abs=1e-4), pytest.approx(white, rel=1e-4))


def test_a_few_bright_clouds_do_not_make_the_rest_night():
    values = np.concatenate([np.linspace(0, 2000, 9990), np.full(10, 12000)]).astype(np.uint16)
    assert levels_of(values).white < 2010


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=50), st.floats(-0.2, 0.2))
def test_a_change_of_brightness_is_added_to_the_values(values, change):
    levels, values = Levels(100, 3000), np.array(values, np.uint16)
    before = levels.brightness(values)
    after = np.clip(before + np.float32(change), 0, 1)
    expected = np.clip(np.rint(values + (after.astype(float) - before) * 2900), 0, 65535)
    assert np.array_equal(levels.changed(values, before, after), expected)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_what_is_not_changed_stays_exact(dtype):
    values = np.linspace(0, 4000, 1234).astype(dtype)
    seen = Levels(0, 3000).brightness(values)
    assert np.array_equal(Levels(0, 3000).changed(values, seen, seen.copy()), values)


def test_not_a_number_is_dark():
    assert np.array_equal(Levels(0, 1).brightness(np.array([np.nan, np.inf, -np.inf, 0.5])), [0, 1, 0, 0.5])


def test_only_full_8_and_16_bits_are_brightness_already():
    assert Levels(0, 255).fit(np.dtype("uint8"))
    assert Levels(0, 65535).fit(np.dtype("uint16"))
    assert not Levels(0, 4095).fit(np.dtype("uint16"))
    assert not Levels(10, 255).fit(np.dtype("uint8"))
    assert not Levels(0, 1).fit(np.dtype("float32"))


@pytest.mark.parametrize(
    ("dtype", "marker", "instead"),
    [("uint8", 0, 1), ("uint8", 255, 254), ("uint16", 65535, 65534), ("int16", -9999, -9998)],
)
def test_nothing_becomes_no_data(dtype, marker, instead):
    values = np.array([marker, 7], dtype)
    assert keeping_apart(values, marker).tolist() == [instead, 7]


def test_floats_move_by_the_smallest_step_and_markers_out_of_range_mean_nothing():
    moved = keeping_apart(np.array([0, 1], np.float32), 0.0)
    assert 0 < moved[0] < 1e-40
    assert moved[1] == 1
    for marker in (None, float("nan"), -9999.0, 0.5):
        assert keeping_apart(np.array([0, 255], np.uint8), marker).tolist() == [0, 255]
