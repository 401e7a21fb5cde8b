"""EXIF blocks: read by Pillow as the independent reader, changed in place only where they must be."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from clairvoy.imaging.formats.exif import (
    made_upright,
    new_block,
    orientation_of,
    read_layout,
    read_tree,
    turned,
)
from clairvoy.imaging.formats.xmp import upright

MAKER_NOTE = bytes(range(200))


def block(order: str = "<", orientation: int = 6) -> bytes:
    """EXIF with a thumbnail link, EXIF and GPS directories and a maker note, laid out by hand."""

    def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    root_at, exif_at, gps_at, note_at, thumbnail_at = 8, 100, 200, 300, 600
    root = [entry(0x010F, 2, 3, b"Me\0"), entry(0x0112, 3, 1, short(orientation))]
    root += [entry(0x8769, 4, 1, long(exif_at)), entry(0x8825, 4, 1, long(gps_at))]
    exif = [entry(0x927C, 7, len(MAKER_NOTE), long(note_at))]
    exif += [entry(0xA002, 4, 1, long(640)), entry(0xA003, 4, 1, long(480))]
    gps = [entry(1, 2, 2, b"N\0"), entry(2, 5, 3, long(note_at))]
    data = bytearray(640)
    data[:8] = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, root_at)
    for at, entries, following in ((root_at, root, thumbnail_at), (exif_at, exif, 0), (gps_at, gps, 0)):
        content = short(len(entries)) + b"".join(entries) + long(following)
        data[at : at + len(content)] = content
    data[note_at : note_at + len(MAKER_NOTE)] = MAKER_NOTE
    data[thumbnail_at : thumbnail_at + 18] = short(1) + entry(0x0112, 3, 1, short(orientation)) + long(0)
    return bytes(data)


def pillow_exif(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + data)
    return exif


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_orientation_thumbnail_and_size_change(order, orientation):
    before = block(order, orientation)
    after = made_upright(before)
    assert orientation_of(before) == orientation
    assert orientation_of(after) == 1
    exif = pillow_exif(after)
    assert exif[0x0112] == 1
    assert exif[0x010F] == "Me"
    assert exif.get_ifd(0x8769)[0x927C] == MAKER_NOTE
    assert exif.get_ifd(0x8825) == pillow_exif(before).get_ifd(0x8825)
    size = exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]
    assert size == ((480, 640) if orientation >= 5 else (640, 480))
    assert exif.get_ifd(1) == {}  # no thumbnail
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    assert changed <= 2 + 2 + 2 * 4  # orientation, link, sizes: a maker note's offsets still hold


@pytest.mark.parametrize("order", "<>")
def test_a_rewritten_tree_says_the_same(order):
    data = block(order)
    tree = read_tree(data, layout := read_layout(data), layout.first)
    rewritten = new_block(tree, order)
    before, after = pillow_exif(data), pillow_exif(rewritten)
    assert dict(before.get_ifd(0x8769)) == dict(after.get_ifd(0x8769))
    assert dict(before.get_ifd(0x8825)) == dict(after.get_ifd(0x8825))
    assert new_block(read_tree(rewritten, layout, 8), order) == rewritten


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow(orientation):
    pixels = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = io.BytesIO()
    image.save(stored, "PNG", exif=exif)
    np.testing.assert_array_equal(
        turned(pixels, orientation), np.asarray(ImageOps.exif_transpose(Image.open(stored)))
    )


@given(st.binary(max_size=80), st.integers(0, 640), st.sampled_from("<>"))
def test_damaged_blocks_are_left_alone_and_never_fail(noise, cut, order):
    for data in (noise, b"II*\0" + noise, block(order)[:cut]):
        assert 1 <= orientation_of(data) <= 8
        assert len(made_upright(data)) == len(data)


def test_xmp_orientation_is_reset_in_both_spellings():
    assert upright(b'<a tiff:Orientation="6"/>') == b'<a tiff:Orientation="1"/>'
    tag = b"<tiff:Orientation>8</tiff:Orientation>"
    assert upright(tag) == tag.replace(b"8", b"1")
    assert upright(b"tiff:Make='8'") == b"tiff:Make='8'"
