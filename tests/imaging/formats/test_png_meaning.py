"""What a PNG says in its own ways (gAMA, cHRM, cICP, texts) is true of the same picture in another format."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from clairvoy.imaging.files import Metadata, Picture, encode, read
from clairvoy.imaging.formats.png import SIGNATURE
from clairvoy.imaging.formats.rgb_profiles import profile_of_chunks

P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB_CORNERS = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def png(*chunks, pixels=None):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5 if pixels is None else pixels
    plain = encode(pixels, Picture(pixels), "PNG")
    inserted = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    assert plain.startswith(SIGNATURE)
    return plain[:33] + inserted + plain[33:]


def to_srgb(profile, values):
    """Values (N, 3) in [0, 1] through LittleCMS, in float where Pillow can."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    image = Image.fromarray(np.rint(np.array(values) * 255).astype(np.uint8)[None])
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), renderingIntent=1)
    return np.asarray(converted)[0] / 255


def coded(linear):
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )


@pytest.mark.parametrize("gamma", [100_000, 55_556, 45_455 * 2])
def test_gamma_is_carried_by_a_profile(gamma):
    levels = np.arange(0, 256, 15) / 255
    profile = profile_of_chunks({b"gAMA": struct.pack(">I", gamma)}, grey=False)
    found = to_srgb(profile, np.stack([levels] * 3, axis=1))
    expected = coded(levels ** (100_000 / gamma))
    assert np.abs(found - expected[:, None]).max() < 2.1 / 255


def test_primaries_are_carried_by_a_profile():
    values = np.array([[0.2, 0.6, 0.4], [0.8, 0.5, 0.3], [0.5, 0.5, 0.5]])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    # Display P3 to sRGB, both under D65 (CSS Color 4, section 18).
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    expected = coded(np.clip(linear @ matrix.T, 0, 1))
    for chunks in ({b"cHRM": P3}, {b"cICP": bytes((12, 13, 0, 1))}):
        assert np.abs(to_srgb(profile_of_chunks(chunks, grey=False), values) - expected).max() < 2.1 / 255


def test_what_is_srgb_needs_no_profile():
    for chunks in (
        {}, {b"gAMA": struct.pack(">I", 45455)}, {b"gAMA": struct.pack(">I", 45455), b"cHRM": SRGB_CORNERS},
        {b"sRGB": b"\0", b"gAMA": struct.pack(">I", 99999)}, {b"cICP": bytes((1, 13, 0, 1)), b"cHRM": P3},
        {b"gAMA": bytes(4)}, {b"cHRM": bytes(32)}, {b"gAMA": b"x"},
    ):  # fmt: skip
        assert profile_of_chunks(chunks, grey=False) is None


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("grey", [False, True])
def test_another_format_shows_the_same_picture(kind, grey):
    value = 188
    pixels = np.full((16, 16, 3), value, np.uint8)
    like = Picture(pixels, grey=grey, metadata=Metadata(png_chunks=((b"gAMA", struct.pack(">I", 100_000)),)))
    picture = read(encode(pixels, like, "PNG"))
    assert picture.metadata.icc is None
    image = Image.open(io.BytesIO(encode(picture.pixels, picture, kind)))
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    shown = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert np.abs(np.asarray(shown)[8, 8] / 255 - coded(np.array(value / 255))).max() < 0.02
    back = read(encode(picture.pixels, picture, "PNG"))
    assert back.metadata == picture.metadata  # as a PNG it stays as it was


def raw_profile(name, block, kind=b"zTXt"):
    digits = block.hex()
    text = f"\n{name}\n{len(block):8}\n".encode() + b"\n".join(
        digits[place : place + 72].encode() for place in range(0, len(digits), 72)
    )
    keyword = b"Raw profile type " + name.encode() + b"\0"
    return (kind, keyword + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text))


@pytest.mark.parametrize("chunk", [b"zTXt", b"tEXt"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_metadata_hidden_in_texts_is_found(chunk, kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    iptc = b"8BIM\x04\x04\0\0\0\0\0\6\x1c\2\5\0\1a"
    for name, block in (("exif", exif.tobytes()), ("APP1", exif.tobytes())):
        hidden = {name: block, "iptc": iptc, "xmp": b"<x:xmpmeta/>"}
        chunks = [raw_profile(*item, chunk) for item in hidden.items()]
        picture = read(png(*chunks, pixels=np.zeros((4, 6, 3), np.uint8)))
        assert picture.pixels.shape == (6, 4, 3)
        found = read(encode(picture.pixels, picture, kind)).metadata
        loaded = Image.Exif()
        loaded.load(b"Exif\0\0" + found.exif)
        assert (loaded[0x010F], loaded[0x0112]) == ("Camera", 1)
        assert found.xmp == b"<x:xmpmeta/>"
        assert found.photoshop == (None if kind == "WEBP" else iptc)
    for broken in (b"\nexif\n 9\nzz", b"", b"\nexif\n"):
        text = b"Raw profile type exif\0" + broken
        assert read(png((b"tEXt", text))).metadata.png_chunks == ((b"tEXt", text),)


def test_compressed_xmp_is_xmp():
    packet = b"<x:xmpmeta>compressed</x:xmpmeta>"
    content = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    picture = read(png((b"iTXt", content)))
    assert picture.metadata.xmp == packet
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF"):
        assert read(encode(picture.pixels, picture, kind)).metadata.xmp == packet


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("with_exif", [False, True])
def test_texts_become_tags_in_other_formats(kind, with_exif):
    exif = Image.Exif()
    exif[0x010F], exif[0x0131] = "Camera", "Its own program"
    exif.get_ifd(0x8769)[0x927C] = b"maker note" * 9
    block = exif.tobytes()[6:]
    chunks = [(b"tEXt", b"Author\0Somebody"), (b"zTXt", b"Title\0\0" + zlib.compress(b"Valley"))]
    chunks += [(b"tEXt", b"Software\0PNG"), (b"tEXt", b"Comment\0hello")]
    chunks += [(b"iTXt", b"Copyright\0\0\0en\0\0\xc2\xa9 me")] + [(b"eXIf", block)] * with_exif
    picture = read(png(*chunks))
    found = read(encode(picture.pixels, picture, kind)).metadata
    loaded = Image.Exif()
    loaded.load(b"Exif\0\0" + found.exif)
    assert (loaded[315], loaded[269]) == ("Somebody", "Valley")
    assert loaded[0x0131] == ("Its own program" if with_exif else "PNG")
    if with_exif:
        assert loaded.get_ifd(0x8769)[0x927C] == b"maker note" * 9
        if kind != "TIFF":  # the note has not moved
            assert found.exif.index(b"maker note") == block.index(b"maker note")
    if kind == "JPEG":
        assert found.comments == (b"hello",)
