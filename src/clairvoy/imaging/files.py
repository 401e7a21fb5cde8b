"""Reading and writing photographs so that what the file said besides its pixels survives.

JPEG, PNG, WebP, TIFF and AVIF, 8 and 16 bits, grey and RGB, with or without alpha; HEIC, JPEG XL, JPEG 2000,
camera raw, BMP, GIF and PNM are read only. What each keeps is written at the top of its module in
`clairvoy.imaging.formats`. A picture is turned upright on reading, and its EXIF
block then says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import numpy as np

from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.imaging.folders import find_photographs as find_photographs
from clairvoy.imaging.formats import (
    avif,
    bitmaps,
    camera_raw,
    exif,
    heif,
    jpeg,
    jpeg2000,
    jpeg_xl,
    png,
    tiff,
    webp,
    xmp,
)
from clairvoy.imaging.formats.png_texts import as_exif
from clairvoy.imaging.formats.quiet import quiet
from clairvoy.imaging.formats.raster import (
    LOST_TAGS,
    STRIP_PIXELS,
    Kept,
    Metadata,
    Raster,
    to_eight_bits,
    to_sixteen_bits,
)
from clairvoy.imaging.formats.recognition import READ_SUFFIXES, SUPPORTED, WRITTEN_SUFFIXES, recognise
from clairvoy.imaging.formats.rgb_profiles import profile_of_chunks
from clairvoy.imaging.hidden import shown
from clairvoy.imaging.windows import strips
from clairvoy.storage.atomic import replace_file

__all__ = [
    *("MAX_PIXELS", "SUFFIXES", "Metadata", "Picture"),
    *(
        "encode",
        "find_photographs",
        "format_of",
        "interleaved",
        "read",
        "unchanged",
        "write",
        "write_restored",
    ),
]

MAX_PIXELS = 200_000_000
SUFFIXES = READ_SUFFIXES
_CODECS: dict[str, ModuleType] = {
    **{"JPEG": jpeg, "PNG": png, "WEBP": webp, "TIFF": tiff, "AVIF": avif, "HEIC": heif, "RAW": camera_raw},
    **{"BMP": bitmaps, "GIF": bitmaps, "PNM": bitmaps, "JPEG2000": jpeg2000, "JPEGXL": jpeg_xl},
}
_TRAILER_LOST = "has a film or a gain map behind the picture, which is left out"
# No file is believed to need more than this: eight bands of 32 bits without compression, and room for metadata.
_MAX_BYTES_PER_PIXEL, _MAX_METADATA_BYTES = 32, 2**26


@dataclass(frozen=True)
class Picture:
    """A photograph in memory, with what its file said about it.

    Attributes
    ----------
    pixels
        (H, W, 3) uint8 or uint16, RGB, C-contiguous, upright. A grey picture has three equal channels.
    alpha
        (H, W) of the same type, 0 transparent; None where the file has none.
    grey
        The file was grey, and is written grey again.
    format
        What the file was, such as "JPEG"; the names are in `clairvoy.imaging.formats.recognition`.
    metadata
        EXIF (its orientation 1), ICC profile, XMP, resolution and what else can be carried over.
    name
        Path, or "<bytes>"; used in messages.
    notes
        What the reader did that its user should know, such as "is an animation; its first frame was taken".
    no_data
        (H, W) bool, pixels that the file calls "no data"; None where it has none.
    kept
        Bands and values beside the pixels that a TIFF made of it gets back.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    format: str = "PNG"
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "picture"
    notes: tuple[str, ...] = ()
    no_data: np.ndarray | None = None
    kept: Kept | None = None

    @property
    def hidden(self) -> np.ndarray | None:
        """(H, W) bool, pixels that nobody sees: alpha 0, or "no data"; None where all are seen.

        They take no part in any look, and stay as they are.
        """
        if self.alpha is None:
            return self.no_data
        hidden = self.alpha == 0
        if self.no_data is not None:
            hidden |= self.no_data
        return hidden if hidden.any() else None

    @property
    def shown(self) -> np.ndarray:
        """The pixels, with those that nobody sees filled from around."""
        return shown(self.pixels, self.hidden)


def read(source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a photograph.

    Parameters
    ----------
    source
        Path of a file, or the bytes of one. The format is recognised by content, not by name.
    max_pixels
        Largest width x height that is decoded. The header is checked before any pixel is.

    Returns
    -------
    Picture
        Upright, RGB, in the bit depth of the file. Palettes become RGB; CMYK JPEGs become sRGB through their
        profile.

    Raises
    ------
    FileError
        When the file is missing, a folder, empty, truncated, damaged, larger than `max_pixels`, of several pages,
        or of another format. The message names the file and what to do.
    """
    name = "<bytes>" if isinstance(source, bytes) else str(source)
    with _naming(name):
        data = source if isinstance(source, bytes) else _contents(Path(source), max_pixels)
        kind = recognise(data)
        try:
            with quiet():
                raster: Raster = _CODECS[kind].decode(data, max_pixels)
        except FileError:
            raise
        except MemoryError as error:
            raise FileError(
                "does not fit into memory; lower max_pixels, or reduce the picture first"
            ) from error
        except Exception as error:
            # Decoders meet damage with errors of some ten types; to a user it is one: this file cannot be
            # read.
            raise FileError(f"is truncated or damaged ({error}); get the file again") from error
        return _picture(raster, kind, name)


def write(
    target: str | Path,
    pixels: np.ndarray,
    like: Picture,
    *,
    overwrite: bool = False,
    quality: int | None = None,
) -> None:
    """Write pixels to a file in the format of its suffix, with the alpha and metadata of another picture.

    The file appears at once and whole, or not at all: it is written beside the target under another name,
    flushed to disk, and renamed.

    Parameters
    ----------
    target
        Path to write; its folder must exist.
    pixels
        (H, W, 3) uint8 or uint16, RGB, upright.
    like
        Picture that gives alpha, metadata, and whether to write grey.
    overwrite
        Replace an existing file.
    quality
        1 to 100, for JPEG, AVIF and WebP. None keeps the quality of the JPEG or WebP that `like` came from; what
        came from another format gets a high one.

    Raises
    ------
    FileError
        When the suffix is unknown, the file exists and `overwrite` is False, the folder is missing or cannot
        be written, or the format cannot hold the picture.
    InputError
        When `pixels` is no picture or does not fit `like`.
    SettingsError
        When `quality` is out of range.
    """
    path = Path(target)
    with _naming(str(target)):
        kind = format_of(path)
        _check_target(path, overwrite)
        _write_bytes(path, encode(pixels, like, kind, quality=quality), overwrite)


def write_restored(
    target: str | Path,
    pixels: np.ndarray,
    picture: Picture,
    source: Path | bytes,
    *,
    overwrite: bool = False,
    quality: int | None = None,
) -> None:
    """Write what was made of a photograph; one that was left as it was is copied, unless the format changes.

    Parameters
    ----------
    target, overwrite, quality
        As for `write`.
    pixels
        What was made of `picture`; equal pixels mean that nothing was.
    picture
        What was read.
    source
        The file that it was read from.

    Raises
    ------
    FileError, InputError, SettingsError
        As `write`.
    """
    path = Path(target)
    with _naming(str(target)):
        data = unchanged(pixels, picture, source, format_of(path))
        if data is None:
            data = encode(pixels, picture, format_of(path), quality=quality)
        _write_bytes(path, data, overwrite)


def unchanged(pixels: np.ndarray, picture: Picture, source: Path | bytes, format: str) -> bytes | None:
    """The file that a picture was read from, if nothing was made of it and `format` is its own; otherwise None."""
    if format != picture.format or not np.array_equal(pixels, picture.pixels):
        return None
    if isinstance(source, bytes):
        return source
    # A pipe with a name can be read only once.
    return source.read_bytes() if source.is_file() else None


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
    codec = _CODECS.get(format.upper())
    if codec is None or not hasattr(codec, "encode"):
        raise FileError(f"{format!r} is not a format that can be written; use {SUPPORTED}")
    if quality is not None and not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}; give 1 to 100")
    _check_pixels(pixels, like)
    alpha = like.alpha
    if codec is jpeg and alpha is not None:
        if alpha.min() < np.iinfo(alpha.dtype).max:
            raise FileError("a JPEG cannot hold transparency (alpha); write PNG, WebP or TIFF")
        alpha = None
    samples = interleaved(pixels, alpha, like.grey)
    metadata = (
        like.metadata if codec is png else _without_chunks(like.metadata, like.grey and codec is not webp)
    )
    with quiet():
        if codec is tiff:
            return tiff.encode(samples, metadata, quality, like.kept)
        encoded: bytes = codec.encode(samples, metadata, quality)
    return encoded


def format_of(path: str | Path) -> str:
    """Format that a path's suffix stands for, such as "JPEG"; `FileError` if it cannot be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN_SUFFIXES:
        raise FileError(
            f"the suffix {suffix!r} is not one that can be written; use {', '.join(WRITTEN_SUFFIXES)}"
        )
    return WRITTEN_SUFFIXES[suffix]


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the file's name in front of the message of a `FileError`."""
    try:
        yield
    except FileError as error:
        raise FileError(f"{name}: {error}") from error.__cause__


def _contents(path: Path, max_pixels: int) -> bytes:
    most = max_pixels * _MAX_BYTES_PER_PIXEL + _MAX_METADATA_BYTES
    try:
        with path.open("rb") as file:
            data = file.read(min(most, max(os.fstat(file.fileno()).st_size, 2**16)) + 1)
            if len(data) <= most:
                data += file.read(most + 1 - len(data))  # pipes and devices do not know their size
    except FileNotFoundError as error:
        raise FileError("there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise FileError("is a folder; give a file, or look for files with find_photographs") from error
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be opened ({error}); check the path and its permissions") from error
    if len(data) > most:
        raise FileError(f"is larger than {max_pixels:,} pixels can be; raise max_pixels if you trust it")
    return data


def _picture(raster: Raster, kind: str, name: str) -> Picture:
    metadata, notes = raster.metadata, raster.notes
    block, lost = exif.mended(metadata.exif) if metadata.exif else (None, ())
    if (lost or (metadata.exif and block is None)) and LOST_TAGS not in notes:
        notes += (LOST_TAGS,)
    orientation = exif.orientation_of(block)
    metadata = replace(metadata, exif=exif.made_upright(block) if block else None)
    if metadata.xmp:
        said = xmp.without_trailer(metadata.xmp)
        if said != metadata.xmp:
            notes += (_TRAILER_LOST,)
        metadata = replace(metadata, xmp=xmp.upright(said) if orientation > 1 else said)
    if orientation >= 5 and metadata.dpi:
        metadata = replace(metadata, dpi=metadata.dpi[::-1])
    samples = exif.turned(raster.samples, orientation)
    channels = samples.shape[2]
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    pixels = samples[..., :1].repeat(3, axis=2) if channels < 3 else np.ascontiguousarray(samples[..., :3])
    no_data = None if raster.hidden is None else np.ascontiguousarray(exif.turned(raster.hidden, orientation))
    kept = raster.kept and raster.kept.changed(
        lambda part: np.ascontiguousarray(exif.turned(part, orientation))
    )
    return Picture(pixels, alpha, channels < 3, kind, metadata, name, notes, no_data, kept)


def _without_chunks(metadata: Metadata, grey: bool) -> Metadata:
    """What the chunks of a PNG say, in forms that other formats have: an ICC profile, tags of EXIF, comments."""
    if not metadata.png_chunks:
        return metadata
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


def _write_bytes(path: Path, data: bytes, overwrite: bool) -> None:
    _check_target(path, overwrite)
    try:
        replace_file(path, data)
    except OSError as error:
        raise FileError(
            f"cannot be written ({error}); check the folder, its rights and free space"
        ) from error


def _check_target(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise FileError(f"its folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise FileError("is a folder; give the name of a file")
    if not overwrite and os.path.lexists(path):
        raise FileError("exists already; choose another name or allow overwriting")
