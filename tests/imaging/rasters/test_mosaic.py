"""Tiles of one mosaic: where they lie, and all of them at a small size."""

from contextlib import ExitStack

import numpy as np
import pytest
from made_rasters import PLACE, hazy, write_raster
from rasterio.transform import Affine

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.mosaic import coarse_mosaic, mosaic_of
from clairvoy.imaging.rasters.raster_file import Part, RasterFile


@pytest.fixture
def opened():
    with ExitStack() as stack:
        yield lambda *paths: [stack.enter_context(RasterFile(path)) for path in paths]


def at(row, column, base=PLACE):
    return Affine(
        base.a,
        base.b,
        base.c + column * base.a + row * base.b,
        base.d,
        base.e,
        base.f + column * base.d + row * base.e,
    )


@pytest.mark.parametrize("base", [PLACE, Affine(0.4, 0.3, 500_000, 0.3, -0.4, 4_500_000)])
def test_places_are_counted_from_the_outermost_tile(tmp_path, opened, base):
    one = write_raster(tmp_path / "a.tif", hazy(100, 120), transform=at(0, 0, base))
    two = write_raster(tmp_path / "b.tif", hazy(80, 64), transform=at(90, -64, base))
    found = mosaic_of(opened(one, two))
    assert found.places == {one: Part(0, 64, 100, 120), two: Part(90, 0, 80, 64)}
    assert (found.height, found.width) == (170, 184)


def test_all_tiles_together_look_like_the_whole(tmp_path, opened):
    whole = hazy(256, 256, dtype="float32")
    tiles = [
        write_raster(
            tmp_path / f"{row}{column}.tif",
            whole[:, row : row + 128, column : column + 128],
            transform=at(row, column),
        )
        for row in (0, 128)
        for column in (0, 128)
        if (row, column) != (128, 0)
    ]
    tiles = opened(*tiles)
    small, hidden = coarse_mosaic(tiles, mosaic_of(tiles), 64)
    expected = whole.reshape(3, 64, 4, 64, 4).mean(axis=(2, 4)).transpose(1, 2, 0)
    missing = np.zeros((64, 64), bool)
    missing[32:, :32] = True
    assert np.array_equal(hidden, missing)
    assert np.allclose(small[~missing], expected[~missing], atol=1e-5)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"transform": None, "crs": None}, "no georeference"),
        ({"crs": "EPSG:32634"}, "coordinate system"),
        ({"transform": Affine(0.51, 0, 500_000, 0, -0.51, 4_500_000)}, "another size or direction"),
        ({"transform": Affine(0.4, 0.3, 500_000, 0.3, -0.4, 4_500_000)}, "another size or direction"),
        ({"dtype": "uint16"}, "other samples"),
    ],
)
def test_tiles_that_do_not_fit_are_named(tmp_path, opened, how, said):
    first = write_raster(tmp_path / "a.tif", hazy(64, 64))
    other = write_raster(tmp_path / "b.tif", hazy(64, 64, dtype=how.pop("dtype", "uint8")), **how)
    with pytest.raises(FileError, match=rf"b\.tif.*{said}"):
        mosaic_of(opened(first, other))


def test_what_one_tile_does_not_show_another_may(tmp_path, opened):
    one, two = hazy(64, 64, seed=1), hazy(64, 64, seed=2)
    one[:, :32], two[:, :, :32] = 0, 0
    tiles = opened(*(write_raster(tmp_path / f"{n}.tif", v, nodata=0) for n, v in (("a", one), ("b", two))))
    small, hidden = coarse_mosaic(tiles, mosaic_of(tiles), 64)
    missing = np.zeros((64, 64), bool)
    missing[:32, :32] = True
    assert np.array_equal(hidden, missing)
    assert np.array_equal(small[32:, :32], one.transpose(1, 2, 0)[32:, :32])
    assert np.array_equal(small[:, 32:], two.transpose(1, 2, 0)[:, 32:])
