"""The dark channel prior in closed form, and the guided filter against plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clairvoy.errors import InputError, SettingsError
from clairvoy.imaging.dark_channel import dark_channel, estimate_airlight, restore_dark_channel

Array = NDArray[np.float32]
AIRLIGHT = np.array([0.8, 0.85, 0.9], np.float32)


def test_dark_channel_is_the_least_of_channels_and_square():
    rgb = np.full((9, 9, 3), 0.7, np.float32)
    rgb[4, 4, 1] = 0.1
    dark = dark_channel(rgb, 3)
    assert (dark[3:6, 3:6] == np.float32(0.1)).all()
    assert (dark == np.float32(0.1)).sum() == 9
    assert (dark_channel(np.ones((5, 5, 3), np.float32), 15) == 1).all()  # nothing dark beyond the border


def test_airlight_is_the_brightest_colour_among_the_haziest_not_the_brightest_of_all():
    rgb = np.zeros((50, 50, 3), np.float32)
    rgb[10:30, 10:30] = AIRLIGHT
    rgb[40, 40] = 1  # a lamp: brighter, but its surroundings are dark
    np.testing.assert_array_equal(estimate_airlight(rgb, dark_channel(rgb, 3)), AIRLIGHT)


@pytest.mark.parametrize("omega", [0.0, 0.5, 0.95])
def test_picture_of_nothing_but_airlight(omega: float):
    rgb = np.broadcast_to(AIRLIGHT, (40, 50, 3)).copy()
    restored, transmission, airlight = restore_dark_channel(rgb, omega=omega, radius=5)
    np.testing.assert_allclose(airlight, AIRLIGHT)
    np.testing.assert_allclose(transmission, max(0.1, 1 - omega), atol=1e-5)
    np.testing.assert_allclose(restored, rgb, atol=1e-6)


def test_known_haze_over_a_scene_that_obeys_the_prior_is_removed():
    random = np.random.default_rng(2)
    clear = random.random((64, 64, 3), dtype=np.float32)
    clear[::4, ::4] = 0  # a black pixel in every 7 x 7 square
    clear[:20] = AIRLIGHT  # sky
    t = np.float32(0.6)
    hazy = clear * t + AIRLIGHT * (1 - t)
    restored, transmission, airlight = restore_dark_channel(hazy, omega=1, patch=7, radius=2, eps=1e3)
    np.testing.assert_allclose(airlight, AIRLIGHT, atol=1e-6)
    np.testing.assert_allclose(transmission[30:], t, atol=1e-5)  # away from the sky's edge
    np.testing.assert_allclose(restored[30:], clear[30:], atol=1e-5)


def test_output_stays_in_range_and_transmission_above_its_bound():
    rgb = np.random.default_rng(3).random((33, 47, 3)).astype(np.float32)
    restored, transmission, airlight = restore_dark_channel(rgb, t_min=0.3, radius=4)
    assert restored.dtype == transmission.dtype == airlight.dtype == np.float32
    assert 0 <= restored.min() <= restored.max() <= 1
    assert np.float32(0.3) <= transmission.min() <= transmission.max() <= 1


def test_black_and_tiny_pictures_are_left_alone():
    for shape in ((20, 20, 3), (1, 1, 3)):
        restored, _, _ = restore_dark_channel(np.zeros(shape, np.float32))
        assert (restored == 0).all()


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_colour_picture_of_floats_is_refused(picture: Array):
    with pytest.raises(InputError, match="floats in"):
        restore_dark_channel(picture)


@pytest.mark.parametrize(
    "setting", [{"omega": 1.1}, {"t_min": 0.0}, {"eps": 0.0}, {"radius": 0}, {"patch": 8}], ids=str
)
def test_settings_out_of_range_are_refused(setting: dict[str, float]):
    with pytest.raises(SettingsError, match=next(iter(setting))):
        restore_dark_channel(np.zeros((4, 4, 3), np.float32), **setting)
