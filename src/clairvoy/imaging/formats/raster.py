"""What every format is decoded to and encoded from: samples as they lie in the file, and metadata."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from clairvoy.errors import FileError
from clairvoy.imaging.windows import strips

# Conversions run in strips of this many pixels, so that their intermediate arrays stay small beside the
# picture.
STRIP_PIXELS = 4_000_000
FIRST_FRAME = "is an animation; its first frame was taken"
"""The note of a reader that met an animation."""


@dataclass(frozen=True)
class Metadata:
    """What a file says besides its pixels, in a form that every format can carry.

    Attributes
    ----------
    exif
        EXIF block, beginning with its TIFF header ("II*" or "MM*" with a zero byte); the bytes of the file,
        not parsed.
    icc
        ICC colour profile.
    xmp
        XMP packet (UTF-8 XML).
    dpi
        Resolution across and down, in dots per inch.
    png_chunks
        PNG chunks ``(type, content)`` that no other format has: gAMA, cHRM, sRGB, cICP and text.
    jpeg_subsampling
        Chroma subsampling as Pillow counts it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.
    jpeg_tables
        Quantisation tables of a JPEG, 64 numbers each: its quality, which a JPEG made of it keeps.
    progressive
        Whether a JPEG is stored coarse to fine.
    lossless
        Whether the file held its samples exactly. Decides between lossless and lossy WebP.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    jpeg_subsampling: int = 0
    jpeg_tables: tuple[tuple[int, ...], ...] = ()
    progressive: bool = False
    lossless: bool = True


@dataclass(frozen=True)
class Raster:
    """Samples of a file before orientation is applied.

    Attributes
    ----------
    samples
        (H, W, C) uint8 or uint16, C-contiguous. C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; alpha
        is straight (not premultiplied).
    metadata
        What else the file says, its orientation still unapplied.
    notes
        What the reader did that its user should know, such as "is an animation; its first frame was taken".
    """

    samples: np.ndarray
    metadata: Metadata
    notes: tuple[str, ...] = ()


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by the size that its header promises, before anything is decoded."""
    if width < 1 or height < 1:
        raise FileError(f"has no pixels ({width} x {height}); the file is damaged, get it again")
    if width * height > max_pixels:
        raise FileError(
            f"has {width} x {height} pixels, more than the limit of {max_pixels:,}; allow it with max_pixels"
        )


def samples_of(image: Image.Image) -> np.ndarray:
    """Decode a Pillow image to (H, W, C) uint8, writable, holding one copy beside Pillow's own."""
    image.load()
    channels = len(image.getbands())
    samples = np.empty((image.height, image.width, channels), np.uint8)
    for rows in strips(image.height, image.width, STRIP_PIXELS):
        part = image.crop((0, rows.start, image.width, rows.stop))
        samples[rows] = np.asarray(part).reshape(-1, image.width, channels)
    return samples


def rgb_order(samples: np.ndarray) -> np.ndarray:
    """Turn OpenCV's (H, W[, C]) BGR(A) into (H, W, C) RGB(A), in place."""
    samples = samples.reshape(*samples.shape[:2], -1)
    swap = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(samples.shape[2])
    if swap is not None:
        for rows in strips(len(samples), samples.shape[1], STRIP_PIXELS):
            samples[rows] = cv2.cvtColor(samples[rows], swap)
    return samples


def to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """Round 16-bit samples to 256 levels (65535 becomes 255); 8-bit samples are returned as given."""
    if samples.dtype == np.uint8:
        return samples
    nearest = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return nearest[samples]


def to_sixteen_bits(samples: np.ndarray) -> np.ndarray:
    """Scale 8-bit samples (255 becomes 65535); 16-bit samples are returned as given."""
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * np.uint16(257)


def stretched(samples: np.ndarray, peak: int) -> np.ndarray:
    """Scale samples that run from 0 to `peak` to all of 16 bits, (H, W, C) uint16, rounded."""
    if peak == 65535:
        return samples.astype(np.uint16, copy=False)
    levels = (np.arange(peak + 1, dtype=np.uint64) * 65535 + peak // 2) // peak
    return levels.astype(np.uint16)[np.minimum(samples, peak)]
