"""Formats that are read and not written: pixels, depth and what is said besides; what they become when written."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from clairvoy.errors import FileError
from clairvoy.imaging.files import encode, read
from clairvoy.imaging.formats import colour_boxes, exif

HEIC = Path(__file__).with_name("heic")
RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (9, 12, 3), np.uint8)
EXACT = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
MOVING = ("is an animation; its first frame was taken",)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def moving(kind: str, **options: object) -> bytes:
    first = Image.fromarray(np.full((6, 8, 3), 200, np.uint8))
    return saved(first, kind, save_all=True, append_images=[Image.new("RGB", (8, 6), "red")], **options)


@pytest.mark.parametrize(
    ("kind", "name"), [("BMP", "BMP"), ("PPM", "PNM"), ("JPEG2000", "JPEG2000"), ("GIF", "GIF")]
)
def test_eight_bits_are_read_exactly(kind, name):
    image = Image.fromarray(PIXELS // 64 * 64)  # few enough colours for a palette
    picture = read(saved(image, kind))
    assert picture.format == name
    np.testing.assert_array_equal(picture.pixels, PIXELS // 64 * 64)
    assert picture.notes == ()


@pytest.mark.parametrize(("mode", "kind"), [("L", "BMP"), ("1", "BMP"), ("L", "PPM"), ("L", "JPEG2000")])
def test_grey_stays_grey(mode, kind):
    image = Image.fromarray(PIXELS[..., 0]).convert(mode)
    picture = read(saved(image, kind))
    assert picture.grey
    np.testing.assert_array_equal(picture.pixels[..., 0], np.asarray(image.convert("L")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_is_taken_and_said(kind):
    picture = read(moving(kind))
    assert picture.notes == MOVING
    assert abs(picture.pixels.astype(int) - 200).max() <= 3
    assert picture.alpha is None


def test_transparency_of_a_palette_becomes_alpha():
    image = Image.fromarray(PIXELS[..., 0] // 128).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    picture = read(saved(image, "GIF", transparency=0))
    np.testing.assert_array_equal(picture.alpha, np.where(PIXELS[..., 0] < 128, 0, 255))
    assert (picture.pixels[picture.alpha == 255] == (0, 0, 255)).all()


@pytest.mark.parametrize(("peak", "channels"), [(1023, 3), (4095, 1), (65535, 3)])
def test_a_deep_pnm_is_stretched_to_sixteen_bits(peak, channels):
    samples = RNG.integers(0, peak + 1, (5, 7, channels)).astype(np.uint16)
    samples[0, 0], samples[0, 1] = peak, 0
    header = f"P{6 if channels == 3 else 5}\n# a comment\n7 5\n{peak}\n".encode()
    picture = read(header + samples.astype(">u2").tobytes())
    np.testing.assert_array_equal(
        picture.pixels, np.rint(samples / peak * 65535).astype(np.uint16).repeat(4 - channels, 2)[..., :3]
    )
    assert picture.grey == (channels == 1)
    with pytest.raises(FileError, match="pixels are missing"):
        read(header + samples.astype(">u2").tobytes()[:-1])


def test_a_header_of_nothing_but_blanks_is_read_in_no_time():
    """Found by the fuzzer: the pattern of the header tried every way to cut a run of blanks."""
    with pytest.raises(FileError, match="truncated or damaged"):
        read(b"P6 9 4" + b"\f" * 50_000 + b"x")


@pytest.mark.parametrize("shape", [(64, 80), (64, 80, 3)])
def test_a_deep_jpeg_2000_keeps_its_bits(shape):
    samples = RNG.integers(0, 65536, shape).astype(np.uint16)
    data = cv2.imencode(".jp2", samples if len(shape) == 2 else samples[..., ::-1], EXACT)[1].tobytes()
    picture = read(data)
    assert picture.pixels.dtype == np.uint16
    np.testing.assert_array_equal(picture.pixels, samples.reshape(64, 80, -1) * np.ones(3, np.uint16))


def test_a_profile_in_a_colour_box_is_found_and_broken_boxes_are_not():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    box = struct.pack(">I", len(profile) + 11) + b"colr\2\0\0" + profile
    assert colour_boxes.profile(b"before" + box) == profile
    assert colour_boxes.profile(box[: len(box) // 2]) is None
    points = struct.pack(">I", 19) + b"colrnclx" + struct.pack(">HHHB", 9, 16, 9, 128)
    assert colour_boxes.code_points(points) == bytes((9, 16, 0, 1))
    assert colour_boxes.code_points(points.replace(b"\0\t\0\x10", b"\0\1\0\r")) is None


@pytest.mark.parametrize("name", ["turned", "p3", "alpha", "deep"])
def test_heic(name):
    pytest.importorskip("pi_heif")
    picture = read(HEIC / f"{name}.heic")
    turned = name == "turned"
    assert picture.format == "HEIC"
    assert picture.pixels.shape == ((32, 16, 3) if turned else (16, 32, 3))
    expected = np.zeros((16, 32, 3))
    expected[:, :16, 0] = expected[:, 16:, 2] = 1
    expected[:8, :, 1] = 0.5
    found = exif.turned(picture.pixels, 8) if turned else picture.pixels  # back to how it lay in the file
    white = np.iinfo(picture.pixels.dtype).max
    assert abs(found / white - expected).mean() < 0.01
    assert (picture.pixels.dtype == np.uint16) == (name == "deep")
    assert (picture.alpha is not None) == (name == "alpha")
    if name == "alpha":
        assert (picture.alpha == 128).all()
    if name == "p3":
        assert picture.metadata.png_chunks == ((b"cICP", bytes((12, 13, 0, 1))),)
    if turned:
        assert exif.orientation_of(picture.metadata.exif) == 1
        assert b"Camera" in picture.metadata.exif


def test_heic_that_is_cut_off_or_too_large_is_refused():
    pytest.importorskip("pi_heif")
    data = (HEIC / "deep.heic").read_bytes()
    with pytest.raises(FileError, match="truncated or damaged"):
        read(data[:400])
    with pytest.raises(FileError, match="32 x 16 pixels, more than the limit of 511"):
        read(data, max_pixels=511)


def test_heic_with_a_name_that_is_no_text_is_refused():
    """Found by the fuzzer: the library ended the process."""
    pytest.importorskip("pi_heif")
    data = (HEIC / "turned.heic").read_bytes()
    damaged = data.replace(b"Exif\0\0\0\0\x0epitm", b"E\xdcif\0\0\0\0\x0epitm")
    assert damaged != data
    with pytest.raises(FileError, match="an item has no name"):
        read(damaged)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_xl(channels):
    pylibjxl = pytest.importorskip("pylibjxl")
    samples = RNG.integers(0, 256, (8, 8, channels), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if channels > 1 else None
    block = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", exif.ORIENTATION, 3, 1, 6, 0) + bytes(4)
    data = pylibjxl.encode(samples, lossless=True, exif=bytes(4) + block, xmp=b"<x:xmpmeta/>", icc=profile)
    picture = read(data)
    assert picture.format == "JPEGXL"
    np.testing.assert_array_equal(picture.pixels[..., 0], samples[..., 0])
    assert (picture.alpha is not None) == (channels == 4)
    assert exif.orientation_of(picture.metadata.exif) == 1, "libjxl has turned it already"
    assert picture.metadata.exif[:8] == block[:8]
    assert picture.metadata.xmp == b"<x:xmpmeta/>"


def dng(mosaic: np.ndarray, orientation: int = 1) -> bytes:
    """Make a DNG of one mosaic (H, W) uint16: red green over green blue."""
    target = io.BytesIO()
    matrix = (
        32405,
        -15371,
        -4985,
        -9693,
        18760,
        416,
        556,
        -2040,
        10572,
    )  # XYZ to linear sRGB, D65, in 1/10000
    tags = [
        (271, 2, 0, "Camera", True),
        (274, 3, 1, orientation, True),
        (33421, 3, 2, (2, 2), True),  # size of the colour filter's pattern
        (33422, 1, 4, bytes((0, 1, 1, 2)), True),
        (50706, 1, 4, bytes((1, 4, 0, 0)), True),  # DNG version
        (50708, 2, 0, "Camera Model", True),
        (50717, 4, 1, 65535, True),  # white level
        (50721, 10, 9, tuple(part for value in matrix for part in (value, 10000)), True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),  # as shot: neutral
        (50778, 3, 1, 21, True),  # daylight
    ]
    with tifffile.TiffWriter(target, byteorder="<") as writer:
        writer.write(mosaic, photometric=32803, software=False, metadata=None, extratags=tags)
    return target.getvalue()


def test_camera_raw_is_developed_to_sixteen_bits():
    pytest.importorskip("rawpy")
    mosaic = np.full((64, 96), 30000, np.uint16)
    mosaic[:, :48] = 3000
    picture = read(dng(mosaic))
    assert picture.format == "RAW"
    assert picture.pixels.dtype == np.uint16
    assert picture.pixels.shape == (64, 96, 3)
    dark, bright = (picture.pixels[20:40, columns].mean((0, 1)) for columns in (slice(8, 36), slice(60, 90)))
    np.testing.assert_allclose(bright, 65535, rtol=0.01)  # the brightest hundredth becomes white
    # A tenth of the light, through the curve of sRGB (IEC 61966-2-1).
    np.testing.assert_allclose(dark / 65535, 1.055 * 0.1 ** (1 / 2.4) - 0.055, rtol=0.03)
    assert b"Camera" in picture.metadata.exif
    assert picture.notes == ()


def test_camera_raw_is_turned_once():
    pytest.importorskip("rawpy")
    mosaic = np.full((64, 96), 30000, np.uint16)
    mosaic[:32] = 3000
    picture = read(dng(mosaic, orientation=6))  # the first row is at the right
    assert picture.pixels.shape == (96, 64, 3)
    assert picture.pixels[:, 50:].mean() < picture.pixels[:, :14].mean() / 2
    assert exif.orientation_of(picture.metadata.exif) == 1


@pytest.mark.parametrize(
    ("package", "extra", "data"),
    [
        ("pi_heif", "heic", b"\0\0\0\x18ftypheic"),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW"),
        ("pylibjxl", "jxl", b"\xff\x0a"),
    ],
)
def test_what_an_extra_reads_is_named_where_it_is_missing(package, extra, data, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FileError, match=rf"to read it: pip install 'clairvoy\[{extra}\]'"):
        read(data)


def test_a_maker_note_keeps_its_place_in_an_avif():
    picture = read(saved(Image.fromarray(PIXELS), "PNG"))
    maker = bytes(range(60))
    tree = {
        0x010F: exif.Entry(2, 7, b"Camera\0"),
        exif.ORIENTATION: exif.Entry(3, 1, struct.pack("<H", 1)),
        exif.EXIF_POINTER: {0x927C: exif.Entry(7, 60, maker)},
    }
    block = exif.new_block(tree, "<")
    back = read(encode(picture.pixels, _with_exif(picture, block), "AVIF"))
    assert back.metadata.exif.index(maker) == block.index(maker)
    assert exif.orientation_of(back.metadata.exif) == 1


def _with_exif(picture, block):
    from dataclasses import replace

    return replace(picture, metadata=replace(picture.metadata, exif=block))
