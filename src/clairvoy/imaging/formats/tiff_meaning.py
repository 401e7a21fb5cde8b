"""What the samples of a TIFF mean: colours, alpha, further bands, no data. The same for a whole page and for a window.

Samples of 8 and 16 bits are the pixels. Fewer bits are stretched to 8 or 16. Floats, signed and 32-bit samples are scaled
to 16 bits for the work, and go back to their own values and type when they are written: see `Kept`.

Sources: TIFF 6.0, sections 3 to 8, 18, 23; GDAL's tag for "no data".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.formats import tiff_page as tag
from clairvoy.imaging.formats.inks_and_lab import cmyk_to_srgb, lab_to_srgb
from clairvoy.imaging.formats.raster import STRIP_PIXELS, Kept
from clairvoy.imaging.formats.tiff_page import Page
from clairvoy.imaging.windows import strips

NO_DATA, ICC = 42113, 34675
_COLOUR_MAP, _INK_SET, _SMAX_SAMPLE = 320, 332, 341
_COLOURS = {
    tag.WHITE_IS_ZERO: 1, tag.BLACK_IS_ZERO: 1, tag.RGB: 3, tag.YCBCR: 3, tag.PALETTE: 1, tag.SEPARATED: 4,
    tag.CIELAB: 3, tag.ICCLAB: 3,
}  # fmt: skip
CONVERTED = (tag.PALETTE, tag.SEPARATED, tag.CIELAB, tag.ICCLAB)
"""Colours that become RGB: neither their profile nor their "no data" value is true afterwards."""
_ANYTHING, _PREMULTIPLIED, _STRAIGHT = range(3)
_WHITES = (1.0, 255.0, 65535.0, 2.0**32 - 1)


@dataclass(frozen=True)
class Meaning:
    """Pixels of a page or of a window of it.

    Attributes
    ----------
    colours
        (H, W, 1 or 3) uint8 or uint16.
    alpha
        (H, W) of the same type, straight; None where there is none.
    hidden
        (H, W) bool, no data; None where the file has no value for it.
    kept
        What a TIFF made of it gets back; None where there is nothing.
    notes
        What the user should know.
    """

    colours: np.ndarray
    alpha: np.ndarray | None
    hidden: np.ndarray | None
    kept: Kept | None
    notes: tuple[str, ...]


def check_meaning(page: Page) -> None:
    """Refuse what has no well-defined picture."""
    if page.photometric not in _COLOURS:
        raise FileError(f"has colours of kind {page.photometric}, which cannot be read; convert it to RGB")
    if page.samples < colour_count(page):
        raise FileError(f"has {page.samples} samples a pixel, too few for its colours; convert it to RGB")
    if page.photometric == tag.SEPARATED and page.number(_INK_SET, 1) != 1:
        raise FileError("has inks other than cyan, magenta, yellow and black; convert it to RGB")
    plain = page.photometric in (tag.WHITE_IS_ZERO, tag.BLACK_IS_ZERO, tag.RGB)
    if not plain and (page.format != tag.UNSIGNED or page.bits > 16):
        raise FileError(
            "has colours other than RGB and grey in samples of an unusual kind; convert it to RGB"
        )


def colour_count(page: Page) -> int:
    """Samples that are colours. Three bands or more that the file calls grey are taken for red, green and blue."""
    if page.photometric == tag.BLACK_IS_ZERO and len(_extra(page, 1)) >= 2:
        return 1 if {_PREMULTIPLIED, _STRAIGHT} & {*_extra(page, 1)[:2]} else 3
    return _COLOURS[page.photometric]


def needs_all(page: Page) -> bool:
    """Tell whether samples are scaled to the range of the whole page, so that a window alone says too little."""
    return page.format != tag.UNSIGNED or page.bits > 16 or _named_white(page) is not None


def no_data_value(page: Page) -> float | None:
    """The value that stands for "no data" in GDAL's tag; None where there is none that a sample can have."""
    entry = page.entries.get(NO_DATA)
    try:
        value = float(entry.value.split(b"\0")[0]) if entry else None
    except ValueError:
        return None
    if value is None or page.format == tag.FLOAT:
        return value
    bits = page.bits - (page.format == tag.SIGNED)
    lowest = -(2**bits) if page.format == tag.SIGNED else 0
    return value if value.is_integer() and lowest <= value < 2**bits else None


def no_data_written(page: Page) -> bytes | None:
    """GDAL's tag for "no data" as it is true of the pixels, which may be stretched or turned round; None: leave it out."""
    value = no_data_value(page)
    if value is None or page.photometric in CONVERTED:
        return None
    if needs_all(page) or (page.bits in (8, 16) and page.photometric != tag.WHITE_IS_ZERO):
        return page.entries[NO_DATA].value
    level = int(_stretch_table(page.bits)[int(value)])
    peak = 255 if page.bits <= 8 else 65535
    return b"%d\0" % (peak - level if page.photometric == tag.WHITE_IS_ZERO else level)


def interpret(page: Page, samples: np.ndarray) -> Meaning:
    """Say what samples (H, W, page.samples) mean."""
    count = colour_count(page)
    colours, rest = samples[..., :count], samples[..., count:]
    hidden = _without_data(page, colours)
    extra = _extra(page, count)
    alpha_at = next((place for place, kind in enumerate(extra) if kind != _ANYTHING), None)
    alpha = None if alpha_at is None else rest[..., alpha_at]
    bands = rest if alpha_at is None else np.delete(rest, alpha_at, axis=2)
    notes: tuple[str, ...] = ()
    if page.photometric == tag.BLACK_IS_ZERO and count == 3:
        notes = (f"has {page.samples} bands without colours; the first three are taken for red, green, blue",)
    black, white, original, own_alpha = 0.0, 1.0, None, None
    if needs_all(page):
        own_alpha = None if alpha is None else np.ascontiguousarray(alpha)
        original, alpha = _straight_samples(page, colours, alpha, extra)
        black, white = _range(page, original, hidden)
        colours = scaled(original, black, white)
        low, high = sorted((black, white))
        notes += (f"has samples of an unusual range; {low:.6g} to {high:.6g} is taken for its range",)
    else:
        colours = _as_levels(colours, page.bits) if page.photometric != tag.PALETTE else colours
        alpha = None if alpha is None else _as_levels(alpha, page.bits)
        bands = _as_levels(bands, page.bits)
        colours, said = _as_rgb_or_grey(page, colours)
        notes += said
        if alpha is not None:
            alpha = _in_depth(alpha, colours.dtype)
            if alpha_at is not None and extra[alpha_at] == _PREMULTIPLIED:
                colours = _straight(colours, alpha)
        if hidden is not None and page.photometric in CONVERTED:
            seen = np.where(hidden, 0, np.iinfo(colours.dtype).max).astype(colours.dtype)
            alpha, hidden = seen if alpha is None else np.minimum(alpha, seen), None
    kept = None
    if original is not None or bands.shape[2]:
        more = np.ascontiguousarray(bands) if bands.shape[2] else None
        kept = Kept(original, black, white, more, alpha_at or 0, own_alpha)
    return Meaning(np.ascontiguousarray(colours), alpha, hidden, kept, notes)


def scaled(original: np.ndarray, black: float, white: float) -> np.ndarray:
    """Samples as uint16, 0 at `black` and 65535 at `white`, rounded; what lies outside, and no number, at the ends."""
    pixels = np.empty(original.shape, np.uint16)
    for rows in strips(len(original), original.shape[1], STRIP_PIXELS):
        part = (original[rows].astype(np.float64) - black) * (65535 / (white - black))
        pixels[rows] = np.rint(np.clip(np.nan_to_num(part, nan=0.0, posinf=65535, neginf=0), 0, 65535))
    return pixels


def unscaled(pixels: np.ndarray, kept: Kept) -> np.ndarray:
    """Samples in the file's own type: what they were, changed by as much as the pixels were.

    So what was left as it was comes back exactly, also beyond black and white and finer than 16 bits.
    """
    assert kept.colours is not None
    original = kept.colours
    result = original.copy()
    step = (kept.white - kept.black) / 65535
    for rows in strips(len(original), original.shape[1], STRIP_PIXELS):
        before = scaled(original[rows], kept.black, kept.white)
        change = pixels[rows].astype(np.float64) - before
        value = original[rows].astype(np.float64) + change * step
        if original.dtype.kind != "f":
            limits = np.iinfo(original.dtype)
            value = np.clip(np.rint(value), limits.min, limits.max)
        np.copyto(result[rows], value.astype(original.dtype), where=change != 0)
    return result


def _extra(page: Page, colours: int) -> tuple[int, ...]:
    """What each sample behind the colours is. One sample that no tag explains is alpha, as many programs write it."""
    count = page.samples - colours
    if page.extra is None:
        return (_STRAIGHT,) if count == 1 else (_ANYTHING,) * count
    # The tag counts from the last sample, so a page called grey may have fewer or more than are left here.
    named = page.extra[-count:] if len(page.extra) > count else page.extra
    known = tuple(kind if kind in (_PREMULTIPLIED, _STRAIGHT) else _ANYTHING for kind in named)
    return (*known, *(_ANYTHING,) * (count - len(known))) if count else ()


def _without_data(page: Page, colours: np.ndarray) -> np.ndarray | None:
    hidden = None
    value = no_data_value(page)
    if value is not None:
        hidden = np.isnan(colours) if np.isnan(value) else colours == colours.dtype.type(value)
        hidden = hidden.all(axis=-1)
    if page.format == tag.FLOAT:
        broken = ~np.isfinite(colours).all(axis=-1)
        hidden = broken if hidden is None else hidden | broken
    return hidden if hidden is not None and hidden.any() else None


def _straight_samples(
    page: Page, colours: np.ndarray, alpha: np.ndarray | None, extra: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Straight colours in the file's own type, and alpha as uint16."""
    original = np.ascontiguousarray(colours)
    if alpha is not None:
        full = 1.0 if page.format == tag.FLOAT else float(np.iinfo(alpha.dtype).max)
        if _PREMULTIPLIED in extra:
            share = np.clip(alpha.astype(np.float64) / full, 0, None)[..., None]
            with np.errstate(over="ignore", invalid="ignore"):
                straight = np.divide(original, share, out=original.astype(np.float64), where=share > 0)
            original = straight.astype(original.dtype)
        alpha = scaled(alpha[..., None], 0.0, full)[..., 0]
    return original, alpha


def _range(page: Page, original: np.ndarray, hidden: np.ndarray | None) -> tuple[float, float]:
    """Values that are taken for black and for white.

    White is 1, 255, 65535 or 2^32 - 1 where the largest value lies in the upper half of that, and else the largest
    value; floats up to 1 run to 1. Black is 0, or the smallest value where that is below.
    """
    seen = original if hidden is None else original[~hidden]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    usual = (white for white in _WHITES if white / 2 < high <= white)
    white = _named_white(page) or next(usual, high)
    if page.format == tag.FLOAT and high <= 1:
        white = 1.0
    black = min(0.0, low)
    white = white if white > black else black + 1
    return (white, black) if page.photometric == tag.WHITE_IS_ZERO else (black, white)


def _named_white(page: Page) -> float | None:
    """The largest value that samples of 16 bits and more can have, where the file names one (SMaxSampleValue)."""
    entry = page.entries.get(_SMAX_SAMPLE)
    if entry is None or page.bits < 16:
        return None
    code = {3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d"}.get(entry.kind)
    if code is None or not entry.count:
        return None
    value = float(max(struct.unpack(f"{page.order}{entry.count}{code}", entry.value)))
    full = 2.0**page.bits - 1 if page.format == tag.UNSIGNED else np.inf
    return value if 0 < value < full else None


def _as_rgb_or_grey(page: Page, colours: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if page.photometric == tag.WHITE_IS_ZERO:
        return np.iinfo(colours.dtype).max - colours, ()
    if page.photometric == tag.PALETTE:
        return _looked_up(page, colours), ()
    if page.photometric == tag.SEPARATED:
        profile = page.entries.get(ICC)
        return cmyk_to_srgb(colours, profile.value if profile else None)
    if page.photometric in (tag.CIELAB, tag.ICCLAB):
        return lab_to_srgb(np.ascontiguousarray(colours), offset=page.photometric == tag.ICCLAB), ()
    return colours, ()


def _looked_up(page: Page, indices: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) uint8 of a palette, which has 16 bits; some programs write 8 into it."""
    table = np.array(page.numbers(_COLOUR_MAP), np.uint32)
    if table.size != 3 * 2**page.bits:
        raise FileError("has a palette of the wrong size; get the file again")
    levels = (table if table.max() < 256 else table >> 8).astype(np.uint8)
    return levels.reshape(3, -1).T[indices[..., 0]]


def _stretch_table(bits: int) -> np.ndarray:
    """Level of 8 or 16 bits for every value of so many bits."""
    peak = 255 if bits <= 8 else 65535
    most = 2**bits - 1
    levels = (np.arange(most + 1, dtype=np.uint64) * peak + most // 2) // most
    return levels.astype(np.uint8 if bits <= 8 else np.uint16)


def _as_levels(samples: np.ndarray, bits: int) -> np.ndarray:
    return samples if bits in (8, 16) else _stretch_table(bits)[samples]


def _in_depth(alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Alpha in the depth of its colours, which a palette or a profile may have changed."""
    if alpha.dtype == dtype:
        return np.ascontiguousarray(alpha)
    return ((alpha.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _straight(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Premultiplied colours divided by their alpha, rounded; where alpha is 0 they stay."""
    peak = np.uint64(np.iinfo(colours.dtype).max)
    result = np.empty_like(colours)
    for rows in strips(len(colours), colours.shape[1], STRIP_PIXELS):
        part, share = colours[rows].astype(np.uint64), alpha[rows].astype(np.uint64)[..., None]
        divided = np.minimum((part * peak + share // np.uint64(2)) // np.maximum(share, np.uint64(1)), peak)
        result[rows] = np.where(share > 0, divided, part)
    return result
