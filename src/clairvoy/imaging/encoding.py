"""Pixels as the bytes of a file, with the alpha and metadata of another picture."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np

from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.imaging.formats import exif
from clairvoy.imaging.formats.quiet import quiet
from clairvoy.imaging.formats.raster import STRIP_PIXELS, Metadata, to_eight_bits, to_sixteen_bits
from clairvoy.imaging.formats.recognition import SUPPORTED
from clairvoy.imaging.picture import Picture
from clairvoy.imaging.windows import strips

_CODECS = {
    **{"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "TIFF": "tiff", "AVIF": "avif", "HEIC": "heif"},
    **{"BMP": "bitmaps", "GIF": "bitmaps", "PNM": "bitmaps", "JPEG2000": "jpeg2000", "JPEGXL": "jpeg_xl"},
    **{"RAW": "camera_raw"},
}
"""The module of each format in `clairvoy.imaging.formats`, by the format's name."""


def codec(kind: str) -> ModuleType:
    """The module that reads and, where it has `encode`, writes a format; loaded when the first file of it is met.

    Raises
    ------
    KeyError
        No format of that name.
    """
    return import_module(f"clairvoy.imaging.formats.{_CODECS[kind]}")


def encode(pixels: np.ndarray, like: Picture, format: str, *, quality: int | None = None) -> bytes:
    """Encode pixels as the bytes of a file, with the alpha and metadata of another picture.

    Parameters
    ----------
    pixels, like, quality
        As for `write`.
    format
        "JPEG", "PNG", "WEBP", "TIFF" or "AVIF", in any case.

    Returns
    -------
    bytes
        What `write` would write. PNG and TIFF keep 16 bits; JPEG and WebP round them to 8.

    Raises
    ------
    FileError
        When the format is unknown or cannot hold the picture (alpha in a JPEG, too many pixels a side).
    InputError, SettingsError
        As `write`.
    """
    kind = format.upper()
    if kind not in _CODECS or not hasattr(codec(kind), "encode"):
        raise FileError(f"{format!r} is not a format that can be written; use {SUPPORTED}")
    if quality is not None and not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}; give 1 to 100")
    _check_pixels(pixels, like)
    alpha = like.alpha
    if kind == "JPEG" and alpha is not None:
        if alpha.min() < np.iinfo(alpha.dtype).max:
            raise FileError("a JPEG cannot hold transparency (alpha); write PNG, WebP or TIFF")
        alpha = None
    samples = interleaved(pixels, alpha, like.grey)
    metadata = (
        like.metadata if kind == "PNG" else _without_chunks(like.metadata, like.grey and kind != "WEBP")
    )
    kept = (like.kept,) if kind == "TIFF" else ()
    with quiet():
        encoded: bytes = codec(kind).encode(samples, metadata, quality, *kept)
    return encoded


def _without_chunks(metadata: Metadata, grey: bool) -> Metadata:
    """What the chunks of a PNG say, in forms that other formats have: an ICC profile, tags of EXIF, comments."""
    if not metadata.png_chunks:
        return metadata
    from clairvoy.imaging.formats.png_texts import as_exif
    from clairvoy.imaging.formats.rgb_profiles import profile_of_chunks

    icc = metadata.icc or profile_of_chunks(dict(metadata.png_chunks), grey=grey)
    texts, comments = as_exif(metadata.png_chunks)
    block = exif.with_texts(metadata.exif, texts)
    return replace(metadata, icc=icc, exif=block, comments=metadata.comments + comments)


def _check_pixels(pixels: np.ndarray, like: Picture) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype not in (np.uint8, np.uint16):
        found = getattr(pixels, "dtype", type(pixels).__name__)
        raise InputError(f"pixels to write are {found}; scale and round them to uint8 or uint16")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InputError(f"pixels to write have shape {pixels.shape}; give (H, W, 3) with at least one pixel")
    if like.alpha is not None and like.alpha.shape != pixels.shape[:2]:
        sizes = f"{pixels.shape[:2]}, the alpha of {like.name} {like.alpha.shape}"
        raise InputError(f"pixels to write have size {sizes}; resize one of them")


def interleaved(pixels: np.ndarray, alpha: np.ndarray | None, grey: bool) -> np.ndarray:
    """Channels as they shall lie in the file: (H, W, 1 to 4), C-contiguous."""
    if not grey and alpha is None:
        return np.ascontiguousarray(pixels)
    channels = (1 if grey else 3) + (alpha is not None)
    samples = np.empty((*pixels.shape[:2], channels), pixels.dtype)
    for rows in strips(len(pixels), pixels.shape[1], STRIP_PIXELS):
        samples[rows, :, : channels - (alpha is not None)] = _luma(pixels[rows]) if grey else pixels[rows]
        if alpha is not None:
            part = alpha[rows]
            samples[rows, :, -1] = to_eight_bits(part) if pixels.dtype == np.uint8 else to_sixteen_bits(part)
    return samples


def _luma(pixels: np.ndarray) -> np.ndarray:
    """Grey (H, W, 1) of RGB by the weights of ITU-R BT.601, rounded; three equal channels stay that value."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000)[..., None].astype(pixels.dtype)
