"""What a TIFF says about its pictures: which page is the picture, and how its samples are stored (TIFF 6.0, BigTIFF).

Only what the samples depend on is read here, and only that can condemn a file. What samples mean is in
`clairvoy.imaging.formats.tiff_meaning`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd

DAMAGED = "is truncated or damaged ({}); get the file again"
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, SUB_IFDS = 322, 323, 324, 325, 330
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, SEPARATED, YCBCR = range(7)
CIELAB, ICCLAB, COLOUR_FILTER_ARRAY, LINEAR_RAW = 8, 9, 32803, 34892
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
_NEEDED = frozenset(
    {*range(254, 260), PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR, PREDICTOR,
     292, 293, 320, *range(322, 326), 332, EXTRA_SAMPLES, SAMPLE_FORMAT, 341, 347, *range(529, 533)}
)  # fmt: skip
"""Tags that samples depend on: where one of them is lost, so is the picture."""
_REDUCED, _TRANSPARENCY = 1, 4
_DNG_VERSION = 50706

_LARGEST_TILE = 2**24
"""Pixels of a tile that are allowed in the smallest of pictures: a few bytes must not ask for all memory."""


@dataclass(frozen=True)
class Page:
    """How the samples of one page are stored.

    Attributes
    ----------
    block
        The file.
    entries
        Every tag of the page that can be read.
    order
        Byte order, '<' or '>'.
    width, height
        In pixels.
    samples
        For each pixel.
    bits
        Of each sample.
    format
        `UNSIGNED`, `SIGNED` or `FLOAT`.
    planar
        Each sample has strips or tiles of its own.
    extra
        What the samples beyond the colours are (ExtraSamples): 0 anything, 1 premultiplied alpha, 2 alpha; None where
        the file does not say.
    segment_height, segment_width
        Of strips or tiles, in pixels.
    offsets, sizes
        Where strips or tiles are, in bytes; 0 and 0 is one that was never written.
    """

    block: bytes | mmap.mmap
    entries: dict[int, ifd.Entry]
    order: Literal["<", ">"]
    width: int
    height: int
    samples: int
    bits: int
    format: int
    photometric: int
    compression: int
    predictor: int
    planar: bool
    extra: tuple[int, ...] | None
    segment_height: int
    segment_width: int
    tiled: bool
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def across(self) -> int:
        """Strips or tiles side by side."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Strips or tiles below one another."""
        return -(-self.height // self.segment_height)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Values of a tag of an integer type; empty where the page has none."""
        return ifd.integers(self.entries[tag], self.order) if tag in self.entries else ()

    def number(self, tag: int, default: int = 0) -> int:
        """First value of a tag of an integer type."""
        return (*self.numbers(tag), default)[0]


@dataclass(frozen=True)
class Pages:
    """The pictures of a file.

    Attributes
    ----------
    main
        The first full picture: the offset of its directory, and its tags.
    more
        How many further full pictures there are.
    reduced
        Reduced copies (overviews): their tags.
    masks
        Masks of transparent pixels: their tags.
    """

    layout: ifd.Layout
    offset: int
    main: dict[int, ifd.Entry]
    more: int
    reduced: tuple[dict[int, ifd.Entry], ...]
    masks: tuple[dict[int, ifd.Entry], ...]


def find_pages(block: bytes | mmap.mmap) -> Pages:
    """Look through the directories of a file for its picture.

    Raises
    ------
    FileError
        When there is no picture, or the file is camera raw.
    """
    layout = ifd.read_layout(block)
    full, reduced, masks = [], [], []
    for offset, entries in _directories(block, layout):
        kind = (*_integers(entries, SUBFILE, layout), 0)[0]
        if kind & _TRANSPARENCY:
            masks.append(entries)
        elif kind & _REDUCED:
            reduced.append(entries)
        else:
            full.append((offset, entries))
    if not full:
        raise FileError("holds previews only (or is camera raw); develop it and save a TIFF or JPEG")
    offset, main = full[0]
    photometric = (*_integers(main, PHOTOMETRIC, layout), 0)[0]
    if _DNG_VERSION in main or photometric in (COLOUR_FILTER_ARRAY, LINEAR_RAW):
        raise FileError("is camera raw; develop it and save a TIFF or JPEG")
    below = []
    for where in _integers(main, SUB_IFDS, layout):
        try:
            below.append(ifd.read_entries(block, layout, where, _NEEDED)[0])
        except FileError:
            continue
    return Pages(layout, offset, main, len(full) - 1, (*reduced, *below), tuple(masks))


def describe(block: bytes | mmap.mmap, entries: dict[int, ifd.Entry], order: Literal["<", ">"]) -> Page:
    """Read from a page's tags how its samples are stored.

    Raises
    ------
    FileError
        When tags that the samples depend on are missing or contradict the file.
    """

    def numbers(tag: int) -> tuple[int, ...]:
        return ifd.integers(entries[tag], order) if tag in entries else ()

    def number(tag: int, default: int) -> int:
        return (*numbers(tag), default)[0]

    width, height, bits = number(WIDTH, 0), number(HEIGHT, 0), set(numbers(BITS) or (1,))
    if len(bits) != 1:
        raise FileError("has samples of different depths; save it with 8 or 16 bits for each")
    tiled = TILE_OFFSETS in entries or TILE_WIDTH in entries
    offsets, sizes = (
        numbers(tag) for tag in ((TILE_OFFSETS, TILE_SIZES) if tiled else (STRIP_OFFSETS, STRIP_SIZES))
    )
    wide = number(TILE_WIDTH, 0) if tiled else width
    tall = number(TILE_HEIGHT, 0) if tiled else max(1, min(number(ROWS_PER_STRIP, height), height))
    page = Page(
        block, entries, order, width, height, number(SAMPLES, 1), bits.pop(),
        {UNDEFINED: UNSIGNED}.get(number(SAMPLE_FORMAT, 1), number(SAMPLE_FORMAT, 1)),
        number(PHOTOMETRIC, BLACK_IS_ZERO), number(COMPRESSION, 1), number(PREDICTOR, 1),
        number(PLANAR, 1) == 2 and number(SAMPLES, 1) > 1,
        numbers(EXTRA_SAMPLES) if EXTRA_SAMPLES in entries else None,
        tall, wide, tiled, offsets, sizes,
    )  # fmt: skip
    if min(width, height, tall, wide, page.samples, page.bits) < 1:
        raise FileError(DAMAGED.format("it does not say how its pixels are stored"))
    if tall * wide > max(4 * width * height, _LARGEST_TILE):
        raise FileError(
            DAMAGED.format(f"its tiles of {wide} x {tall} pixels are far larger than the picture")
        )
    return page


def check_extent(page: Page) -> None:
    """Refuse a page whose strips or tiles are not all inside the file."""
    count = page.across * page.down * (page.samples if page.planar else 1)
    if not page.offsets or len(page.offsets) != len(page.sizes):
        raise FileError(DAMAGED.format("it does not say where its pixels are"))
    if len(page.offsets) < count:
        raise FileError(DAMAGED.format("pixels are missing"))
    for offset, size in zip(page.offsets[:count], page.sizes[:count], strict=True):
        if offset + size > len(page.block) or (size == 0) != (offset == 0):
            raise FileError(DAMAGED.format("pixels are missing"))


def _directories(block: bytes | mmap.mmap, layout: ifd.Layout) -> Iterator[tuple[int, dict[int, ifd.Entry]]]:
    """Directories in the order of their chain; what is lost behind the first is no reason to refuse the first."""
    seen, offset = set[int](), layout.first
    while offset and offset not in seen:
        try:
            entries, link = ifd.read_entries(block, layout, offset, _NEEDED)
        except FileError:
            if seen:
                return
            raise
        seen.add(offset)
        yield offset, entries
        offset = ifd.next_directory(block, layout, link)


def _integers(entries: dict[int, ifd.Entry], tag: int, layout: ifd.Layout) -> tuple[int, ...]:
    return ifd.integers(entries[tag], layout.order) if tag in entries else ()
