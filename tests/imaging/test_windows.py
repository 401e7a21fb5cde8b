"""Strips and windows cover each pixel as promised, and blend weights add to exactly 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import InputError
from clairvoy.imaging.windows import blend_weights, overlapping_windows, strips, window_grid

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


@st.composite
def tilings(draw):
    window = draw(st.integers(1, 24))
    return draw(sides), draw(sides), window, draw(st.integers(0, window - 1))


@settings(deadline=None)
@given(tilings())
def test_overlapping_windows_lie_inside_have_one_size_and_overlap_enough(tiling):
    height, width, window, overlap = tiling
    boxes = overlapping_windows(*tiling)
    assert (boxes[..., 2] - boxes[..., 0] == min(window, height)).all()
    assert (boxes[..., 3] - boxes[..., 1] == min(window, width)).all()
    assert boxes.min() == 0
    assert boxes[..., 2].max() == height
    assert boxes[..., 3].max() == width
    assert (boxes[:-1, :, 2] - boxes[1:, :, 0] >= overlap).all()
    assert (boxes[:, :-1, 3] - boxes[:, 1:, 1] >= overlap).all()


@settings(deadline=None)
@given(tilings(), st.integers(0, 2**32 - 1))
def test_weights_are_a_partition_of_unity_in_any_order(tiling, seed):
    boxes, weights = overlapping_windows(*tiling), blend_weights(*tiling)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    total = np.zeros(tiling[:2], np.float32)
    order = np.random.default_rng(seed).permutation(boxes.shape[0] * boxes.shape[1])
    flat_weights = weights.reshape(-1, *weights.shape[2:])
    for index in order:
        top, left, bottom, right = boxes.reshape(-1, 4)[index]
        total[top:bottom, left:right] += flat_weights[index]
    assert (total == 1).all()  # equality, not a tolerance


def test_seam_is_a_linear_ramp_in_the_middle_of_the_overlap():
    weights = blend_weights(1, 12, 8, 4)  # windows 0..7 and 4..11
    across = weights[0, :, 0]
    np.testing.assert_array_equal(across[0], np.float32([1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125]))
    np.testing.assert_array_equal(across[1], across[0][::-1])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: strips(0, 4, 9), "height is 0"),
        (lambda: window_grid(4, 4, 5, 1), "at most 4 x 1"),
        (lambda: window_grid(4, 4, 1, 0), "cols is 0"),
        (lambda: overlapping_windows(9, 9, 4, 4), "overlap is 4"),
        (lambda: blend_weights(9, 9, 4, -1), "overlap is -1"),
    ],
)
def test_impossible_sizes_are_named(call, named):
    with pytest.raises(InputError, match=named):
        call()
