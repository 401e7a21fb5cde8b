"""TIFF: whatever grey, RGB, palette, CMYK or Lab picture its first page is (TIFF 6.0, BigTIFF), written with 8 or 16 bits.

Four parts, one idea each: how samples are stored (`tiff_page`, `tiff_segments`), what they mean (`tiff_meaning`), which
tags survive (`tiff_tags`), writing (`tiff_writer`). Every offset is checked against the file's length before a decoder
sees it, since decoders fill what is missing.

Kept: EXIF and GPS directories, all tags that do not belong to the storage (georeference, descriptions, private tags), ICC
profile, XMP, resolution, depth, alpha, further bands, floats and 32 bits with their range. Rewriting moves the EXIF
directory, so a maker note (a block in a format private to its maker) keeps its bytes, but pointers inside it may no
longer fit. Turned into another form: palettes, CMYK and Lab become RGB, premultiplied alpha straight, masks alpha, fewer
bits 8 or 16; the compression becomes Deflate. Left out: further pages, reduced copies, layers.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from clairvoy.errors import TooLargeError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats import tiff_page as tag
from clairvoy.imaging.formats.inks_and_lab import srgb_profile
from clairvoy.imaging.formats.photoshop import block_of, iptc_of
from clairvoy.imaging.formats.raster import LOST_TAGS, Kept, Metadata, Raster, check_size, to_sixteen_bits
from clairvoy.imaging.formats.tiff_meaning import (
    CONVERTED,
    NO_DATA,
    Meaning,
    check_meaning,
    interpret,
    no_data_value,
    no_data_written,
    scaled,
    unscaled,
)
from clairvoy.imaging.formats.tiff_page import Page, Pages, check_extent, describe, find_pages
from clairvoy.imaging.formats.tiff_segments import check_readable, read_box
from clairvoy.imaging.formats.tiff_tags import GEOREFERENCE, ICC, IPTC, PHOTOSHOP, RESOLUTION, XMP, surviving
from clairvoy.imaging.formats.tiff_writer import Layout, write_tiff

_ASCII = 2
_MOST_BANDS = 16
"""Of a picture that has as many pixels as are allowed."""


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode the first full page of a TIFF file; see `clairvoy.imaging.formats`."""
    pages = find_pages(data)
    page = describe(data, pages.main, pages.layout.order)
    check_size(page.width, page.height, max_pixels)
    if page.width * page.height * page.samples > _MOST_BANDS * max_pixels:
        raise TooLargeError(
            f"has {page.samples} bands, too many to hold at its size; search it by windows, or take some"
        )
    check_kind(page)
    samples = read_box(page, 0, 0, page.height, page.width, no_data_value(page) or 0)
    meaning, mask = interpret(page, samples), mask_of(pages, page)
    if mask is not None and meaning.alpha is None:
        meaning = with_mask(meaning, read_box(mask, 0, 0, mask.height, mask.width)[..., 0])
    notes = meaning.notes + notes_of(pages, page)
    metadata = read_metadata(pages, page)
    parts = [meaning.colours] + ([] if meaning.alpha is None else [meaning.alpha[..., None]])
    samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    return Raster(samples, metadata, notes, meaning.hidden, meaning.kept)


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None, kept: Kept | None = None) -> bytes:
    """Encode (H, W, 1 to 4) samples as TIFF of the same bit depth; lossless, so `quality` has no effect.

    Parameters
    ----------
    samples, metadata, quality
        See `clairvoy.imaging.formats`.
    kept
        Bands and values that the picture's own TIFF held beside these samples.
    """
    assembled, layout = arrange(samples, kept)
    target = io.BytesIO()
    parts = (assembled[top : top + layout.rows] for top in range(0, layout.height, layout.rows))
    write_tiff(target, layout, parts, metadata)
    return target.getvalue()


def arrange(samples: np.ndarray, kept: Kept | None, tile: int | None = None) -> tuple[np.ndarray, Layout]:
    """Samples (H, W, C) as they lie in the file, and the layout of a file of that size."""
    height, width, channels = samples.shape
    count = 1 if channels < 3 else 3
    colours, alpha = samples[..., :count], samples[..., count:]
    white_is_zero = False
    if kept is not None and kept.colours is not None and kept.colours.shape == colours.shape:
        colours, white_is_zero = unscaled(to_sixteen_bits(colours), kept), kept.black > kept.white
        alpha = _alpha_of(kept, alpha, colours.dtype)
    bands = kept.bands if kept is not None and kept.bands is not None else samples[..., :0]
    alpha_at = min(kept.alpha_at, bands.shape[2]) if kept is not None else 0
    if bands.shape[2] and bands.dtype != colours.dtype:
        if bands.dtype == np.uint16 and colours.dtype == np.uint8:
            colours, alpha = to_sixteen_bits(colours), to_sixteen_bits(alpha)
        bands = bands.astype(colours.dtype)
    parts = [colours, bands[..., :alpha_at], alpha, bands[..., alpha_at:]]
    present = [part for part in parts if part.shape[2]]
    assembled = present[0] if len(present) == 1 else np.concatenate(present, axis=2)
    has_alpha = alpha.shape[2] > 0
    layout = Layout(
        height, width, assembled.shape[2], assembled.dtype, count, count + alpha_at if has_alpha else None,
        tile, white_is_zero,
    )  # fmt: skip
    return assembled, layout


def check_kind(page: Page) -> None:
    """Refuse what cannot be read, before anything is decoded."""
    check_meaning(page)
    check_readable(page)
    check_extent(page)


def _alpha_of(kept: Kept, alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Alpha (H, W, 0 or 1) of 8 or 16 bits in the type of unusual colours: the file's own where nobody changed it."""
    full = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    if kept.alpha is not None and alpha.shape[2]:
        own = kept.alpha[..., None]
        if np.array_equal(scaled(own, 0.0, full), to_sixteen_bits(alpha)):
            return own
    share = alpha.astype(np.float64) / np.iinfo(alpha.dtype).max * full
    return (share if dtype.kind == "f" else np.rint(share)).astype(dtype)


def mask_of(pages: Pages, page: Page) -> Page | None:
    """The mask of transparent pixels that belongs to a page, which GDAL keeps as a page of its own."""
    for entries in pages.masks:
        mask = describe(page.block, entries, page.order)
        if (mask.height, mask.width, mask.samples) == (page.height, page.width, 1):
            check_readable(mask)
            check_extent(mask)
            return mask
    return None


def with_mask(meaning: Meaning, mask: np.ndarray) -> Meaning:
    """The same with a mask (H, W), 0 where nothing is seen, for its alpha."""
    dtype = meaning.colours.dtype
    return replace(meaning, alpha=np.where(mask > 0, np.iinfo(dtype).max, 0).astype(dtype))


def notes_of(pages: Pages, page: Page) -> tuple[str, ...]:
    """What the user should know of a file, whatever its pixels."""
    notes: tuple[str, ...] = ()
    if pages.more:
        notes += (f"has {pages.more + 1} pages; the first was taken, and only it is written",)
    if ifd.is_damaged(page.block, pages.layout, pages.offset):
        notes += (LOST_TAGS,)
    return notes


def read_metadata(pages: Pages, page: Page) -> Metadata:
    """What a page says besides its pixels."""
    order = pages.layout.order
    tree = surviving(ifd.read_tree(page.block, pages.layout, pages.offset))
    if NO_DATA in tree:
        value = no_data_written(page)
        del tree[NO_DATA]
        if value is not None:
            tree[NO_DATA] = ifd.Entry(_ASCII, len(value), value)
    if not tree.keys().isdisjoint(GEOREFERENCE):
        # A map's grid is counted from the first row and column of the file, whatever the orientation says.
        tree.pop(ifd.ORIENTATION, None)
    dpi = None
    unit = page.number(RESOLUTION[2], 2)
    if unit in (2, 3):
        scale = 2.54 if unit == 3 else 1.0
        across, down = (scale * ifd.ratio(page.entries.get(key), order) for key in RESOLUTION[:2])
        dpi = (across, down) if min(across, down) > 0 else None
    icc, xmp = (page.entries[key].value if key in page.entries else None for key in (ICC, XMP))
    if page.photometric in CONVERTED and page.photometric != tag.PALETTE:
        icc = srgb_profile()
    photoshop, iptc = (_content(tree.pop(key, None)) for key in (PHOTOSHOP, IPTC))
    if iptc and iptc_of(photoshop) is None:
        photoshop += block_of(iptc)
    exif = ifd.new_block(tree, order) if tree else None
    return Metadata(exif=exif, icc=icc, xmp=xmp, dpi=dpi, photoshop=photoshop or None)


def _content(entry: ifd.Entry | ifd.Directory | None) -> bytes:
    return entry.value if isinstance(entry, ifd.Entry) else b""
