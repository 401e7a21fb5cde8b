"""What every format is decoded to and encoded from: samples as they lie in the file, and metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from clairvoy.errors import FileError, TooLargeError
from clairvoy.imaging.windows import strips

# Conversions run in strips of this many pixels, so that their intermediate arrays stay small beside the
# picture.
STRIP_PIXELS = 4_000_000
FIRST_FRAME = "is an animation; its first frame was taken"
"""The note of a reader that met an animation."""
LOST_TAGS = "has damaged metadata; what of it cannot be read is left out"
"""The note of a reader that met tags which point nowhere."""


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
    photoshop
        Photoshop's image resources, among them IPTC, as an APP13 segment of JPEG and tag 34377 of TIFF hold them.
    comments
        Comments of a JPEG.
    png_chunks
        PNG chunks ``(type, content)`` that no other format has: gAMA, cHRM, sRGB, cICP and text.
    jpeg_subsampling
        Chroma subsampling as Pillow counts it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.
    jpeg_tables
        Quantisation tables of a JPEG, 64 numbers each: its quality, which a JPEG made of it keeps.
    progressive
        Whether a JPEG is stored coarse to fine.
    webp_quality
        About the quality of a lossy WebP, 1 to 100, which a WebP made of it keeps.
    lossless
        Whether the file held its samples exactly. Where no quality is asked for, a WebP made of it does so too.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    photoshop: bytes | None = None
    comments: tuple[bytes, ...] = ()
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    jpeg_subsampling: int = 0
    jpeg_tables: tuple[tuple[int, ...], ...] = ()
    progressive: bool = False
    webp_quality: int | None = None
    lossless: bool = True


@dataclass(frozen=True, eq=False)
class Kept:
    """What a TIFF holds that pixels of 8 or 16 bits cannot, kept to be written back.

    Attributes
    ----------
    colours
        (H, W, 1 or 3) samples in the file's own type, of which the pixels are a copy scaled to 16 bits; None where the
        pixels are the samples.
    black, white
        Values of `colours` that became 0 and 65535.
    bands
        (H, W, N) samples beyond the colours that are not the alpha, in the file's own type, such as near infrared;
        None where there are none.
    alpha_at
        Where among the bands the alpha was.
    alpha
        (H, W) the alpha in the type of `colours`; None where there is none, or the picture's alpha is all of it.
    """

    colours: np.ndarray | None = None
    black: float = 0.0
    white: float = 1.0
    bands: np.ndarray | None = None
    alpha_at: int = 0
    alpha: np.ndarray | None = None

    def changed(self, how: Callable[[np.ndarray], np.ndarray]) -> Kept:
        """The same with its planes turned or cut."""
        planes = (self.colours, self.bands, self.alpha)
        colours, bands, alpha = (None if part is None else how(part) for part in planes)
        return replace(self, colours=colours, bands=bands, alpha=alpha)


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
    hidden
        (H, W) bool, pixels that stand for "no data"; None where the file has none.
    kept
        What is written back beside the pixels, if the picture becomes a TIFF again.
    """

    samples: np.ndarray
    metadata: Metadata
    notes: tuple[str, ...] = ()
    hidden: np.ndarray | None = None
    kept: Kept | None = None


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by the size that its header promises, before anything is decoded."""
    if width < 1 or height < 1:
        raise FileError(f"has no pixels ({width} x {height}); the file is damaged, get it again")
    if width * height > max_pixels:
        raise TooLargeError(
            f"has {width} x {height} pixels, more than the limit of {max_pixels:,}; allow it with max_pixels (--max-pixels)"
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
