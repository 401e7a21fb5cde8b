"""The quality of a lossy WebP is told from its header, and kept."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clairvoy.imaging.files import encode, read
from clairvoy.imaging.formats.webp_quality import quality_of

RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.arange(120), np.arange(160)).astype(np.uint8)[..., None].repeat(3, 2)
PICTURES = {
    "smooth": SMOOTH,
    "noise": RNG.integers(0, 256, (90, 70, 3), np.uint8),
    "flat": np.full((40, 40, 3), 90, np.uint8),
}


def saved(pixels: np.ndarray, quality: int) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "WEBP", quality=quality)
    return target.getvalue()


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 100])
def test_the_quality_is_known_within_a_few(name, quality):
    picture = read(saved(PICTURES[name], quality))
    assert abs(picture.metadata.webp_quality - quality) <= (5 if name == "flat" else 2)
    again = read(encode(picture.pixels, picture, "WEBP"))
    assert abs(again.metadata.webp_quality - quality) <= (8 if name == "flat" else 4)


def test_a_quality_that_is_asked_for_wins():
    picture = read(saved(PICTURES["noise"], 90))
    assert abs(read(encode(picture.pixels, picture, "WEBP", quality=40)).metadata.webp_quality - 40) <= 3
    png = read(encode(picture.pixels, picture, "PNG"))
    assert read(encode(png.pixels, png, "WEBP")).metadata.lossless
    assert not read(encode(png.pixels, png, "WEBP", quality=80)).metadata.lossless


@given(st.binary(max_size=60))
def test_any_bytes_are_some_quality_or_none(frame):
    found = quality_of(frame)
    assert found is None or 1 <= found <= 100
