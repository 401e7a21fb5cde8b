"""Noise: told from pictures that hold a known amount, and what it allows."""

import cv2
import numpy as np
import pytest

from clairvoy.restoring.noise import FAINT, VISIBLE, noise_level, within_noise, within_signal


def hillside(height=400, width=500):
    """A smooth picture with an edge, (H, W, 3) in [0, 1]."""
    v, u = np.mgrid[0:height, 0:width]
    shade = 0.4 + 0.2 * u / width + 0.3 * (v > 0.6 * height)
    return np.repeat(shade[..., None], 3, axis=2)


@pytest.mark.parametrize("level", [0.004, 0.01, 0.03])
def test_white_noise_of_a_known_level_is_told(level):
    noise = np.random.default_rng(0).normal(0, level, hillside().shape[:2])[
        ..., None
    ]  # grey, as luminance noise is
    pixels = ((hillside() + noise).clip(0, 1) * 65535).round().astype(np.uint16)
    assert noise_level(pixels) == pytest.approx(level, rel=0.12)


def test_a_clean_picture_holds_next_to_none_whatever_is_in_it():
    assert noise_level((hillside() * 65535).astype(np.uint16)) < 2e-4
    textured = hillside()
    textured[:200] += 0.2 * np.random.default_rng(1).random(
        (200, 500, 1)
    )  # grass below a plain sky is no noise
    assert noise_level((textured.clip(0, 1) * 65535).astype(np.uint16)) < 2e-4


def test_blocks_of_jpeg_count():
    smooth = (cv2.GaussianBlur(hillside(), (0, 0), 90) * 255).round().astype(np.uint8)
    told = []
    for quality in (95, 20, 8):
        _, code = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, quality])
        told.append(noise_level(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))))
    assert told[0] < told[1] < told[2]


def test_a_picture_smaller_than_a_tile_is_taken_to_be_clean():
    assert noise_level(np.zeros((10, 900, 3), np.uint8)) == 0


def test_without_noise_nothing_is_bent():
    grid = np.linspace(0, 3.5, 50, dtype=np.float32)
    assert within_noise(grid, 0.0) is grid


def test_the_gain_never_makes_noise_visible_and_thin_haze_is_left_alone():
    level = 0.01
    grid = np.linspace(0, 3.5, 200, dtype=np.float32)
    bent = within_noise(grid, level)
    limit = np.log(VISIBLE / level)
    assert float((np.exp(bent) * level).max()) <= VISIBLE * (1 + 1e-6)
    thin = grid <= 0.6 * limit
    np.testing.assert_array_equal(bent[thin], grid[thin])
    assert (np.diff(bent) >= 0).all()
    assert (bent <= grid + 1e-6).all()


def test_an_even_sky_of_the_colour_of_the_airlight_is_not_torn():
    airlight = np.full((1, 3), 0.9, np.float32)
    picture = np.full((1, 3, 64, 64), 0.9, np.float32)
    picture[..., :32] -= FAINT  # a sky whose tint is as faint as the error of an airlight
    picture[..., 32:] -= 0.4  # a hill
    bent = within_signal(np.full((1, 8, 32, 32), 2.5, np.float32), picture, airlight)
    sky, hill = bent[..., :8].max(), bent[..., -8:]
    assert float(np.exp(sky)) <= 2.0 + 1e-4  # doubled at most: log(1 + FAINT / FAINT)
    np.testing.assert_allclose(hill, np.full_like(hill, 2.5), atol=0.1, rtol=0)
