"""AVIF: 8 bits, grey or RGB, with or without alpha. By Pillow, from version 11.3 on.

Kept: EXIF, ICC profile or colour code points, XMP. 10 and 12 bits are rounded to 8, which is said. Of a sequence the
first picture is taken, which is said too. Left out: gain maps, depth. What is not grey is written in full colour
resolution (4:4:4), except what came with less.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, features

from clairvoy.errors import FileError
from clairvoy.imaging.formats import colour_boxes
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats.raster import (
    FIRST_FRAME,
    Metadata,
    Raster,
    check_size,
    samples_of,
    to_eight_bits,
)

MAX_SIDE = 65_535
QUALITY = 85
"""Where nothing else is asked for. AVIF counts otherwise than JPEG: this is about a JPEG's 95."""
_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode the first picture of an AVIF file; see `clairvoy.imaging.formats`."""
    _check_available("read")
    from PIL import AvifImagePlugin

    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    check_size(image.width, image.height, max_pixels)
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(FIRST_FRAME)
    # av1C: marker and version, profile and level, tier, then 'high bit depth' (AV1 in ISOBMFF, 2.3.3).
    if any(len(box) >= 3 and box[2] & 0x40 for box in colour_boxes.contents(data, b"av1C")):
        notes.append("has more than 8 bits a sample, which were rounded to 8")
    info, points = image.info, colour_boxes.code_points(data)
    metadata = Metadata(
        exif=(info.get("exif") or b"").removeprefix(b"Exif\0\0") or None,
        icc=info.get("icc_profile") or None,
        xmp=info.get("xmp") or None,
        png_chunks=((b"cICP", points),) if points and not info.get("icc_profile") else (),
        jpeg_subsampling=2,
        lossless=False,
    )
    return Raster(samples_of(image), metadata, tuple(notes))


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None) -> bytes:
    """Encode (H, W, 1 to 4) samples as AVIF; 16-bit samples are rounded to 8 bits."""
    _check_available("write")
    if max(samples.shape[:2]) > MAX_SIDE:
        raise FileError(f"an AVIF can have at most {MAX_SIDE} pixels a side; write PNG or TIFF")
    samples = to_eight_bits(samples)
    grey = samples.shape[2] < 3
    if samples.shape[2] == 2:
        samples = samples[..., [0, 0, 0, 1]]
    target = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(
        target,
        "AVIF",
        quality=QUALITY if quality is None else quality,
        subsampling="4:0:0" if grey else _SUBSAMPLING[metadata.jpeg_subsampling],
        exif=_without_orientation(metadata.exif) if metadata.exif else b"",
        icc_profile=metadata.icc or b"",
        xmp=metadata.xmp or b"",
    )
    return target.getvalue()


def _check_available(verb: str) -> None:
    if not features.check("avif"):
        raise FileError(f"is an AVIF file; to {verb} it: pip install 'pillow>=11.3'")


def _without_orientation(block: bytes) -> bytes:
    """EXIF block of an upright picture whose orientation is left out.

    Pillow would take it out by writing the block anew, which breaks maker notes. Here the entries behind it move up
    by one; what they point to keeps its place.
    """
    try:
        layout = ifd.read_layout(block)
        root, link = ifd.read_entries(block, layout, layout.first)
    except FileError:
        return block
    if layout.big or ifd.ORIENTATION not in root or ifd.orientation_of(block) > 1:
        return block
    entry = root[ifd.ORIENTATION].position - 8
    (count,) = struct.unpack_from(layout.order + "H", block, layout.first)
    patched = bytearray(block)
    patched[entry : link + 4] = block[entry + 12 : link + 4] + bytes(12)
    struct.pack_into(layout.order + "H", patched, layout.first, count - 1)
    return bytes(patched)
