"""Large TIFFs of any kind by windows: what a window means is what it means in the whole, and nothing is lost on writing."""

import numpy as np
import pytest
import tifffile
from made_tiff import BYTE_COMPRESSIONS, made, tags_of

from clairvoy.errors import FileError
from clairvoy.imaging import scenes
from clairvoy.imaging.files import read
from clairvoy.imaging.scenes import PictureScene, TiffScene, open_scene, restored_picture, write_scene

SIZE = (75, 90)
KINDS = {
    "grey": (1, 1, {}),
    "white is zero": (1, 0, {}),
    "rgb": (3, 2, {}),
    "alpha": (4, 2, {"extra": (2,)}),
    "premultiplied": (4, 2, {"extra": (1,)}),
    "near infrared": (4, 2, {"extra": (0,)}),
    "five bands": (5, 2, {"extra": (0, 2)}),
    "inks": (4, 5, {}),
}
GEO = {33550: ("d", 0.5, 0.5, 0.0), 33922: ("d", 0.0, 0.0, 0.0, 5e5, 45e5, 0.0), 34735: ("H", 1, 1, 0, 0)}


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    monkeypatch.setattr(scenes, "BY_WINDOWS_FROM", 1000)


def random_samples(channels, dtype=np.uint8):
    rng = np.random.default_rng(channels)
    return rng.integers(0, np.iinfo(dtype).max + 1, (*SIZE, channels)).astype(dtype)


def negative(pixels, top, left):
    return np.iinfo(pixels.dtype).max - pixels


@pytest.mark.parametrize("compression", BYTE_COMPRESSIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [{}, {"tile": 32}, {"planar": True, "order": ">"}], ids=str)
def test_windows_mean_what_the_whole_means(tmp_path, compression, kind, cut):
    channels, photometric, more = KINDS[kind]
    path = tmp_path / "a.tif"
    for dtype in (np.uint8, np.uint16):
        path.write_bytes(made(random_samples(channels, dtype), photometric, compression, **more, **cut))
        whole, scene = read(path), open_scene(path, max_pixels=1)
        assert isinstance(scene, TiffScene)
        for top, left, bottom, right in ((0, 0, *SIZE), (31, 5, 66, 90), (70, 0, 75, 40)):
            window = scene.window(top, left, bottom, right)
            np.testing.assert_array_equal(window, whole.pixels[top:bottom, left:right])
        hidden = scene.hidden(0, 0, *SIZE)
        assert (hidden is None) == (whole.hidden is None)
        if hidden is not None:
            np.testing.assert_array_equal(hidden, whole.hidden)
        write_scene(tmp_path / "b.tif", scene, negative, tile=32)
        back, seen = read(tmp_path / "b.tif"), ~hidden if hidden is not None else np.ones(SIZE, bool)
        np.testing.assert_array_equal(back.pixels[seen], np.iinfo(dtype).max - whole.pixels[seen])
        np.testing.assert_array_equal(back.pixels[~seen], whole.pixels[~seen])
        if whole.alpha is not None:
            np.testing.assert_array_equal(back.alpha, whole.alpha)
        if whole.kept is not None:
            np.testing.assert_array_equal(back.kept.bands, whole.kept.bands)
        assert back.grey == whole.grey


@pytest.mark.parametrize("by_windows", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_georeference_and_no_data_survive_a_restoration(tmp_path, by_windows, order, monkeypatch):
    samples = random_samples(3) // 2
    samples[10:20, 30:50] = 255
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    tags = GEO | {42113: ("s", b"255\0"), 42112: ("s", b"<GDALMetadata/>\0"), 270: ("s", b"Valley\0")}
    path.write_bytes(made(samples, 2, "lzw", tags=tags, order=order))
    if not by_windows:
        monkeypatch.setattr(scenes, "BY_WINDOWS_FROM", 10**9)
    scene = open_scene(path)
    assert isinstance(scene, TiffScene) == by_windows
    if by_windows:
        write_scene(out, scene, negative, tile=32)
    else:
        from clairvoy.imaging.files import write

        write(out, restored_picture(scene, negative), scene.picture)
    before, after = tags_of(path.read_bytes()), tags_of(out.read_bytes())
    for tag in tags:
        assert (after[tag].kind, after[tag].value) == (before[tag].kind, before[tag].value)
    expected = np.where((samples == 255).all(axis=2, keepdims=True), samples, 255 - samples)
    np.testing.assert_array_equal(tifffile.imread(out), expected)


def test_one_long_strip_without_compression_is_read_by_rows(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).integers(0, 255, (1200, 400, 3)).astype(np.uint8)
    (tmp_path / "a.tif").write_bytes(made(samples, 2, rows=1200))
    scene = open_scene(tmp_path / "a.tif")
    np.testing.assert_array_equal(scene.window(900, 3, 910, 50), samples[900:910, 3:50])
    assert 0 < scene._segments.bytes < samples.nbytes / 4
    np.testing.assert_array_equal(scene.window(0, 0, 1200, 400), samples)
    (tmp_path / "b.tif").write_bytes(made(samples, 2, "deflate", rows=1200))
    monkeypatch.setattr(scenes, "MOST_OF_A_SEGMENT", 1000)
    with pytest.raises(FileError, match="more than the limit"):
        open_scene(tmp_path / "b.tif", max_pixels=1000)
    assert isinstance(open_scene(tmp_path / "b.tif"), PictureScene)


def test_an_overview_shows_no_colours_of_no_data(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 110, (600, 800, 3)).astype(np.uint8)
    pixels[:300] = 0
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, photometric="rgb", extratags=[(42113, 2, 2, "0", True)])
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
    found = open_scene(path).thumbnail()
    assert found.shape == (300, 400, 3)
    assert found.min() >= 99
