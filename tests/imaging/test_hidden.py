"""What nobody sees does not matter; what is seen does not change."""

import cv2
import numpy as np
import pytest

from clairvoy.imaging.files import Picture
from clairvoy.imaging.hidden import resized, shown


def two_that_look_alike(dtype=np.uint8):
    rng = np.random.default_rng(0)
    seen = rng.integers(0, np.iinfo(dtype).max, (41, 67, 3)).astype(dtype)
    hidden = np.zeros((41, 67), bool)
    hidden[5:25, 10:60] = True
    other = np.where(hidden[..., None], np.iinfo(dtype).max - seen, seen)
    return seen, other, hidden


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_that_look_alike_are_looked_at_alike(dtype):
    one, other, hidden = two_that_look_alike(dtype)
    np.testing.assert_array_equal(shown(one, hidden), shown(other, hidden))
    np.testing.assert_array_equal(shown(one, hidden)[~hidden], one[~hidden])
    for size, how in (((7, 9), cv2.INTER_AREA), ((80, 130), cv2.INTER_LINEAR)):
        np.testing.assert_array_equal(resized(one, size, how, hidden), resized(other, size, how, hidden))


def test_a_flat_picture_stays_flat_whatever_is_hidden():
    pixels, hidden = np.full((30, 40, 3), 77, np.uint8), np.zeros((30, 40), bool)
    hidden[:, ::3] = True
    pixels[hidden] = 255
    np.testing.assert_allclose(resized(pixels, (6, 8), cv2.INTER_AREA, hidden), 77, atol=1e-3)
    assert (shown(pixels, hidden) == 77).all()


def test_without_anything_hidden_it_is_a_plain_resize():
    one, _, hidden = two_that_look_alike()
    np.testing.assert_array_equal(
        resized(one, (7, 9), cv2.INTER_AREA), cv2.resize(one, (9, 7), interpolation=cv2.INTER_AREA)
    )
    assert shown(one, None) is one
    assert shown(one, hidden & False) is one


def test_a_picture_hides_what_alpha_or_no_data_says():
    pixels = np.zeros((2, 3, 3), np.uint8)
    alpha, no_data = np.full((2, 3), 9, np.uint8), np.zeros((2, 3), bool)
    assert Picture(pixels, alpha).hidden is None
    alpha[0, 0], no_data[1, 2] = 0, True
    assert np.argwhere(Picture(pixels, alpha, no_data=no_data).hidden).tolist() == [[0, 0], [1, 2]]
    assert Picture(pixels, no_data=no_data).hidden.sum() == 1
