"""PNG: every colour type and depth in hand-made files; other programs read what is written."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from clairvoy.errors import FileError
from clairvoy.imaging.files import read
from clairvoy.imaging.formats import png
from clairvoy.imaging.formats.raster import Metadata

LIMIT = 10_000


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def hand_made(
    width: int, height: int, depth: int, colour_type: int, rows: list[bytes], *extra: bytes
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return png.SIGNATURE + b"".join(parts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_hand_made_files_of_every_colour_type(dtype, channels, colour_type):
    samples = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (3, 5, channels)).astype(dtype)
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    rows = [row.tobytes() for row in big_endian]
    raster = png.decode(hand_made(5, 3, 8 * samples.itemsize, colour_type, rows), LIMIT)
    np.testing.assert_array_equal(raster.samples, samples)
    assert raster.samples.dtype == dtype


@pytest.mark.parametrize(
    ("depth", "row", "grey"), [(1, b"\x50", [0, 255, 0, 255]), (4, b"\x0f\x5a", [0, 255, 85, 170])]
)
def test_low_bit_depths_are_stretched_and_their_transparent_grey_found(depth, row, grey):
    key = {1: 1, 4: 5}[depth]
    plain = png.decode(hand_made(4, 1, depth, 0, [row]), LIMIT).samples
    assert plain[0, :, 0].tolist() == grey
    keyed = png.decode(
        hand_made(4, 1, depth, 0, [row], chunk(b"tRNS", struct.pack(">H", key))), LIMIT
    ).samples
    assert keyed[0, :, 0].tolist() == grey
    assert keyed[0, :, 1].tolist() == [0 if value == key * 255 // (2**depth - 1) else 255 for value in grey]


def test_sixteen_bit_transparent_colour_needs_all_its_bits_to_match():
    row = struct.pack(">HHH", 0x1234, 2, 3) + struct.pack(">HHH", 0x1235, 2, 3)
    samples = png.decode(
        hand_made(2, 1, 16, 2, [row], chunk(b"tRNS", struct.pack(">HHH", 0x1234, 2, 3))), LIMIT
    ).samples
    assert samples[0].tolist() == [[0x1234, 2, 3, 0], [0x1235, 2, 3, 65535]]


def test_palette_with_alpha_becomes_exact_rgba():
    extra = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])), chunk(b"tRNS", bytes([7]))
    samples = png.decode(hand_made(2, 1, 8, 3, [b"\0\1"], *extra), LIMIT).samples
    assert samples[0].tolist() == [[10, 20, 30, 7], [40, 50, 60, 255]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_other_programs_read_what_is_written(dtype, channels):
    # several strips' worth of rows would hide a mistake at their border if the picture were small
    samples = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (70, 50, channels)).astype(dtype)
    png.STRIP_PIXELS, saved = 1000, png.STRIP_PIXELS
    try:
        data = png.encode(samples, Metadata(icc=b"profile" * 30, dpi=(300, 300)), 95)
    finally:
        png.STRIP_PIXELS = saved
    read_by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = samples[..., {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]].squeeze()
    np.testing.assert_array_equal(read_by_opencv, expected)
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == b"profile" * 30
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    image.load()


def test_colour_and_text_chunks_are_carried_over():
    kept = (chunk(b"gAMA", b"\0\1\x86\xa0"), chunk(b"tEXt", b"Author\0me"), chunk(b"tIME", bytes(7)))
    raster = png.decode(hand_made(1, 1, 8, 0, [b"\5"], *kept), LIMIT)
    data = png.encode(raster.samples, raster.metadata, 95)
    assert Image.open(io.BytesIO(data)).info == {"gamma": 1.0, "Author": "me"}


def test_a_flipped_bit_in_the_pixels_is_noticed_and_in_a_text_forgiven():
    text = chunk(b"tEXt", b"Author\0me")
    data = hand_made(1, 1, 8, 0, [b"\5"], text)
    assert read(data.replace(b"Author", b"Buthor")).metadata.png_chunks == ()
    at = data.index(b"IDAT") + 6
    with pytest.raises(FileError, match="checksum"):
        read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_the_first_frame_of_an_animation_is_taken_and_said_and_one_frame_is_none():
    one, two = (chunk(b"acTL", struct.pack(">II", frames, 0)) for frames in (1, 2))
    assert read(hand_made(1, 1, 8, 0, [b"\5"], one)).notes == ()
    picture = read(hand_made(1, 1, 8, 0, [b"\5"], two))
    assert picture.pixels.tolist() == [[[5, 5, 5]]]
    assert picture.notes == ("is an animation; its first frame was taken",)


@pytest.mark.parametrize("depth", [8, 16])
def test_pixels_missing_inside_a_well_formed_file_are_noticed(depth):
    with pytest.raises(FileError, match="truncated or damaged"):
        read(hand_made(20, 20, depth, 2, [bytes(60 * depth // 8)] * 10))
