"""JPEG 2000: 8 to 16 bits, grey or RGB, with or without alpha. Read only: 8 bits by Pillow, more by OpenCV.

Kept: ICC profile, XMP, bit depth. Left out: resolution and other boxes.
"""

from __future__ import annotations

import io
import uuid

import cv2
import numpy as np
from PIL import Image, Jpeg2KImagePlugin, features

from clairvoy.errors import FileError
from clairvoy.imaging.formats import colour_boxes
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size, rgb_order, samples_of, stretched

_XMP = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
_SIZE_MARKER = b"\xff\x4f\xff\x51"  # start of the codestream, then SIZ (ISO 15444-1, annex A.5.1)


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a JPEG 2000 file; see `clairvoy.imaging.formats`."""
    if not features.check("jpg_2000"):
        raise FileError("is a JPEG 2000 file, which this build of Pillow cannot read; convert it to TIFF")
    image: Image.Image = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(data))
    check_size(image.width, image.height, max_pixels)
    xmp = next((box[16:] for box in colour_boxes.contents(data, b"uuid") if box[:16] == _XMP), None)
    metadata = Metadata(icc=colour_boxes.profile(data), xmp=xmp)
    if _bits(data) > 8:
        return Raster(_deep(data, _bits(data)), metadata)
    image.load()
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if "A" in image.mode else "RGB")
    return Raster(samples_of(image), metadata)


def _bits(data: bytes) -> int:
    """Bits of a sample by the codestream's header; 8 where there is none."""
    start = data.find(_SIZE_MARKER)
    place = start + 42  # SIZ: Lsiz 2, Rsiz 2, eight sizes of 4 each, Csiz 2, then Ssiz, which counts from 0
    return (data[place] & 0x7F) + 1 if start >= 0 and place < len(data) else 8


def _deep(data: bytes, bits: int) -> np.ndarray:
    """Samples of more than 8 bits: (H, W, C) uint16, stretched to all of 16 bits."""
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise FileError(f"has samples of {bits} bits that cannot be decoded; convert it to TIFF")
    return stretched(rgb_order(samples), 2**bits - 1)
