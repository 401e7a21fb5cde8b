"""How panoramas are looked at: solid angles, poles, and no place where they begin."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clairvoy.imaging.files import encode, read
from clairvoy.imaging.formats.raster import Metadata
from clairvoy.imaging.panorama import WHOLE, Panorama
from clairvoy.imaging.picture import Picture
from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.projection import EqualArea, Flat, smoothed_at_poles

LATITUDES = WHOLE.latitudes(128)


def surroundings(height=128, seed=0):
    """A hazy panorama: smooth surroundings, hazier on one side, (H, 2 H, 3) uint8."""
    rng, latitude = np.random.default_rng(seed), WHOLE.latitudes(height)[:, None]
    angle = 2 * np.pi * (np.arange(2 * height) + 0.5) / (2 * height)
    scene = sum(
        rng.normal(0, 40, 3) * (np.cos(k * angle + rng.uniform(0, 6)) * np.cos(latitude))[..., None]
        for k in (1, 2, 5, 11)
    )
    t = (0.5 + 0.3 * np.cos(angle) * np.cos(latitude))[..., None]
    noise = rng.normal(0, 2, (height, 2 * height, 3))
    return np.clip((110 + scene) * t + 215 * (1 - t) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def dehazer():
    return Dehazer.load("fast", "cpu")


def test_a_mean_over_what_is_shown_is_one_over_the_sphere():
    # The mean over the sphere of sin^2(latitude) is 1/3; over the rows of the picture it is 1/2.
    plane = np.repeat(np.sin(LATITUDES)[:, None] ** 2, 256, 1).astype(np.float32)
    how = EqualArea(WHOLE, np.repeat(plane[..., None], 3, 2), None)
    assert how.inside(how.shown()).mean() == pytest.approx(1 / 3, abs=2e-3)
    assert how.shown().shape[3] % 256 == 0
    assert how.inside(how.shown()).shape[3] * 8 == how.shown().shape[3] * 7


def test_the_mean_of_what_is_seen_weighs_by_solid_angle():
    pixels, hidden = surroundings(), np.zeros((128, 256), bool)
    hidden[:32] = True  # above 45 degrees: (1 - sin 45) / 2 of the sphere
    plane = np.zeros((144, 448), np.float32)
    plane[72:] = 1
    seen = 0.5 / (0.5 + math.sin(math.pi / 4) / 2)
    assert EqualArea(WHOLE, pixels, hidden).mean_of_seen(plane) == pytest.approx(seen, abs=5e-3)
    assert EqualArea(WHOLE, pixels, None).mean_of_seen(plane) == 0.5
    assert EqualArea(WHOLE, pixels, np.ones_like(hidden)).mean_of_seen(plane) == 0


def test_a_flat_mean_is_over_what_is_seen():
    plane, hidden = np.array([[0.0, 1.0], [0.0, 0.5]], np.float32), np.zeros((40, 60), bool)
    pixels = np.zeros((40, 60, 3), np.uint8)
    assert Flat(pixels, None).mean_of_seen(plane) == 0.375
    hidden[:, :30] = True
    assert Flat(pixels, hidden).mean_of_seen(plane) == 0.75
    assert Flat(pixels, np.ones((40, 60), bool)).mean_of_seen(plane) == 0


def test_rows_of_equal_area_go_back_to_latitudes():
    how = EqualArea(WHOLE, surroundings(), None)
    sines = 1 - 2 * (np.arange(64) + 0.5) / 64
    planes = np.repeat(sines[:, None], 100, 1).astype(np.float32)[None, None]
    found = how.by_latitude(planes)[0, 0]
    rows = WHOLE.latitudes(len(found))
    inner = np.abs(np.sin(rows)) < sines[0]
    np.testing.assert_allclose(found[inner, 0], np.sin(rows)[inner], atol=1e-5)
    strip = Panorama(0.5, -0.3, 2.0)
    assert EqualArea(strip, surroundings(), None).by_latitude(planes).shape[3] == 100


def test_poles_are_smoothed_by_a_gaussian_of_tan_latitude_cells():
    angle = 2 * np.pi * np.arange(64) / 64
    latitudes = np.array([0.0, math.pi / 4, 1.3, math.pi / 2 - 1e-6])
    planes = np.repeat((1 + np.cos(3 * angle))[None], 4, 0)[None, None].astype(np.float32)
    found = smoothed_at_poles(planes, latitudes, closed=True)[0, 0]
    left = np.exp(-0.5 * (np.tan(latitudes) * 3 * 2 * np.pi / 64) ** 2)
    np.testing.assert_allclose(found, 1 + left[:, None] * np.cos(3 * angle), atol=1e-5)
    open_ended = smoothed_at_poles(planes[..., :20], latitudes, closed=False)[0, 0]
    np.testing.assert_allclose(open_ended[3], planes[0, 0, 0, :20].mean(), atol=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_panorama_that_is_turned_gives_the_same_turned(dehazer, kind):
    pixels = surroundings() if kind == np.uint8 else (surroundings().astype(np.float32) / 255)
    pixels = (pixels * 65535).astype(kind) if kind == np.uint16 else pixels
    straight = dehazer(pixels, force=True)
    assert straight.report.sphere
    assert not np.array_equal(straight.image, pixels)
    for turn in (128, 37):
        turned = dehazer(np.roll(pixels, turn, axis=1), force=True)
        np.testing.assert_array_equal(turned.image, np.roll(straight.image, turn, axis=1))
        np.testing.assert_allclose(turned.tau, np.roll(straight.tau, turn, axis=1), atol=1e-5)
        assert turned.report.haze_probability == straight.report.haze_probability


def test_nothing_jumps_where_the_picture_begins(dehazer):
    result = dehazer(surroundings(), force=True)
    for plane in (result.tau, result.transmission):
        steps = np.abs(plane - np.roll(plane, 1, axis=1)).mean(axis=0)
        # Neither where the file begins nor where the look did.
        assert steps[0] <= 1.3 * steps[[-2, -1, 1, 2]].mean()
        assert steps.max() <= 2.5 * np.quantile(steps, 0.9)
    poles = result.tau[[0, -1]]
    assert np.ptp(poles, axis=1).max() < 0.02 < np.ptp(result.tau[64])


def test_a_restored_file_still_says_what_it_is(dehazer):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    said = (
        b'<a xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular"/>'
    )
    picture = Picture(surroundings(), metadata=Metadata(block, None, said, None))
    result = dehazer(encode(picture.pixels, picture, "JPEG"), force=True)
    assert result.report.sphere
    back = read(encode(result.image.pixels, result.image, "JPEG")).metadata
    assert back.xmp == said
    assert b"Camera" in back.exif


def test_flat_refuses_and_parts_are_taken(dehazer):
    pixels = surroundings()
    flat = dehazer(pixels, force=True, flat=True)
    assert not flat.report.sphere
    assert not np.array_equal(flat.image, dehazer(pixels, force=True).image)
    said = (
        b'<a xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:FullPanoWidthPixels="512" '
        b'GPano:FullPanoHeightPixels="256" GPano:CroppedAreaImageWidthPixels="256" GPano:CroppedAreaImageHeightPixels="128" '
        b'GPano:CroppedAreaLeftPixels="0" GPano:CroppedAreaTopPixels="0"/>'
    )
    picture = Picture(pixels)
    part = replace(picture, metadata=replace(picture.metadata, xmp=said))
    result = dehazer(part, force=True)
    assert result.report.sphere  # a quarter of it, from the horizon up: it does not close
    assert result.tau.shape == pixels.shape[:2]
    assert not np.array_equal(result.image, flat.image)
