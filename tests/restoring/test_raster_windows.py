"""Rasters restored window by window: no seam, the same as a whole picture, what nobody sees left alone."""

from contextlib import ExitStack

import numpy as np
import pytest
from made_rasters import PLACE, hazy, write_raster
from rasterio.transform import Affine

from clairvoy import Dehazer
from clairvoy.errors import FileError
from clairvoy.imaging.rasters.levels import Levels
from clairvoy.imaging.rasters.raster_file import Part, RasterFile
from clairvoy.restoring import full_resolution
from clairvoy.restoring.full_resolution import FullResolution
from clairvoy.restoring.raster import LookRestorer, look_at, restored_values
from clairvoy.restoring.raster_search import RasterScene, search_raster


@pytest.fixture(scope="module")
def dehazer(untrained_weights):
    return Dehazer.load(untrained_weights)


def restored(dehazer, raster, look, pixels):
    """The raster restored in windows of about so many pixels, (H, W, bands)."""
    restorer = LookRestorer(dehazer, look, raster)
    whole = raster.values(Part(0, 0, raster.height, raster.width))
    for part in raster.parts(pixels):
        values = restored_values(raster, part, look.levels, restorer)
        if values is not None:
            whole[part.top : part.top + part.height, part.left : part.left + part.width] = values
    return whole


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_windows_are_the_whole_to_the_bit(tmp_path, dehazer, dtype, compiled, monkeypatch):
    if compiled:
        pytest.importorskip("numba", reason="needs the extra: pip install 'clairvoy[speed]'")
    # A window is smaller than this, the whole is not: they must be computed alike all the same.
    monkeypatch.setattr(full_resolution, "COMPILED_FROM", 200 * 300 if compiled else 10**9)
    values = hazy(200, 300, dtype=dtype)
    path = write_raster(tmp_path / "a.tif", values)
    with RasterFile(path) as raster:
        look = look_at(dehazer, [raster.path], force=True)
        whole = restored(dehazer, raster, look, 10**9)
        assert np.array_equal(restored(dehazer, raster, look, 64 * 64), whole)
        guide = dehazer.engine.released.guide
        pixels = values.transpose(1, 2, 0)
        expected = FullResolution(look.field.grid, guide, look.field.airlight).restore(
            np.ascontiguousarray(pixels)
        )
        tolerance = 1e-6 if dtype == "float32" else 0
        assert np.abs(whole.astype(float) - expected).max() <= tolerance
        assert not np.array_equal(whole, pixels)


def test_a_gradient_has_no_step_at_a_border_of_windows(tmp_path, dehazer):
    ramp = np.linspace(0.4, 0.8, 512, dtype=np.float32)
    path = write_raster(tmp_path / "a.tif", np.broadcast_to(ramp, (3, 256, 512)).copy())
    with RasterFile(path) as raster:
        look = look_at(dehazer, [raster.path], force=True)
        steps = np.abs(np.diff(restored(dehazer, raster, look, 64 * 64), n=2, axis=1)).mean(axis=(0, 2))
    # Second differences, between pixels k and k + 2: those across a border begin at 62, 63, 126, 127, ...
    border = (np.arange(len(steps)) + 1) % 64 <= 0
    border |= (np.arange(len(steps)) + 2) % 64 <= 0
    assert steps[border].mean() < 1.2 * steps[~border].mean() + 1e-7


def test_a_raster_and_the_photograph_of_it_are_seen_alike(tmp_path, dehazer):
    values = hazy(300, 400)
    with RasterFile(write_raster(tmp_path / "a.tif", values)) as raster:
        look = look_at(dehazer, [raster.path])
    result = dehazer(np.ascontiguousarray(values.transpose(1, 2, 0)))
    assert look.report.haze_probability == result.report.haze_probability
    assert np.array_equal(look.field.grid, result.field.grid)


@pytest.mark.parametrize(("dtype", "marker"), [("uint8", 0), ("uint8", 90), ("float32", np.nan)])
def test_what_nobody_sees_stays_and_nothing_becomes_no_data(tmp_path, dehazer, dtype, marker):
    values = hazy(128, 128, dtype=dtype)
    values[:, :50, :70] = marker
    values[:, 60:, 60:] //= 8  # dark: without haze some of it would be 0
    path = write_raster(tmp_path / "a.tif", values, nodata=marker)
    with RasterFile(path) as raster:
        look = look_at(dehazer, [raster.path], force=True, levels=Levels(0, 255 if dtype == "uint8" else 1))
        after = restored(dehazer, raster, look, 10**9)
        part = Part(0, 0, 64, 64)
        assert raster.hidden(part, raster.values(part)).sum() == 50 * 64
        # A window of which nothing is seen is not even restored.
        assert (
            restored_values(raster, Part(0, 0, 50, 64), look.levels, lambda *_: pytest.fail("restored"))
            is None
        )
    before = values.transpose(1, 2, 0)
    hidden = np.zeros((128, 128), bool)
    hidden[:50, :70] = True
    assert np.array_equal(after[hidden], before[hidden], equal_nan=True)
    assert not (after[~hidden] == marker).any()
    assert (after[~hidden] != before[~hidden]).any()
    if marker == 0:
        assert (after[~hidden] == 1).any()


def test_a_raster_without_any_data_is_refused(tmp_path, dehazer):
    path = write_raster(tmp_path / "a.tif", np.zeros((3, 64, 64), np.uint8), nodata=0)
    with RasterFile(path) as raster, pytest.raises(FileError, match=r"a\.tif.*no data"):
        look_at(dehazer, [raster.path])


def test_one_band_is_grey(tmp_path, dehazer):
    values = hazy(96, 96, 1)
    with RasterFile(write_raster(tmp_path / "a.tif", values)) as raster:
        look = look_at(dehazer, [raster.path], force=True)
        after = restored(dehazer, raster, look, 10**9)
    pixels = np.ascontiguousarray(values.transpose(1, 2, 0).repeat(3, axis=2))
    colours = dehazer.take_away(pixels, look.field).astype(float)
    assert after.shape == (96, 96, 1)
    assert np.abs(after[..., 0] - colours @ [0.299, 0.587, 0.114]).max() <= 0.5001


def test_reflectances_are_seen_as_a_picture_and_stay_reflectances(tmp_path, dehazer):
    whole = hazy(128, 128, dtype="float32")
    with RasterFile(write_raster(tmp_path / "a.tif", (whole * 4000).astype(np.uint16))) as raster:
        look = look_at(dehazer, [raster.path], force=True)
        assert 2500 < look.levels.white < 3500
        after = restored(dehazer, raster, look, 10**9)
    brightness = look.levels.brightness((whole * 4000).astype(np.uint16)).transpose(1, 2, 0)
    clear = dehazer.take_away(np.ascontiguousarray(brightness), look.field)
    inside = brightness < 1
    expected = clear[inside] * look.levels.white
    assert np.abs(after[inside] - expected).max() <= 1
    assert np.array_equal(after[~inside], (whole * 4000).astype(np.uint16).transpose(1, 2, 0)[~inside])


def test_tiles_of_a_mosaic_are_restored_like_the_whole(tmp_path, dehazer):
    values = hazy(128, 256, dtype="float32")
    right = Affine(PLACE.a, 0, PLACE.c + 128 * PLACE.a, 0, PLACE.e, PLACE.f)
    paths = [
        write_raster(tmp_path / "left.tif", values[:, :, :160]),
        write_raster(tmp_path / "right.tif", values[:, :, 128:], transform=right),
    ]
    with ExitStack() as stack:
        tiles = [stack.enter_context(RasterFile(path)) for path in paths]
        whole = stack.enter_context(RasterFile(write_raster(tmp_path / "whole.tif", values)))
        look, single = look_at(dehazer, paths, force=True), look_at(dehazer, [whole.path], force=True)
        assert (look.height, look.width) == (128, 256)
        left, right = (restored(dehazer, tile, look, 64 * 64) for tile in tiles)
        assert np.array_equal(left[:, 128:], right[:, :32])  # where they overlap
        assert np.allclose(look.field.grid, single.field.grid, atol=1e-4)
        assert np.allclose(
            np.concatenate([left, right[:, 32:]], axis=1), restored(dehazer, whole, single, 10**9), atol=1e-3
        )


def test_noise_is_looked_for_at_full_resolution(tmp_path, dehazer, monkeypatch):
    levels = []
    monkeypatch.setattr(
        dehazer.__class__, "restore", lambda *_, noise, **__: levels.append(noise) or pytest.skip.Exception
    )
    noisy = np.random.default_rng(0).normal(128, 8, (3, 4096, 256)).clip(1, 254).astype(np.uint8)
    for nodata in (None, 0):
        if nodata == 0:
            noisy[:, :3000] = 0  # of which nothing is known
        with RasterFile(write_raster(tmp_path / f"{nodata}.tif", noisy, nodata=nodata)) as raster:
            monkeypatch.setattr("clairvoy.restoring.raster.LOOKED_AT", 256)
            with pytest.raises(AttributeError):
                look_at(dehazer, [raster.path])
    # Grey is the mean of three bands, whose noise is independent.
    assert levels == pytest.approx([8 / 255 / 3**0.5] * 2, rel=0.1)


def test_a_search_reads_no_more_than_it_says(tmp_path, dehazer):
    path = write_raster(tmp_path / "a.tif", hazy(512, 512))
    with RasterFile(path) as raster:
        seen = np.zeros((512, 512), bool)
        read = raster.values

        def counted(part):
            seen[part.top : part.top + part.height, part.left : part.left + part.width] = True
            return read(part)

        raster.values = counted
        found = search_raster(dehazer.engine, raster, budget=0.25, grid=(8, 8))
        looked = found.found.search.visited.sum()
        assert 1 <= looked <= 16
        assert seen.sum() == looked * 64 * 64
        assert raster.touched.sum() == looked


def test_only_recognised_windows_are_touched_and_changed(tmp_path, dehazer):
    path = write_raster(tmp_path / "a.tif", hazy(512, 512))
    with RasterFile(path) as raster:
        found = search_raster(dehazer.engine, raster, grid=(8, 8))
        found.found.search.recognised[:] = False
        found.found.search.recognised[2:5, 3] = True
        found = type(found)(found.scene, found.found, type(found.restorer)(dehazer.engine, found.found))
        for part in raster.parts(64 * 64):
            wanted = bool(found.found.search.recognised[part.top // 64, part.left // 64])
            assert found.touches(part) == wanted
            values = restored_values(raster, part, found.scene.levels, found)
            assert (values is not None) == wanted


def test_reduced_copies_are_the_thumbnail_of_a_search(tmp_path):
    values = (hazy(512, 512, dtype="float32") * 4000).astype(np.uint16)
    for overviews in ((), (2, 4)):
        with RasterFile(
            write_raster(tmp_path / f"{len(overviews)}.tif", values, overviews=overviews)
        ) as raster:
            scene = RasterScene(raster)
            assert scene.dtype == np.uint16
            assert 2500 < scene.levels.white < 3500
            thumbnail = scene.thumbnail()
            assert (thumbnail is None) == (not overviews)
            if overviews:
                assert not raster.touched.any()
                assert thumbnail.dtype == np.uint8
                assert abs(thumbnail.mean() - scene.window(0, 0, 512, 512).mean() / 257) < 2


@pytest.mark.parametrize(("overviews", "grid"), [((), (4, 8)), ((2,), (12, 24))])
def test_windows_of_a_search_are_about_square(tmp_path, dehazer, overviews, grid):
    with RasterFile(write_raster(tmp_path / "a.tif", hazy(192, 384), overviews=overviews)) as raster:
        assert search_raster(dehazer.engine, raster, budget=0.01).found.search.visited.shape == grid
