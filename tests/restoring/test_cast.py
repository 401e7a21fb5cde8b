"""The hue of the airlight, in closed form."""

import numpy as np
import pytest

from clairvoy.restoring.cast import LARGEST, without_cast


def hazy(light, depth, scene=(0.1, 0.3, 0.2)):
    """A picture (1, 3, 32, 48) of one colour behind haze that is dense in its upper half, and its grid."""
    od = np.full((1, 1, 32, 48), 0.05, np.float32)
    od[:, :, :16] = depth
    t = np.exp(-od)
    colour = np.array(scene, np.float32)[None, :, None, None]
    picture = colour * t + np.array(light, np.float32)[None, :, None, None] * (1 - t)
    return picture.astype(np.float32), od.repeat(4, axis=1)


def hue(airlight):
    return airlight[0] - airlight[0].mean()


def test_dense_haze_gives_its_hue_and_the_brightness_stays():
    light = (0.80, 0.76, 0.72)
    picture, grid = hazy(light, 6.0)
    guess = np.full((1, 3), 0.85, np.float32)
    found = without_cast(guess, picture, grid)
    np.testing.assert_allclose(hue(found), np.array(light) - np.mean(light), atol=3e-3)
    assert found.mean() == pytest.approx(0.85, abs=1e-3)


def test_what_was_a_cast_is_none_any_more():
    """The restored dense haze is as coloured as it was, and not exp(od) times as much."""
    light = (0.80, 0.76, 0.72)
    picture, grid = hazy(light, 3.5, scene=(0.5, 0.5, 0.5))
    guess = np.full((1, 3), 0.76, np.float32)

    def spread(airlight):
        place = picture[0, :, 4, 4]
        return float(np.ptp((place - airlight[0]) * np.exp(3.5) + airlight[0]))

    assert spread(guess) > 2.0
    assert spread(without_cast(guess, picture, grid)) < 0.25


def test_thin_haze_moves_it_little_and_none_not_at_all():
    guess = np.full((1, 3), 0.8, np.float32)
    picture, grid = hazy((0.8, 0.8, 0.8), 0.3)
    moved = np.abs(without_cast(guess, picture, grid) - guess).max()
    assert 0 < moved < 0.3 * LARGEST
    assert np.array_equal(without_cast(guess, picture, np.zeros_like(grid)), guess)


def test_no_channel_moves_further_than_allowed():
    picture, grid = hazy((1.0, 0.5, 0.0), 6.0)
    guess = np.full((1, 3), 0.5, np.float32)
    found = without_cast(guess, picture, grid)
    np.testing.assert_allclose(found[0], [0.5 + LARGEST, 0.5, 0.5 - LARGEST], atol=1e-3)
