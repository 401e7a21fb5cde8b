"""What a user would see in restorations by the released weights: strength, greys, seams, scale, devices."""

import cv2
import numpy as np
import pytest

from clairvoy.imaging.files import read
from clairvoy.imaging.haze import add_haze
from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.sessions import choose_device

EXAMPLE = "examples/hazy/salcantay.jpg"


@pytest.fixture(scope="module")
def dehazer():
    return Dehazer.load("fast", "cpu")


@pytest.fixture(scope="module")
def photo(request):
    pixels = read(request.config.rootpath / EXAMPLE).pixels
    return pixels.astype(np.float32) / 255


def psnr(a, b):
    return -10 * np.log10(np.mean((np.asarray(a) - b) ** 2))


def foggy(scene, airlight=0.9, thickest=1.6):
    """Neutral fog over a scene (H, W, 3), thicker towards the top."""
    od = np.linspace(thickest, 0.3, len(scene), dtype=np.float32)[:, None, None]
    return add_haze(scene, np.exp(-od), np.float32(airlight)).astype(np.float32)


def test_more_strength_takes_every_pixel_further_from_the_airlight(dehazer, photo):
    away = None
    for strength in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        result = dehazer(photo, strength=strength, force=True)
        if strength == 0:
            np.testing.assert_array_equal(result.image, photo)
        distance = np.abs(result.image - result.airlight)
        assert away is None or (distance >= away - 1e-5).all()
        away = distance


def test_grey_cards_stay_grey_under_neutral_fog(dehazer, photo):
    scene = photo.copy()
    height, width = scene.shape[:2]
    cards = []
    for k, grey in enumerate((0.1, 0.3, 0.5)):
        card = (
            slice(height // 2, height // 2 + height // 8),
            slice((k + 1) * width // 5, (k + 2) * width // 5 - 9),
        )
        scene[card] = grey
        cards.append(card)
    restored = dehazer(foggy(scene), force=True).image
    for card in cards:
        colour = restored[card].mean(axis=(0, 1))
        assert colour.max() - colour.min() < 0.05


def test_a_smooth_picture_stays_smooth(dehazer):
    """No window, cell or strip may show in a flat gradient: neighbours differ by no more than the gradient, stretched."""
    y, x = np.mgrid[0:700, 0:1000].astype(np.float32)
    picture = np.stack([0.45 + 0.3 * x / 1000 + 0.1 * y / 700] * 3, axis=-1)
    result = dehazer(picture, force=True)
    steepest = max(np.abs(np.diff(picture, axis=k)).max() for k in (0, 1))
    gain = 1 / result.transmission.min()
    for axis in (0, 1):
        step = np.diff(result.image, axis=axis)
        assert np.abs(step).max() < 0.5 / 255 + 3 * gain * steepest
        # A seam is a step unlike its neighbours, by as much as an 8-bit picture can show.
        assert np.abs(np.diff(step, axis=axis)).max() < 1 / 255


def test_half_the_size_gives_nearly_the_same(dehazer, photo):
    def half(picture):
        return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    whole = dehazer(photo, force=True)
    small = dehazer(half(photo), force=True)
    assert psnr(small.image, half(whole.image)) > 34
    np.testing.assert_allclose(small.airlight, whole.airlight, atol=0.02)


@pytest.mark.skipif(choose_device("auto") == "cpu", reason="ONNX Runtime knows no other device here")
def test_another_device_gives_what_the_cpu_gives(dehazer, photo):
    there = Dehazer.load("fast", "auto")(photo, force=True)
    assert psnr(there.image, dehazer(photo, force=True).image) > 50
