"""Strips and windows cover each pixel as promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.errors import InputError
from clairvoy.imaging.windows import strips, window_grid

sides = st.integers(1, 60)


@given(height=sides, width=sides, pixels=st.integers(1, 4000))
def test_strips_cover_every_row_once_and_stay_small(height, width, pixels):
    parts = strips(height, width, pixels)
    assert [row for part in parts for row in range(height)[part]] == list(range(height))
    heights = [part.stop - part.start for part in parts]
    assert max(heights) * width <= max(pixels, width)
    assert max(heights) - min(heights) <= 1


def test_strips_of_a_known_picture():
    assert strips(10, 4, 16) == [slice(0, 3), slice(3, 6), slice(6, 10)]
    assert strips(2, 100, 1) == [slice(0, 1), slice(1, 2)]


@given(data=st.data(), height=sides, width=sides)
def test_grid_covers_every_pixel_once(data, height, width):
    rows, cols = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    boxes = window_grid(height, width, rows, cols)
    assert boxes.shape == (rows, cols, 4)
    covered = np.zeros((height, width), int)
    for top, left, bottom, right in boxes.reshape(-1, 4):
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()
    tall, wide = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    assert np.ptp(tall) <= 1
    assert np.ptp(wide) <= 1


def test_grid_of_a_known_picture():
    assert window_grid(5, 4, 2, 2).tolist() == [[[0, 0, 2, 2], [0, 2, 2, 4]], [[2, 0, 5, 2], [2, 2, 5, 4]]]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: strips(0, 4, 9), "height is 0"),
        (lambda: window_grid(4, 4, 5, 1), "at most 4 x 1"),
        (lambda: window_grid(4, 4, 1, 0), "cols is 0"),
    ],
)
def test_impossible_sizes_are_named(call, named):
    with pytest.raises(InputError, match=named):
        call()
