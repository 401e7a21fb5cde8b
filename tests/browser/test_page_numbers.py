"""What the page computes in JavaScript, against the Python that it was written after, by node."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms

from clairvoy.generative.density.picture_size import working_size
from clairvoy.imaging.formats.exif import made_upright
from clairvoy.restoring.cast import without_cast
from clairvoy.restoring.dehazer import how_much
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.full_resolution import FullResolution
from clairvoy.restoring.noise import noise_level, within_noise, within_signal
from clairvoy.restoring.planes import small
from clairvoy.restoring.released import read_released
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import PHOTOGRAPH_BUDGET, cut_windows, search


def scene(height, width, seed=0, noise=6.0):
    """Hills in haze, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:height, 0:width]
    shade = 90 + 80 * np.sin(u / 17 + v / 29) + 50 * v / height
    tint = shade[..., None] * (0.9, 1.0, 1.1) + rng.normal(0, noise, (height, width, 3))
    return tint.clip(0, 255).astype(np.uint8)


def of(pixels, hidden=None):
    """Pixels as the page holds them."""
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    if hidden is not None:
        alpha[hidden] = 0
    rgba = np.dstack([pixels, alpha])
    return {"pixels": rgba.ravel().tolist(), "width": pixels.shape[1], "height": pixels.shape[0]}


def planes(array):
    """An array (1, C, h, w) for JSON."""
    return {"data": np.asarray(array, np.float64).ravel().tolist(), "shape": array.shape[1:]}


def depth_field(height=32, width=40, bins=8, seed=0):
    return np.random.default_rng(seed).gamma(1.5, 0.5, (1, bins, height, width)).astype(np.float32)


def test_halves_go_to_the_even_neighbour(compute):
    values = [-1.5, -0.5, 0.4, 0.5, 1.5, 2.5, 4.5, 4.500001, 7.0]
    assert compute("rounded", values=values) == [round(value) for value in values]


def test_pictures_are_looked_at_in_the_same_size(compute):
    sizes = [(1, 1), (3000, 4000), (851, 1280), (40, 4000), (257, 255), (480, 640), (512, 384)]
    assert compute("workingSizes", sizes=sizes) == [list(working_size(*size)) for size in sizes]


@pytest.mark.parametrize(
    ("size", "to"), [((171, 230), (80, 96)), ((160, 192), (80, 96)), ((50, 60), (64, 80)), ((150, 40), (96, 64))]
)  # fmt: skip
def test_a_smaller_or_larger_picture(compute, size, to):
    pixels = scene(*size)
    told = np.array(compute("small", of=of(pixels), size=to)).reshape(3, *to)
    differ = np.abs(told - small(pixels, None, to)[0])
    assert differ.max() < 1.01 / 255  # a mean half-way between two levels may be rounded either way
    assert (differ > 1e-5).mean() < 0.15


def test_what_nobody_sees_is_filled_from_around(compute):
    pixels, hidden = scene(171, 230), np.zeros((171, 230), bool)
    hidden[30:120, 40:] = True
    told = np.array(compute("small", of=of(pixels, hidden), size=(80, 96))).reshape(3, 80, 96)
    np.testing.assert_allclose(told, small(pixels, hidden, (80, 96))[0], atol=1e-4)


@pytest.mark.parametrize("size", [(171, 330), (64, 64), (60, 400), (330, 130), (324, 192)])
def test_noise_is_told_alike(compute, size):
    coded = io.BytesIO()
    Image.fromarray(scene(*size)).save(coded, "JPEG", quality=40)
    pixels = np.asarray(Image.open(coded))
    assert compute("noise", of=of(pixels)) == pytest.approx(noise_level(pixels), rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 0.004, 0.08])
def test_optical_depth_is_bent_alike(compute, level):
    grid, shown = depth_field(), small(scene(200, 250), None, (64, 80))
    light = np.array([[0.8, 0.7, 0.75]], np.float32)
    told = compute("bent", grid=planes(grid), shown=planes(shown), airlight=light[0].tolist(), level=level)
    wanted = within_noise(within_signal(grid, shown, light), level)
    np.testing.assert_allclose(told, wanted.ravel(), rtol=2e-4, atol=1e-5)
    assert np.abs(wanted - grid).max() > 0.1


def test_the_airlight_takes_the_same_hue(compute):
    grid, shown = depth_field(), small(scene(200, 250), None, (64, 80))
    light = np.array([[0.8, 0.7, 0.75]], np.float32)
    told = compute("airlight", grid=planes(grid), shown=planes(shown), airlight=light[0].tolist())
    wanted = without_cast(light, shown, grid)[0]
    np.testing.assert_allclose(told, wanted, atol=1e-5)
    assert np.abs(wanted - light[0]).max() > 0.01


@pytest.mark.parametrize("rows", [7, 150])
def test_the_pass_at_full_resolution(compute, rows):
    pixels, grid = scene(150, 201), depth_field(seed=1)
    light = np.array([0.8, 0.7, 0.75], np.float32)
    whole = FullResolution(grid[0], read_released("fast").guide, light)
    told = compute(
        "restored", of=of(pixels), grid=planes(grid), airlight=light.tolist(), amount=0.7, rows=rows
    )
    np.testing.assert_allclose(
        np.exp(-np.array(told["depth"])).reshape(150, 201), whole.transmission(pixels), atol=1e-5
    )
    restored = np.array(told["pixels"]).reshape(150, 201, 4)
    differ = np.abs(restored[..., :3] - whole.restore(pixels, 0.7))
    assert differ.max() <= 1
    assert (differ > 0).mean() < 0.002
    assert (restored[..., 3] == 255).all()


def test_what_nobody_sees_is_not_restored(compute):
    pixels, hidden = scene(40, 50), np.zeros((40, 50), bool)
    hidden[:20] = True
    told = compute(
        "restored", of=of(pixels, hidden), grid=planes(depth_field()), airlight=[0.8] * 3, amount=1, rows=40
    )
    restored = np.array(told["pixels"]).reshape(40, 50, 4)
    np.testing.assert_array_equal(restored[:20, :, :3], pixels[:20])
    assert (restored[20:, :, :3] != pixels[20:]).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_agent_sees_and_does_the_same(compute, seed):
    """An agent of random weights, which goes and recognises here and there: all that it is told, step by step."""
    rng = np.random.default_rng(seed)
    maps = {
        "haze": rng.random((1, 1, 96, 120), np.float32),
        "spread": 0.3 * rng.random((1, 1, 12, 15), np.float32),
        "clear": rng.random((1, 1, 12, 15), np.float32),
        "tau_map": rng.random((1, 1, 12, 15), np.float32),
    }
    thumbnail = rng.integers(0, 256, (1, 3, 256, 256)).astype(np.uint8)
    weights = rng.normal(0, 1, (5, 3 * 32 * 32 + 4 + 8 * 81 + 8 + 106))
    weights[:, :3072] /= 255 * 10
    seen = []

    def agent(observation):
        names = ("window", "belief", "memory", "position", "guides")
        seen.append(np.concatenate([observation[name].ravel().astype(np.float64) for name in names]))
        return (weights @ seen[-1])[None]

    beliefs = pool_beliefs(*maps.values())
    found = search(agent, cut_windows(thumbnail), beliefs, budget=PHOTOGRAPH_BUDGET)
    told = compute(
        "search", thumbnail=planes(thumbnail), maps={name: planes(part) for name, part in maps.items()},
        weights=weights.tolist(),
    )  # fmt: skip
    np.testing.assert_allclose(told["beliefs"], beliefs.ravel(), atol=1e-6)
    assert len(told["seen"]) == len(seen)
    np.testing.assert_allclose(told["seen"], seen, atol=1e-5)
    assert told["value"] == pytest.approx(found.value, abs=1e-3)


def test_the_probability_of_haze(compute):
    engine = Engine(read_released("fast"))
    # The second is such that a part of the haze is taken away: its logit is 0.3.
    per_value, per_haze, offset = engine.released.recognition
    some = 0.3 - per_value * math.log1p(6.0) - per_haze * 0.3 - offset
    asked = [[0.0, 0.1, 0.4], [6.0, 0.3, some], [12.5, 0.5, 2.0], [-2.0, 0.9, 0.0], [1.0, 0.55, -0.3]]
    wanted = [engine.haze_probability(*one) for one in asked]
    told = compute("probabilities", asked=asked)
    np.testing.assert_allclose(told, [[one, how_much(one)] for one in wanted], atol=1e-12)
    assert 0 < how_much(wanted[1]) < 1


def photograph(kind, orientation=6):
    """A file of a kind with EXIF and profile: its bytes, the EXIF block and the profile."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "valley"
    inside = exif.get_ifd(0x8769)
    inside[0xA002], inside[0xA003], inside[0x9003] = 60, 70, "2024:05:06 07:08:09"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = with_thumbnail(exif.tobytes().removeprefix(b"Exif\0\0"))
    file = io.BytesIO()
    Image.fromarray(scene(50, 60)).save(file, kind, exif=b"Exif\0\0" + block, icc_profile=profile)
    return file.getvalue(), block, profile


def with_thumbnail(exif):
    """The block with a second directory, which is that of a thumbnail."""
    order = "little" if exif[:2] == b"II" else "big"
    first = int.from_bytes(exif[4:8], order)
    link = first + 2 + 12 * int.from_bytes(exif[first : first + 2], order)
    return exif[:link] + len(exif).to_bytes(4, order) + exif[link + 4 :] + bytes(6)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_exif_and_profile_are_found_and_made_upright(compute, kind, orientation):
    file, exif, profile = photograph(kind, orientation)
    told = compute("metadata", file=list(file))
    assert bytes(told["exif"]) == exif
    assert bytes(told["icc"]) == profile
    assert bytes(told["upright"]) == made_upright(exif)


def test_a_long_profile_lies_in_several_segments(compute):
    profile = photograph("JPEG")[2] + bytes(range(256)) * 600
    file = io.BytesIO()
    Image.fromarray(scene(20, 20)).save(file, "JPEG", icc_profile=profile)
    assert bytes(compute("metadata", file=list(file.getvalue()))["icc"]) == profile


@pytest.mark.parametrize("cut", [3, 9, 30, 200])
def test_a_file_that_ends_early_stops_nothing(compute, cut):
    for kind in ("JPEG", "PNG", "WEBP"):
        compute("metadata", file=list(photograph(kind)[0][:cut]))


@pytest.mark.parametrize("opaque", [True, False])
def test_png_holds_what_was_put_in(compute, opaque):
    pixels, hidden = scene(45, 31), np.zeros((45, 31), bool)
    hidden[:9] = not opaque
    exif, icc = photograph("JPEG")[1:]
    file = compute("png", of=of(pixels, hidden), opaque=opaque, exif=list(exif), icc=list(icc), rows=16)
    with Image.open(io.BytesIO(bytes(file))) as written:
        written.load()
        assert written.mode == ("RGB" if opaque else "RGBA")
        np.testing.assert_array_equal(np.asarray(written)[..., :3], pixels)
        if not opaque:
            np.testing.assert_array_equal(np.asarray(written)[..., 3] == 0, hidden)
        assert written.info["icc_profile"] == icc
        assert written.info["exif"].removeprefix(b"Exif\0\0") == exif


def test_a_zip_holds_what_was_put_in(compute):
    files = {"a/view.png": bytes(range(256)) * 9, "b/雾 é.jpg": b"fog", "empty": b""}
    made = compute("zip", files=[{"name": name, "bytes": list(data)} for name, data in files.items()])
    with zipfile.ZipFile(io.BytesIO(bytes(made))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_a_zip_may_be_larger_than_four_gigabytes(compute, tmp_path):
    """Its directory, behind a hole in place of so many pictures, as another program reads it."""
    entry = {"name": "last.png", "sum": 1, "size": 2, "at": 4_500_000_000}
    end = bytes(compute("zipFar", entry=entry, count=1, at=5_000_000_000))
    with (tmp_path / "far.zip").open("wb") as file:
        file.seek(5_000_000_000)
        file.write(end)
    with zipfile.ZipFile(tmp_path / "far.zip") as archive:
        (found,) = archive.infolist()
        assert (found.filename, found.header_offset, found.CRC, found.file_size) == (
            "last.png",
            4_500_000_000,
            1,
            2,
        )
    # More files than the old end of a directory can count: the new one does.
    end = bytes(compute("zipFar", entry=entry, count=70_000, at=9))
    new = end[end.index(b"PK\x06\x06") :]
    assert int.from_bytes(new[32:40], "little") == 70_000
    assert new.count(b"PK\x06\x07") == new.count(b"PK\x05\x06") == 1


def test_a_folder_is_walked_to_its_end_in_the_order_of_names(compute):
    """Browsers tell of a folder in parts."""
    tree = {"trip": {"b.png": None, "day": {"2.png": None, "1.png": None, "none": {}}, "a.png": None}}
    found = compute("below", tree=tree)
    names = ["trip/a.png", "trip/b.png", "trip/day/1.png", "trip/day/2.png"]
    assert found == [{"file": f"file /{name}", "path": name} for name in names]
