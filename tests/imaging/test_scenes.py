"""Reading and writing scenes by windows: the same pixels as reading them whole."""

import numpy as np
import pytest
import tifffile

from clairvoy.errors import FileError
from clairvoy.imaging import scenes
from clairvoy.imaging.files import Picture, read, write
from clairvoy.imaging.scenes import PictureScene, TiffScene, can_read_by_windows, open_scene, write_scene

ICC = bytes(36) + b"acsp" + bytes(92)
BOXES = ((0, 0, 150, 210), (13, 77, 100, 200), (140, 190, 150, 210), (63, 64, 65, 129))


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    monkeypatch.setattr(scenes, "BY_WINDOWS_FROM", 1000)


def samples(dtype=np.uint8, channels=3):
    shape = (150, 210, channels) if channels > 1 else (150, 210)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def save(path, pixels, byteorder="<", overview=None, **how):
    photometric = how.pop("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    with tifffile.TiffWriter(path, byteorder=byteorder) as file:
        file.write(pixels, photometric=photometric, **how)
        if overview is not None:
            file.write(overview, photometric=photometric, subfiletype=1, **how)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"tile": (64, 64)},
        {"rowsperstrip": 16},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "tile": (128, 64), "predictor": True},
        {"tile": (64, 64), "byteorder": ">"},
    ],
)
def test_windows_are_those_of_the_whole(tmp_path, dtype, how):
    pixels = samples(dtype)
    save(tmp_path / "a.tif", pixels, **how)
    assert can_read_by_windows(tmp_path / "a.tif")
    scene = open_scene(tmp_path / "a.tif")
    assert isinstance(scene, TiffScene)
    assert (scene.height, scene.width, scene.dtype) == (150, 210, dtype)
    for top, left, bottom, right in BOXES:
        assert np.array_equal(scene.window(top, left, bottom, right), pixels[top:bottom, left:right])
    assert scene.thumbnail() is None


def test_only_what_is_asked_for_is_decoded(tmp_path, monkeypatch):
    save(tmp_path / "a.tif", samples(), tile=(64, 64))
    scene = open_scene(tmp_path / "a.tif")
    scene.window(0, 0, 64, 64)
    scene.window(10, 10, 60, 60)
    assert len(scene._segments.kept) == 1
    scene.window(60, 60, 70, 70)
    assert len(scene._segments.kept) == 4
    monkeypatch.setattr(scenes, "CACHE_BYTES", 1)
    scene.window(140, 200, 150, 210)
    assert len(scene._segments.kept) == 1


def test_grey_becomes_rgb(tmp_path):
    grey = samples(channels=1)
    save(tmp_path / "grey.tif", grey)
    window = open_scene(tmp_path / "grey.tif").window(3, 4, 9, 12)
    assert np.array_equal(window, np.repeat(grey[3:9, 4:12, None], 3, axis=2))


def test_an_overview_is_the_thumbnail(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 65535, (600, 800, 3), dtype=np.uint16)
    save(tmp_path / "a.tif", pixels, overview=pixels[::2, ::2])
    found = open_scene(tmp_path / "a.tif").thumbnail()
    assert np.array_equal(found, (pixels[::2, ::2] >> 8).astype(np.uint8))
    save(tmp_path / "b.tif", pixels, overview=pixels[:300])  # another view
    assert open_scene(tmp_path / "b.tif").thumbnail() is None


@pytest.mark.parametrize("how", [{"extratags": [(274, 3, 1, 6, True)]}, {"float": True}])
def test_other_tiffs_are_read_whole(tmp_path, how):
    pixels = samples() / np.float32(255) if how.pop("float", False) else samples()
    save(tmp_path / "a.tif", pixels, **how)
    assert not can_read_by_windows(tmp_path / "a.tif")
    scene = open_scene(tmp_path / "a.tif")
    assert isinstance(scene, PictureScene)
    assert np.array_equal(scene.window(1, 2, 30, 40), read(tmp_path / "a.tif").pixels[1:30, 2:40])


def test_other_pictures_are_read_whole(tmp_path):
    pixels = samples()
    write(tmp_path / "a.png", pixels, Picture(pixels))
    scene = open_scene(tmp_path / "a.png")
    assert isinstance(scene, PictureScene)
    assert np.array_equal(scene.thumbnail(), pixels)  # small enough to be its own thumbnail
    with pytest.raises(FileError, match="no such file"):
        open_scene(tmp_path / "no.png")


def test_a_truncated_tiff_is_named(tmp_path):
    save(tmp_path / "a.tif", samples(), tile=(64, 64), compression="zlib")
    scene = open_scene(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    offset, size = scene.page.offsets[3], scene.page.sizes[3]
    data[offset : offset + size] = bytes(size)
    (tmp_path / "b.tif").write_bytes(data)
    with pytest.raises(FileError, match=r"b\.tif: is truncated or damaged"):
        open_scene(tmp_path / "b.tif").window(0, 0, 150, 210)


def test_writing_by_tiles_keeps_what_is_not_changed(tmp_path):
    pixels = samples(np.uint16)
    save(
        tmp_path / "a.tif",
        pixels,
        tile=(64, 64),
        resolution=(300, 150),
        extratags=[(34675, 7, len(ICC), ICC, True)],
    )
    scene = open_scene(tmp_path / "a.tif")

    def darker_below(part, top, left):
        rows = np.arange(top, top + len(part))[:, None, None]
        return np.where(rows >= 100, part // 2, part)

    write_scene(tmp_path / "b.tif", scene, darker_below, tile=64)
    again = tifffile.imread(tmp_path / "b.tif")
    assert again.dtype == np.uint16
    assert np.array_equal(again[:100], pixels[:100])
    assert np.array_equal(again[100:], pixels[100:] // 2)
    written = read(tmp_path / "b.tif")
    assert written.metadata.icc == ICC
    assert written.metadata.dpi == pytest.approx((300, 150))
