"""The dark channel prior in closed form, and the guided filter against plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clairvoy.errors import InputError, SettingsError
from clairvoy.imaging.dark_channel import dark_channel, estimate_airlight, guided_filter, restore_dark_channel

Array = NDArray[np.float32]
AIRLIGHT = np.array([0.8, 0.85, 0.9], np.float32)


def naive_guided_filter(guide: Array, source: Array, radius: int, eps: float) -> NDArray[np.float64]:
    """Equations 5, 6 and 8 of the 2013 paper, window by window, in float64."""
    guide_64, source_64 = guide.astype(np.float64), source.astype(np.float64)
    height, width = guide.shape

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(0, row - radius), min(height, row + radius + 1)),
            slice(max(0, column - radius), min(width, column + radius + 1)),
        )

    slope, offset, filtered = np.empty((height, width)), np.empty((height, width)), np.empty((height, width))
    for position in np.ndindex(height, width):
        i, p = guide_64[window(*position)], source_64[window(*position)]
        slope[position] = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + eps)
        offset[position] = p.mean() - slope[position] * i.mean()
    for position in np.ndindex(height, width):
        around = window(*position)
        filtered[position] = slope[around].mean() * guide_64[position] + offset[around].mean()
    return filtered


@pytest.mark.parametrize("radius", [1, 3, 20])  # 20: larger than the picture
def test_guided_filter_equals_plain_loops(radius: int):
    random = np.random.default_rng(0)
    guide, source = random.random((2, 13, 17), dtype=np.float32)
    np.testing.assert_allclose(
        guided_filter(guide, source, radius, 1e-2),
        naive_guided_filter(guide, source, radius, 1e-2),
        atol=1e-6,
    )


def test_guided_filter_is_a_box_filter_for_a_flat_guide_and_keeps_what_the_guide_explains():
    random = np.random.default_rng(1)
    source = random.random((30, 30), dtype=np.float32)
    flat = guided_filter(np.full_like(source, 0.5), source, 2, 1e-3)
    assert flat[15, 15] == pytest.approx(
        np.mean([source[r - 2 : r + 3, c - 2 : c + 3].mean() for r in range(13, 18) for c in range(13, 18)]),
        abs=1e-6,
    )
    np.testing.assert_allclose(guided_filter(source, 2 * source + 1, 2, 1e-9), 2 * source + 1, atol=1e-5)


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
