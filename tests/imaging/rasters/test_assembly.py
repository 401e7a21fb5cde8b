"""What an output keeps of the raster that it was made of; parts that are left by a run that was killed."""

import base64

import numpy as np
import pytest
import rasterio
from made_rasters import hazy, read_raster, write_raster
from rasterio.enums import ColorInterp

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.assembly import assemble, keep_as_it_was
from clairvoy.imaging.rasters.raster_file import Part, RasterFile, opened
from clairvoy.imaging.rasters.unfinished import Unfinished, check_room


def darkened(path, target, *, quality=None, but_first=True, bands=()):
    """Take 40 away from the colours of all parts but the first, and write the output."""
    with RasterFile(path, bands) as raster:
        parts, done = raster.parts(64 * 64), Unfinished(target, "stamp")
        for part in parts[but_first:]:
            done.keep(part, raster.values(part) - 40)
        assemble(raster, parts, done, target, quality)
        done.remove()
        return raster.colours


def expected(path, colours):
    before = read_raster(path)
    values = before.copy()
    with RasterFile(path, colours) as raster:
        first = raster.parts(64 * 64)[0]
    for band in colours:
        values[band - 1] -= 40
    values[:, : first.height, : first.width] = before[:, : first.height, : first.width]
    return values


@pytest.fixture
def raster(tmp_path):
    return write_raster(tmp_path / "scene.tif", hazy(200, 150))


KINDS = {
    "tiles": (3, "uint8", {}),
    "strips": (3, "uint8", {"tiled": False, "blockysize": 16, "compress": "lzw", "predictor": 2}),
    "band by band": (3, "uint8", {"interleave": "band", "compress": "zstd"}),
    "not compressed": (3, "uint16", {"compress": None}),
    "12 bits": (3, "uint16", {"nbits": 12}),
    "one band": (1, "uint8", {}),
    "five bands": (5, "uint16", {"compress": "lzma"}),
    "alpha": (4, "uint8", {"alpha": "yes"}),
    "floats": (3, "float32", {"predictor": 3}),
    "BigTIFF": (3, "uint8", {"bigtiff": "YES"}),
    "no georeference": (3, "uint8", {"crs": None, "transform": None}),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_colours_change_where_parts_are_and_all_else_stays(tmp_path, name):
    count, dtype, how = KINDS[name]
    values = hazy(200, 150, count, dtype)
    values = values // 16 if name == "12 bits" else values
    path = write_raster(tmp_path / "in.tif", values, **how)
    colours = darkened(path, tmp_path / "out.tif")
    assert np.array_equal(read_raster(tmp_path / "out.tif"), expected(path, colours))
    with opened(path) as before, opened(tmp_path / "out.tif") as after:
        assert after.profile == before.profile
        assert after.colorinterp == before.colorinterp
        of_the_file = [data.tags(ns="IMAGE_STRUCTURE") for data in (before, after)]
        assert of_the_file[0] == of_the_file[1]
    first = [file.read_bytes()[:4] for file in (path, tmp_path / "out.tif")]
    assert first[0] == first[1]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in.tif", "out.tif"]


def test_names_numbers_and_tags_stay_and_stale_statistics_go(tmp_path):
    path = write_raster(tmp_path / "in.tif", hazy(130, 130, 4), nodata=7)
    with opened(path, "r+") as out:
        out.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.nir]
        out.update_tags(TIFFTAG_ARTIST="me", AREA_OR_POINT="Point", mission="9")
        out.update_tags(ns="OWN", key="value")
        out.update_tags(4, wavelength="842", STATISTICS_MEAN="12")
        out.update_tags(ns="RPC", LINE_OFF="1", SAMP_OFF="2")
        out.set_band_description(4, "B08")
        out.scales, out.offsets, out.units = (1e-4,) * 4, (0.1,) * 4, ("1",) * 4
    assert darkened(path, tmp_path / "out.tif") == (3, 2, 1)
    with opened(path) as before, opened(tmp_path / "out.tif") as after:
        assert (after.crs, after.transform, after.nodata) == (before.crs, before.transform, 7)
        assert (after.descriptions, after.scales, after.offsets, after.units, after.colorinterp) == (
            before.descriptions, before.scales, before.offsets, before.units, before.colorinterp,
        )  # fmt: skip
        assert after.tags() == before.tags()
        assert after.tags(ns="OWN") == {"key": "value"}
        assert after.tags(ns="RPC").items() >= before.tags(ns="RPC").items()
        assert after.tags(4) == {"wavelength": "842"}


@pytest.mark.parametrize("place", ["ground control points", "rotated", "world file"])
def test_other_ways_to_tell_the_place(tmp_path, place):
    from rasterio.control import GroundControlPoint
    from rasterio.transform import Affine

    rotated = Affine(0.4, 0.3, 500_000, 0.3, -0.4, 4_500_000)
    how = {"transform": rotated} if place == "rotated" else {"transform": None, "crs": None}
    path = write_raster(tmp_path / "in.tif", hazy(130, 130), **how)
    if place == "ground control points":
        with opened(path, "r+") as out:
            out.gcps = (
                [GroundControlPoint(r, c, c * 0.5, r * -0.5) for r, c in ((0, 0), (0, 99), (99, 0))],
                "EPSG:32633",
            )
    if place == "world file":
        path.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n500000\n4500000\n")
    with opened(path) as before:
        transform, points = before.transform, before.gcps
    darkened(path, tmp_path / "out.tif")
    path.with_suffix(".tfw").unlink(missing_ok=True)
    with opened(tmp_path / "out.tif") as after:
        assert after.transform == transform
        assert [(p.row, p.col, p.x, p.y) for p in after.gcps[0]] == [
            (p.row, p.col, p.x, p.y) for p in points[0]
        ]
        assert after.gcps[1] == points[1]


@pytest.mark.parametrize("cog", [False, True])
def test_overviews_are_made_of_the_new_pixels(tmp_path, cog):
    path = write_raster(tmp_path / "in.tif", hazy(600, 700), overviews=(2, 4), cog=cog)
    darkened(path, tmp_path / "out.tif", but_first=False)
    with opened(path) as before, opened(tmp_path / "out.tif") as after:
        assert after.overviews(1) == before.overviews(1) != []
        small = after.read(out_shape=(3, 300, 350)).astype(int)
        assert np.abs(small - before.read(out_shape=(3, 300, 350)) + 40).max() <= 1
        assert after.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == ("COG" if cog else None)
        assert after.block_shapes == before.block_shapes


def test_the_colour_profile_stays(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    encoded = base64.b64encode(profile).decode()
    path = write_raster(tmp_path / "in.tif", hazy(64, 64), SOURCE_ICC_PROFILE=encoded)
    darkened(path, tmp_path / "out.tif")
    with opened(tmp_path / "out.tif") as after:
        assert after.tags(ns="COLOR_PROFILE")["SOURCE_ICC_PROFILE"] == encoded


def test_masks_stay(tmp_path, raster):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), opened(raster, "r+") as out:
        mask = np.full((200, 150), 255, np.uint8)
        mask[:70, 30:90] = 0
        out.write_mask(mask)
    darkened(raster, tmp_path / "out.tif")
    with opened(tmp_path / "out.tif") as after:
        assert np.array_equal(after.dataset_mask(), mask)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.tif", "scene.tif"]


def test_a_lossy_raster_keeps_its_quality_unless_another_is_asked_for(tmp_path):
    path = write_raster(
        tmp_path / "in.tif", hazy(200, 150), compress="jpeg", photometric="ycbcr", jpeg_quality=61
    )
    darkened(path, tmp_path / "out.tif")
    darkened(path, tmp_path / "fine.tif", quality=95)
    for name, quality in (("out.tif", "61"), ("fine.tif", "95")):
        with opened(tmp_path / name) as after:
            assert after.tags(ns="IMAGE_STRUCTURE")["JPEG_QUALITY"] == quality
            assert after.profile["photometric"] == "ycbcr"
    off = [
        np.abs(read_raster(tmp_path / n).astype(int) - expected(path, (1, 2, 3))).mean()
        for n in ("out.tif", "fine.tif")
    ]
    assert off[1] < off[0] < 6


def test_tiles_that_were_never_written_stay_so(tmp_path):
    path = tmp_path / "in.tif"
    write_raster(path, np.zeros((3, 640, 640), np.uint8), sparse_ok=True)
    with opened(path, "r+") as out:
        out.write(hazy(64, 64), window=Part(64, 64, 64, 64).window)
    darkened(path, tmp_path / "out.tif", but_first=False)  # zeros wrap, and are written
    with RasterFile(path) as raster:
        parts, done = raster.parts(64 * 64), Unfinished(tmp_path / "sparse.tif", "")
        assemble(raster, parts, done, tmp_path / "sparse.tif")
        done.remove()
    assert (tmp_path / "sparse.tif").stat().st_size < 1.2 * path.stat().st_size
    assert np.array_equal(read_raster(tmp_path / "sparse.tif"), read_raster(path))


def test_a_raster_that_was_left_as_it_was_is_copied_or_made_one_file(tmp_path, raster):
    bare = write_raster(tmp_path / "bare.tif", hazy(64, 64), crs=None, transform=None)
    bare.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n500000\n4500000\n")
    for path in (raster, bare):
        out = tmp_path / f"out-{path.name}"
        with RasterFile(path) as source:
            done = Unfinished(out, "")
            keep_as_it_was(source, done, out)
            done.remove()
    assert (tmp_path / "out-scene.tif").read_bytes() == raster.read_bytes()
    with opened(tmp_path / "out-bare.tif") as data:
        assert data.transform.c == 499_999.75  # a world file tells the centre of the first pixel
        assert np.array_equal(data.read(), read_raster(bare))


def test_parts_are_kept_for_the_same_run_only(tmp_path):
    target, part, values = tmp_path / "out.tif", Part(0, 64, 5, 6), hazy(5, 6).transpose(1, 2, 0)
    Unfinished(target, "one").keep(part, values)
    again = Unfinished(target, "one")
    assert again.holds(part)
    assert again.resumed == 1
    assert np.array_equal(read_raster(again.path(part)).transpose(1, 2, 0), values)
    other = Unfinished(target, "two")
    assert not other.holds(part)
    assert other.resumed == 0
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_refused_first(tmp_path):
    with pytest.raises(FileError, match=r"out\.tif: may need .* GB .* free"):
        check_room(tmp_path / "missing" / "out.tif", 10**18)
    check_room(tmp_path / "out.tif", 1)


def test_a_source_that_breaks_while_it_is_copied_leaves_no_output(tmp_path, raster):
    data = bytearray(raster.read_bytes())
    data[len(data) // 2 :] = b"\x55" * (len(data) - len(data) // 2)
    with opened(raster) as good:
        assert good.count == 3
    directory = int.from_bytes(raster.read_bytes()[4:8], "little")
    if directory < len(data) // 2:
        raster.write_bytes(data)
    with RasterFile(raster) as source:
        done = Unfinished(tmp_path / "out.tif", "")
        with pytest.raises(FileError, match=r"out\.tif: cannot be written"):
            assemble(source, source.parts(64 * 64), done, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
