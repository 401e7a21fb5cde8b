"""Rasters told from other TIFFs, read by windows and as a whole, refused where they are damaged."""

import numpy as np
import pytest
import rasterio
import tifffile
from made_rasters import hazy, write_raster
from rasterio.transform import Affine

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.rasters import recognition
from clairvoy.imaging.rasters.raster_file import Part, RasterFile

ROTATED = Affine(0.4, 0.3, 500_000, 0.3, -0.4, 4_500_000)
WHOLE = Part(0, 0, 130, 200)


@pytest.fixture
def raster(tmp_path):
    return write_raster(tmp_path / "scene.tif", hazy(130, 200))


@pytest.mark.parametrize(
    "how", [{}, {"bigtiff": "YES"}, {"endianness": "big"}, {"compress": "jpeg"}, {"cog": True}]
)
def test_a_georeferenced_tiff_is_told_from_its_tags(tmp_path, how):
    path = write_raster(tmp_path / "a.tif", hazy(130, 200), **how)
    assert recognition.is_georeferenced(path)
    assert recognition.is_larger_than(path, 25_999)
    assert not recognition.is_larger_than(path, 26_000)
    assert recognition.is_big_tiff(path) == ("bigtiff" in how)


def test_a_world_file_beside_tells_the_place_too(tmp_path):
    path = write_raster(tmp_path / "a.tif", hazy(64, 64), crs=None, transform=None)
    assert not recognition.is_georeferenced(path)
    path.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n500000\n4500000\n")
    assert recognition.is_georeferenced(path)


def test_what_must_be_divided_or_turned_first_is_a_photograph(tmp_path):
    divided = write_raster(tmp_path / "a.tif", hazy(64, 64, 4), alpha="premultiplied")
    assert not recognition.is_georeferenced(divided)
    turned = tmp_path / "b.tif"
    tifffile.imwrite(turned, hazy(32, 48).transpose(1, 2, 0), extratags=[(274, "H", 1, 6, True)])
    assert not recognition.is_larger_than(turned, 0)
    tifffile.imwrite(turned, hazy(32, 48).transpose(1, 2, 0), extratags=[(274, "H", 1, 1, True)])
    assert recognition.is_larger_than(turned, 0)


def test_other_files_are_no_rasters(tmp_path, raster):
    palette = write_raster(tmp_path / "p.tif", hazy(64, 64, 1), photometric="palette")
    (tmp_path / "text.tif").write_text("II*\0 and no more")
    (tmp_path / "empty.tif").write_bytes(b"")
    for path in (palette, tmp_path / "text.tif", tmp_path / "empty.tif", tmp_path / "missing.tif"):
        assert not recognition.is_georeferenced(path)
        assert not recognition.is_larger_than(path, 0)


def test_without_rasterio_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(recognition, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"--mosaic.*clairvoy\[geo\]"):
        recognition.check_installed("--mosaic")


@pytest.mark.parametrize("cut", [0.5, 0.95])
@pytest.mark.parametrize("how", [{}, {"tiled": False, "compress": None}])
def test_a_cut_off_file_is_refused_before_any_work(tmp_path, cut, how):
    path = write_raster(tmp_path / "a.tif", hazy(130, 200), **how)
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data))])
    with pytest.raises(FileError, match=r"a\.tif.*(truncated|damaged)"):
        RasterFile(path)


def test_damage_inside_is_found_when_it_is_read(raster):
    data = bytearray(raster.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\x55" * 3000
    raster.write_bytes(data)
    with RasterFile(raster) as opened, pytest.raises(FileError, match=r"scene\.tif: is truncated or damaged"):
        opened.values(WHOLE)


@pytest.mark.parametrize(
    ("values", "how", "said"),
    [
        (hazy(64, 64, 1, "float32"), {}, "heights"),
        (hazy(64, 64, 2), {}, "two bands"),
        (np.zeros((3, 64, 64), np.complex64), {"photometric": None}, "complex64"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, values, how, said):
    path = write_raster(tmp_path / "a.tif", values, **how)
    with pytest.raises(FileError, match=said):
        RasterFile(path)


def test_a_strip_that_is_nearly_all_of_it_is_refused(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "a.tif", hazy(130, 200), tiled=False, blockysize=130)
    monkeypatch.setattr("clairvoy.imaging.rasters.raster_file.LARGEST_BLOCK", 20_000)
    with pytest.raises(FileError, match="TILED=YES"):
        RasterFile(path)


@pytest.mark.parametrize("pixels", [1, 64 * 64, 64 * 128, 64 * 200, 128 * 200, 10**9])
def test_parts_cover_each_pixel_once_and_end_where_tiles_end(raster, pixels):
    with RasterFile(raster) as opened:
        count = np.zeros((130, 200), int)
        for part in opened.parts(pixels):
            count[part.top : part.top + part.height, part.left : part.left + part.width] += 1
            assert part.top % 64 == part.left % 64 == 0
            assert part.height * part.width <= max(pixels, 64 * 64)
        assert (count == 1).all()


def test_windows_are_those_of_the_whole(raster):
    with rasterio.open(raster) as data:
        whole = data.read().transpose(1, 2, 0)
    with RasterFile(raster) as opened:
        assert np.array_equal(opened.values(Part(60, 30, 70, 111)), whole[60:130, 30:141])
        assert opened.hidden(WHOLE, whole) is None


def test_what_was_decoded_is_counted_in_tiles(raster):
    with RasterFile(raster) as opened:
        opened.values(Part(63, 0, 2, 64))
        assert np.argwhere(opened.touched).tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("way", ["no data", "alpha", "mask", "nan"])
def test_what_nobody_sees(tmp_path, way):
    values = hazy(64, 96, 4 if way == "alpha" else 3, "float32" if way == "nan" else "uint8")
    values[:, :20, :30] = np.nan if way == "nan" else 0
    path = write_raster(
        tmp_path / "a.tif",
        values,
        nodata=0 if way == "no data" else None,
        **({"alpha": "yes"} if way == "alpha" else {}),
    )
    if way == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as out:
            mask = np.full((64, 96), 255, np.uint8)
            mask[:20, :30] = 0
            out.write_mask(mask)
    with RasterFile(path) as opened:
        part = Part(10, 10, 54, 86)
        hidden = opened.hidden(part, opened.values(part))
        expected = np.zeros((54, 86), bool)
        expected[:10, :20] = True
        assert np.array_equal(hidden, expected)
        coarse, unseen = opened.coarse(48)
        assert coarse.shape == (32, 48, 3)
        assert unseen[:10, :15].all()
        assert not unseen[11:, :].any()


def test_the_whole_at_a_small_size_is_a_mean(tmp_path):
    values = hazy(128, 128, dtype="float32")
    path = write_raster(tmp_path / "a.tif", values)
    with RasterFile(path) as opened:
        small, hidden = opened.coarse(32)
        expected = values.reshape(3, 32, 4, 32, 4).mean(axis=(2, 4)).transpose(1, 2, 0)
        assert np.allclose(small, expected, atol=1e-5)
        assert hidden is None
        assert opened.touched.all()


def test_reduced_copies_spare_the_reading_of_the_whole(tmp_path):
    path = write_raster(tmp_path / "a.tif", hazy(256, 256), overviews=(2, 4))
    with RasterFile(path) as opened:
        small, _ = opened.coarse(64)
        assert small.shape == (64, 64, 3)
        assert not opened.touched.any()


def test_a_rotated_place_and_no_place_at_all_are_read(tmp_path):
    for name, transform in (("a.tif", ROTATED), ("b.tif", None)):
        path = write_raster(tmp_path / name, hazy(64, 64), transform=transform)
        with RasterFile(path) as opened:
            assert opened.values(Part(0, 0, 64, 64)).shape == (64, 64, 3)
