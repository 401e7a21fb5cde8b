"""TIFF: files of other writers are read exactly, and other programs read what is written."""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.files import Picture, encode, read
from clairvoy.imaging.formats import exif as exif_module
from clairvoy.imaging.formats import tiff
from clairvoy.imaging.formats.raster import Metadata

LIMIT = 100_000


def random_samples(channels: int, dtype: type, size: tuple[int, int] = (37, 53)) -> np.ndarray:
    return (
        np.random.default_rng(channels).integers(0, np.iinfo(dtype).max + 1, (*size, channels)).astype(dtype)
    )


def with_orientation(data: bytes, orientation: int) -> bytes:
    """Append a copy of the first directory that also has an orientation."""
    layout = exif_module.read_layout(data)
    entries, _ = exif_module.read_entries(data, layout, layout.first)
    entries[exif_module.ORIENTATION] = exif_module.Entry(3, 1, struct.pack(layout.order + "H", orientation))
    data += b"\0" * (len(data) % 2)
    header = data[:4] + struct.pack(layout.order + "I", len(data))
    return header + data[8:] + exif_module.write_tree(dict(entries), layout.order, len(data))


def by_tifffile(samples: np.ndarray, **options: object) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, samples, **options)
    return target.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "tile": (16, 16)},
        {"byteorder": ">", "rowsperstrip": 5},
        {"bigtiff": True},
    ],
    ids=str,
)
def test_files_of_tifffile_are_read_exactly(dtype, channels, options):
    samples = random_samples(channels, dtype)
    extra = ["unassalpha"] if channels in (2, 4) else None
    photometric = "rgb" if channels > 2 else "minisblack"
    stored = samples[..., 0] if channels == 1 else samples
    data = by_tifffile(stored, photometric=photometric, extrasamples=extra, planarconfig="contig", **options)
    np.testing.assert_array_equal(tiff.decode(data, LIMIT).samples, samples)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_separate_planes_and_white_is_zero(dtype):
    samples = random_samples(3, dtype)
    planes = by_tifffile(np.moveaxis(samples, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(tiff.decode(planes, LIMIT).samples, samples)
    negative = by_tifffile(samples[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(
        tiff.decode(negative, LIMIT).samples[..., 0], np.iinfo(dtype).max - samples[..., 0]
    )


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_compressions_that_tifffile_lacks_at_8_bits(mode, compression):
    samples = random_samples(len(mode), np.uint8)
    target = io.BytesIO()
    Image.fromarray(samples.squeeze(), mode if len(mode) == 2 else None).save(
        target, "TIFF", compression=compression
    )
    np.testing.assert_array_equal(tiff.decode(target.getvalue(), LIMIT).samples, samples)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lzw_at_16_bits(channels):
    samples = random_samples(channels, np.uint16)
    _, data = cv2.imencode(".tif", samples[..., [2, 1, 0, 3][:channels]] if channels > 1 else samples)
    np.testing.assert_array_equal(tiff.decode(data.tobytes(), LIMIT).samples, samples)


def test_bilevel_and_palette_are_read_by_conversion():
    samples = random_samples(3, np.uint8)
    for mode in ("1", "P"):
        image = Image.fromarray(samples).convert(mode)
        target = io.BytesIO()
        image.save(target, "TIFF")
        expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(read(target.getvalue()).pixels, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [b"II", b"MM"])
def test_other_programs_read_what_is_written(dtype, channels, order):
    samples = random_samples(channels, dtype, (130, 700))  # several strips
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x927C] = b"maker note"
    exif.get_ifd(0x8825)[1] = "N"
    exif.endian = "<" if order == b"II" else ">"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert block[:2] == order
    metadata = Metadata(block, b"profile", b"<xmp/>", (300.0, 240.5))
    data = tiff.encode(samples, metadata, 95)
    assert data[:2] == order
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        np.testing.assert_array_equal(file.pages.first.asarray().reshape(samples.shape), samples)
    if channels != 2:
        opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if dtype == np.uint16 or channels != 4:  # at 8 bits OpenCV multiplies the colours by alpha
            expected = samples[..., [2, 1, 0, 3][:channels]] if channels > 1 else samples[..., 0]
            np.testing.assert_array_equal(opencv, expected)
    if channels == 2 and dtype == np.uint16:
        return  # Pillow has no such pixels
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    assert image.info["dpi"] == pytest.approx((300, 240.5))
    assert image.info["icc_profile"] == b"profile"
    found = image.getexif()
    assert found[0x010F] == "Camera"
    assert found[700] == b"<xmp/>"
    assert found.get_ifd(0x8769)[0x927C] == b"maker note"
    assert found.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "lzw 16"])
def test_orientation_is_applied_once_whoever_decodes(orientation, compression):
    samples = random_samples(3, np.uint8, (4, 6))
    exif = Image.Exif()
    exif[0x0112] = orientation
    target = io.BytesIO()
    if compression == "lzw 16":
        _, data = cv2.imencode(".tif", samples[..., ::-1].astype(np.uint16) * 257)
        target.write(with_orientation(data.tobytes(), orientation))
    else:
        Image.fromarray(samples).save(target, "TIFF", compression=compression, exif=exif)
    reference = io.BytesIO()
    Image.fromarray(samples).save(reference, "PNG", exif=exif)
    picture, expected = read(target.getvalue()), read(reference.getvalue())
    factor = 257 if picture.pixels.dtype == np.uint16 else 1
    np.testing.assert_array_equal(picture.pixels, expected.pixels.astype(np.uint16) * factor)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (by_tifffile(np.zeros((4, 4), np.uint16), photometric="cfa"), "camera raw"),
        (by_tifffile(np.zeros((4, 4), np.uint8), subfiletype=1), "camera raw"),
    ],
)
def test_what_has_no_well_defined_picture_is_refused(data, named):
    with pytest.raises(FileError, match=f"<bytes>: .*{named}"):
        read(data)


def test_a_strip_shorter_than_the_header_promises_is_noticed():
    data = by_tifffile(np.zeros((40, 40), np.uint8))
    height = struct.pack("<HHII", 257, 4, 1, 40) if data.count(struct.pack("<HHII", 257, 4, 1, 40)) else b""
    assert height or data.count(struct.pack("<HHIH", 257, 3, 1, 40)) == 1
    height = height or struct.pack("<HHIH", 257, 3, 1, 40)
    with pytest.raises(FileError, match="pixels are missing"):
        read(data.replace(height, height[:8] + struct.pack("<H", 41) + height[10:]))


def test_a_reduced_copy_behind_the_picture_is_no_second_page():
    target = io.BytesIO()
    samples = random_samples(3, np.uint8)
    with tifffile.TiffWriter(target) as writer:
        writer.write(samples, photometric="rgb")
        writer.write(samples[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read(target.getvalue()).pixels, samples)


def test_metadata_is_a_fixed_point_after_one_round():
    pixels = random_samples(3, np.uint16)
    exif = Image.Exif()
    exif[0x010F], exif[0x0131] = "Camera", "Program"
    exif.get_ifd(0x8769)[0x927C] = bytes(99)
    first = read(encode(pixels, Picture(pixels, metadata=Metadata(exif.tobytes()[6:], dpi=(72, 72))), "TIFF"))
    again = read(encode(first.pixels, first, "TIFF"))
    assert again.metadata == first.metadata


def test_a_tile_that_would_take_all_memory_is_refused():
    """Found by the fuzzer: 400 bytes that asked for 16 GB."""
    target = io.BytesIO()
    tifffile.imwrite(
        target, np.zeros((20, 24, 3), np.uint8), tile=(16, 16), photometric="rgb", compression="zlib"
    )
    data = target.getvalue()
    kind, value = ("4", "I") if struct.pack("<HHII", 323, 4, 1, 16) in data else ("3", "HH")
    length = struct.pack(f"<HHI{value}", 323, int(kind), 1, *(16, 0)[: len(value)])
    bomb = data.replace(length, struct.pack("<HHII", 323, 4, 1, 2**28))
    assert bomb != data
    with pytest.raises(FileError, match="tiles of 16 x 268435456 pixels"):
        read(bomb)
