import numpy as np
import pytest

from clairvoy.imaging.synthesis.defocus import defocus


def halves(near, far, size=96):
    """Fine stripes; the left half is near, the right half far."""
    rgb = np.zeros((size, size, 3), np.uint8)
    rgb[::2] = 200
    depth = np.full((size, size), near, np.float32)
    depth[:, size // 2 :] = far
    return rgb, depth


def test_what_is_in_focus_stays_sharp_and_the_rest_loses_its_contrast():
    rgb, depth = halves(1.0, 20.0)
    seen = defocus(rgb, depth, np.random.default_rng(0))
    assert np.array_equal(seen[:, :40], rgb[:, :40])
    far = seen[:, 56:].astype(float)
    assert far.std() < 0.5 * rgb[:, 56:].astype(float).std()
    assert far[20:-20].mean() == pytest.approx(100, abs=3)  # the light is spread, not lost


def test_one_depth_is_all_in_focus():
    rgb, depth = halves(3.0, 3.0)
    assert np.array_equal(defocus(rgb, depth, np.random.default_rng(1)), rgb)


def test_blur_grows_with_the_difference_of_inverse_depth():
    rgb = np.random.default_rng(2).integers(0, 256, (64, 160, 3)).astype(np.uint8)
    depth = np.repeat(np.array([1.0, 1.5, 3.0, 60.0], np.float32), 40)[None].repeat(64, 0)
    seen = defocus(rgb, depth, np.random.default_rng(4)).astype(float)
    contrast = [seen[:, 40 * k + 8 : 40 * k + 32].std() for k in range(4)]
    assert contrast == sorted(contrast, reverse=True)
    assert contrast[0] > 1.5 * contrast[3]


def test_the_same_seed_gives_the_same_picture():
    rgb, depth = halves(1.0, 5.0)
    first, again = (defocus(rgb, depth, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)
