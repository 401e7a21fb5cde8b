"""Reading and writing photographs so that what the file said besides its pixels survives.

JPEG, PNG, WebP, TIFF and AVIF, 8 and 16 bits, grey and RGB, with or without alpha; HEIC, JPEG XL, JPEG 2000,
camera raw, BMP, GIF and PNM are read only. What each keeps is written at the top of its module in
`clairvoy.imaging.formats`. A picture is turned upright on reading, and its EXIF
block then says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from clairvoy.errors import FileError, TooLargeError
from clairvoy.imaging.encoding import codec, encode
from clairvoy.imaging.folders import find_photographs
from clairvoy.imaging.formats.quiet import quiet
from clairvoy.imaging.formats.raster import Metadata, Raster
from clairvoy.imaging.formats.recognition import (
    READ_SUFFIXES,
    SUPPORTED,
    WRITTEN_AS,
    WRITTEN_SUFFIXES,
    recognise,
)
from clairvoy.imaging.picture import Picture, same_pixels, upright
from clairvoy.storage.atomic import replace_file

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Metadata",
    "Picture",
    "encode",
    "find_photographs",
    "format_of",
    "read",
    "restored_bytes",
    "unchanged",
    "write",
    "write_restored",
    "written_format",
]

MAX_PIXELS = 200_000_000
SUFFIXES = READ_SUFFIXES
_OF_ANOTHER_KIND = re.compile("unsupported|not supported|cannot handle|not implemented", re.IGNORECASE)
"""How decoders say that a whole file is one that they do not know."""
# No file is believed to need more than this: eight bands of 32 bits without compression, and room for metadata.
_MAX_BYTES_PER_PIXEL, _MAX_METADATA_BYTES = 32, 2**26


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
        Upright, RGB, in 8 or 16 bits; what else the file holds stands in its fields. docs/files.md says what becomes of
        which kind of file.

    Raises
    ------
    FileError
        When the file is missing, a folder, empty, truncated, damaged, larger than `max_pixels`, or of a kind that
        cannot be read. The message names the file and what to do.
    """
    name = "<bytes>" if isinstance(source, bytes) else str(source)
    with _naming(name):
        data = source if isinstance(source, bytes) else _contents(Path(source), max_pixels)
        kind = recognise(data)
        try:
            with quiet():
                raster: Raster = codec(kind).decode(data, max_pixels)
        except FileError:
            raise
        except MemoryError as error:
            raise TooLargeError(
                "does not fit into memory; lower max_pixels, or reduce the picture first"
            ) from error
        except Exception as error:
            if _OF_ANOTHER_KIND.search(str(error)):
                raise FileError(
                    f"is of a kind that cannot be read ({error}); convert it to {SUPPORTED}, such as by: magick IN OUT.png"
                ) from error
            # Decoders meet damage with errors of some ten types; to a user it is one: this file cannot be
            # read.
            raise FileError(f"is truncated or damaged ({error}); get the file again") from error
        return upright(raster, kind, name)


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
        data = restored_bytes(pixels, picture, source, format_of(path), quality=quality)
        _write_bytes(path, data, overwrite)


def restored_bytes(
    pixels: np.ndarray,
    picture: Picture,
    source: Path | bytes | None,
    format: str,
    *,
    quality: int | None = None,
) -> bytes:
    """What `write_restored` would write, in a format that can be written; without a `source`, nothing is copied."""
    data = None if source is None else unchanged(pixels, picture, source, format)
    return encode(pixels, picture, format, quality=quality) if data is None else data


def written_format(picture: Picture) -> str:
    """Format in which what was made of a picture is written unless somebody says otherwise: its own, if that can be."""
    suffix = WRITTEN_AS.get(picture.format)
    return WRITTEN_SUFFIXES[suffix] if suffix else picture.format


def unchanged(pixels: np.ndarray, picture: Picture, source: Path | bytes, format: str) -> bytes | None:
    """The file that a picture was read from, if nothing was made of it and `format` is its own; otherwise None."""
    if format != picture.format or not same_pixels(pixels, picture.pixels):
        return None
    if isinstance(source, bytes):
        return source
    # A pipe with a name can be read only once.
    return source.read_bytes() if source.is_file() else None


def format_of(path: str | Path) -> str:
    """Format that a path's suffix stands for, such as "JPEG"; `FileError` if it cannot be written."""
    suffix = Path(str(path)).suffix.lower()  # an address, too, ends in one
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
        raise type(error)(f"{name}: {error}") from error.__cause__


def most_bytes(max_pixels: int) -> int:
    """How long a file of so many pixels can be."""
    return max_pixels * _MAX_BYTES_PER_PIXEL + _MAX_METADATA_BYTES


def _contents(path: Path, max_pixels: int) -> bytes:
    most = most_bytes(max_pixels)
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
        raise TooLargeError(
            f"is larger than {max_pixels:,} pixels can be; raise max_pixels (--max-pixels) if you trust it"
        )
    return data


def _write_bytes(path: Path, data: bytes, overwrite: bool) -> None:
    _check_target(path, overwrite)
    try:
        replace_file(path, data)
    except (OSError, ValueError) as error:
        raise FileError(
            f"cannot be written ({error}); check the folder, its rights and free space"
        ) from error


def _check_target(path: Path, overwrite: bool) -> None:
    try:
        in_folder, folder, there = path.parent.is_dir(), path.is_dir(), os.path.lexists(path)
    except (OSError, ValueError) as error:  # such as a name too long, or with a zero byte in it
        raise FileError(f"cannot be written ({error}); choose another name") from error
    if not in_folder:
        raise FileError(f"its folder {path.parent} does not exist; create it first")
    if folder:
        raise FileError("is a folder; give the name of a file")
    if there and not overwrite:
        raise FileError("exists already; choose another name or allow overwriting")
