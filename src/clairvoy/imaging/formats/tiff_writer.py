"""Writing a TIFF piece by piece: strips or tiles, Deflate with prediction, then the directory (TIFF 6.0, BigTIFF).

The only writer of TIFFs here, of pictures in memory and of scenes that no memory holds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats import tiff_page as tag
from clairvoy.imaging.formats.photoshop import iptc_of
from clairvoy.imaging.formats.raster import Metadata
from clairvoy.imaging.formats.tiff_tags import ICC, IPTC, PHOTOSHOP, RESOLUTION, XMP, surviving

_DEFLATE, _ALPHA = 8, 2
_SHORT, _LONG, _RATIONAL, _BYTE, _UNDEFINED, _LONG8 = 3, 4, 5, 1, 7, 16
_CLASSIC_LIMIT = 2**32 - 2**26
"""Bytes of samples from which the file is a BigTIFF: offsets of 32 bits might not reach, were they not to shrink."""
_STRIP_SAMPLES = 65_536


@dataclass(frozen=True)
class Layout:
    """What is written.

    Attributes
    ----------
    height, width, channels
        Size of the picture.
    dtype
        Unsigned, signed or float.
    colours
        1 or 3; the channels behind them are extra samples.
    alpha
        The channel that is alpha, None for none.
    tile
        Side of the tiles, a multiple of 16; None for strips.
    white_is_zero
        Grey runs from white to black.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype
    colours: int
    alpha: int | None = None
    tile: int | None = None
    white_is_zero: bool = False

    @property
    def rows(self) -> int:
        """Rows of one strip, or of a row of tiles."""
        return self.tile or max(1, _STRIP_SAMPLES // self.width)


def write_tiff(target: BinaryIO, layout: Layout, parts: Iterable[np.ndarray], metadata: Metadata) -> None:
    """Write a TIFF to a stream that can be sought in.

    Parameters
    ----------
    target
        At its beginning.
    layout
        What is written.
    parts
        Samples (`layout.rows`, width, channels) from top to bottom, the last with the rows that are left.
    metadata
        The tags of its EXIF block's root become tags of the page, see `tiff_tags`; its byte order becomes the file's.
    """
    tree, order = _tree(metadata.exif)
    size = layout.height * layout.width * layout.channels * layout.dtype.itemsize
    big = size + len(metadata.exif or b"") > _CLASSIC_LIMIT
    mark = b"II" if order == "<" else b"MM"
    target.write(
        mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))
    )
    offsets, sizes, end = [], [], target.tell()
    for part in parts:
        for piece in _pieces(part, layout):
            data = _compressed(piece, order)
            offsets.append(end)
            sizes.append(len(data))
            target.write(data + b"\0" * (len(data) % 2))
            end += len(data) + len(data) % 2
    tree |= _storage(layout, offsets, sizes, order, big) | _fields(metadata, order)
    target.write(ifd.write_tree(tree, order, end, big))
    target.seek(8 if big else 4)
    target.write(struct.pack(order + ("Q" if big else "I"), end))


def _storage(layout: Layout, offsets: list[int], sizes: list[int], order: str, big: bool) -> ifd.Directory:
    word = _LONG8 if big else _LONG
    extra = layout.channels - layout.colours
    grey = tag.WHITE_IS_ZERO if layout.white_is_zero else tag.BLACK_IS_ZERO
    kind = {"u": tag.UNSIGNED, "i": tag.SIGNED, "f": tag.FLOAT}[layout.dtype.kind]
    tree: ifd.Directory = {
        tag.WIDTH: _entry(order, _LONG, layout.width),
        tag.HEIGHT: _entry(order, _LONG, layout.height),
        tag.BITS: _entry(order, _SHORT, *[8 * layout.dtype.itemsize] * layout.channels),
        tag.COMPRESSION: _entry(order, _SHORT, _DEFLATE),
        tag.PHOTOMETRIC: _entry(order, _SHORT, tag.RGB if layout.colours == 3 else grey),
        tag.SAMPLES: _entry(order, _SHORT, layout.channels),
        tag.PLANAR: _entry(order, _SHORT, 1),
        tag.PREDICTOR: _entry(order, _SHORT, 1 if kind == tag.FLOAT else 2),
    }
    if layout.tile:
        tree[tag.TILE_WIDTH] = tree[tag.TILE_HEIGHT] = _entry(order, _LONG, layout.tile)
        tree |= {tag.TILE_OFFSETS: _entry(order, word, *offsets), tag.TILE_SIZES: _entry(order, word, *sizes)}
    else:
        tree[tag.ROWS_PER_STRIP] = _entry(order, _LONG, layout.rows)
        tree |= {
            tag.STRIP_OFFSETS: _entry(order, word, *offsets),
            tag.STRIP_SIZES: _entry(order, word, *sizes),
        }
    if extra:
        kinds = [_ALPHA if layout.colours + place == layout.alpha else 0 for place in range(extra)]
        tree[tag.EXTRA_SAMPLES] = _entry(order, _SHORT, *kinds)
    if kind != tag.UNSIGNED:
        tree[tag.SAMPLE_FORMAT] = _entry(order, _SHORT, *[kind] * layout.channels)
    return tree


def _fields(metadata: Metadata, order: str) -> ifd.Directory:
    """Tags of what the metadata hold in fields of their own."""
    tree: ifd.Directory = {}
    if metadata.dpi and max(metadata.dpi) < 2**32 - 1:
        across, down = (_rational(dots, order) for dots in metadata.dpi)
        tree |= dict(zip(RESOLUTION, (across, down, _entry(order, _SHORT, 2)), strict=True))
    if metadata.xmp:
        tree[XMP] = ifd.Entry(_BYTE, len(metadata.xmp), metadata.xmp)
    if metadata.photoshop:
        tree[PHOTOSHOP] = ifd.Entry(_BYTE, len(metadata.photoshop), metadata.photoshop)
        if iptc := iptc_of(metadata.photoshop):
            tree[IPTC] = ifd.Entry(_UNDEFINED, len(iptc), iptc)
    if metadata.icc:
        tree[ICC] = ifd.Entry(_UNDEFINED, len(metadata.icc), metadata.icc)
    return tree


def _rational(value: float, order: str) -> ifd.Entry:
    """A positive number as a fraction of 32-bit integers, as fine as its size allows."""
    below = next(step for step in (10_000, 100, 1) if round(value * step) < 2**32)
    return _entry(order, _RATIONAL, round(value * below), below)


def _entry(order: str, kind: int, *values: int) -> ifd.Entry:
    code = {_SHORT: "H", _LONG: "I", _RATIONAL: "I", _LONG8: "Q"}[kind]
    count = len(values) // (2 if kind == _RATIONAL else 1)
    return ifd.Entry(kind, count, struct.pack(f"{order}{len(values)}{code}", *values))


def _tree(exif: bytes | None) -> tuple[ifd.Directory, Literal["<", ">"]]:
    """Take from an EXIF block what a TIFF file holds, and its byte order."""
    if not exif:
        return {}, "<"
    try:
        layout = ifd.read_layout(exif)
        return surviving(ifd.read_tree(exif, layout, layout.first)), layout.order
    except FileError:
        return {}, "<"


def _pieces(part: np.ndarray, layout: Layout) -> Iterable[np.ndarray]:
    """A strip as it is, or the tiles of a row, filled with zeros beyond the picture."""
    if layout.tile is None:
        yield part
        return
    tile = layout.tile
    for left in range(0, layout.width, tile):
        piece = np.zeros((tile, tile, layout.channels), layout.dtype)
        inside = part[:, left : left + tile]
        piece[: inside.shape[0], : inside.shape[1]] = inside
        yield piece


def _compressed(samples: np.ndarray, order: Literal["<", ">"]) -> bytes:
    """Differences along the rows (predictor 2; floats as they are, as every reader knows them), then Deflate."""
    difference = samples
    if samples.dtype.kind != "f":
        difference = samples.copy()
        difference[:, 1:] -= samples[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder(order), copy=False).tobytes(), 3)
