"""WebP: 8-bit RGB with or without alpha (WebP container specification, RFC 9649).

The container is read here, pixels by OpenCV (whose only limit is the format's own); writing is Pillow's.
Kept: EXIF, ICC profile, XMP. WebP has no grey, so a grey picture is written as RGB, and without its profile
if that is for grey. Where no quality is asked for, a picture whose own file was lossless (PNG, TIFF, lossless WebP) is
written lossless, and a lossy WebP at about its own quality.
"""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
from PIL import Image, WebPImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats.raster import (
    FIRST_FRAME,
    Metadata,
    Raster,
    check_size,
    rgb_order,
    samples_of,
    to_eight_bits,
)
from clairvoy.imaging.formats.webp_quality import quality_of

MAX_SIDE = 16_383
QUALITY = 95
"""Of lossy files, where nothing else is asked for."""
_TRUNCATED = "is truncated or damaged ({}); get the file again"


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a WebP file; see `clairvoy.imaging.formats`."""
    chunks = _read_chunks(data)
    extended = chunks.get(b"VP8X", b"")
    moving = b"ANIM" in chunks or b"ANMF" in chunks or bool(extended and extended[0] & 0x02)
    width, height = _size(chunks)
    check_size(width, height, max_pixels)
    samples = _first_frame(data) if moving else _still(data)
    if samples is None or samples.shape[:2] != (height, width):
        raise FileError(_TRUNCATED.format("its pixels cannot be decoded"))
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    metadata = Metadata(
        exif or None,
        chunks.get(b"ICCP") or None,
        chunks.get(b"XMP ") or None,
        webp_quality=quality_of(chunks.get(b"VP8 ", b"")),
        lossless=b"VP8L" in chunks,
    )
    return Raster(samples, metadata, (FIRST_FRAME,) if moving else ())


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None) -> bytes:
    """Encode (H, W, 1 to 4) samples as WebP; 16-bit samples are rounded to 8 bits."""
    lossless = metadata.lossless and quality is None
    quality = quality or metadata.webp_quality or QUALITY
    if max(samples.shape[:2]) > MAX_SIDE:
        raise FileError(f"a WebP can have at most {MAX_SIDE} pixels a side; write JPEG, PNG or TIFF")
    samples = to_eight_bits(samples)
    if samples.shape[2] < 3:
        samples = samples[..., [0, 0, 0, 1][: samples.shape[2] + 2]]
    icc = metadata.icc if metadata.icc and metadata.icc[16:20] != b"GRAY" else None
    target = io.BytesIO()
    Image.fromarray(samples).save(
        target,
        "WEBP",
        lossless=lossless,
        quality=75 if lossless else quality,  # lossless: effort, not quality
        exact=True,  # keeps the colours under transparent pixels
        exif=metadata.exif or b"",
        icc_profile=icc or b"",
        xmp=metadata.xmp or b"",
    )
    return target.getvalue()


def _still(data: bytes) -> np.ndarray | None:
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return None if samples is None else rgb_order(samples)


def _first_frame(data: bytes) -> np.ndarray:
    """First frame of an animation, laid on its canvas; without alpha where all of it is opaque."""
    samples = samples_of(WebPImagePlugin.WebPImageFile(io.BytesIO(data)))
    opaque = samples.shape[2] == 4 and samples[..., 3].min() == 255
    return np.ascontiguousarray(samples[..., :3]) if opaque else samples


def _read_chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunks by type, the first of each; `FileError` when the file is shorter than it says."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < end or end < 20:
        raise FileError(_TRUNCATED.format("its end is missing"))
    chunks: dict[bytes, bytes] = {}
    offset = 12
    while offset + 8 <= end:
        kind, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if offset + 8 + size > end:
            raise FileError(_TRUNCATED.format("a chunk ends early"))
        chunks.setdefault(kind, data[offset + 8 : offset + 8 + size])
        offset += 8 + size + size % 2
    return chunks


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """Width and height that the header promises, before anything is decoded."""
    try:
        if extended := chunks.get(b"VP8X"):
            struct.unpack_from("<10x", extended)
            return 1 + int.from_bytes(extended[4:7], "little"), 1 + int.from_bytes(extended[7:10], "little")
        if b"VP8L" in chunks:
            (bits,) = struct.unpack_from("<xI", chunks[b"VP8L"])
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        width, height = struct.unpack_from("<6xHH", chunks.get(b"VP8 ", b""))
        return width & 0x3FFF, height & 0x3FFF
    except struct.error as error:
        raise FileError(_TRUNCATED.format("no header")) from error
