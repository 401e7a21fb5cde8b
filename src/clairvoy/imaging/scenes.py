"""Scenes that are read window by window: a picture in memory, or a TIFF of which only what is asked for is read.

A TIFF is read by windows if it is large, whatever its compression, unless its samples must be scaled to the range of all of
it (floats, 32 bits), it must be turned, or one strip is nearly all of it; any other picture is read whole. A reduced copy
inside the TIFF (an overview) serves as a thumbnail.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.encoding import interleaved
from clairvoy.imaging.files import MAX_PIXELS, Metadata, Picture, read
from clairvoy.imaging.formats import exif, tiff
from clairvoy.imaging.formats.quiet import quiet
from clairvoy.imaging.formats.tiff_meaning import Meaning, interpret, needs_all, no_data_value
from clairvoy.imaging.formats.tiff_page import Page, describe, find_pages
from clairvoy.imaging.formats.tiff_segments import dtype_of, finer, place_segment, read_box, read_segment
from clairvoy.imaging.formats.tiff_writer import Layout, write_tiff
from clairvoy.imaging.hidden import resized, shown

BY_WINDOWS_FROM = 16_000_000
"""Pixels from which a TIFF is read by windows."""
CACHE_BYTES = 256_000_000
"""Decoded strips or tiles of a TIFF that are kept."""
MOST_OF_A_SEGMENT = 64_000_000
"""Pixels of a strip or tile beyond which nothing is saved by reading it alone."""
_THUMBNAIL_SIDE, _THUMBNAIL_PIXELS = 1600, 16_000_000
"""Longest side of a thumbnail that is made; an overview larger than the other would be none."""
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Scene(Protocol):
    """What a search asks of a scene."""

    height: int
    width: int
    dtype: np.dtype[Any]

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """Pixels of a box inside the scene, (bottom - top, right - left, 3) RGB."""
        ...

    def hidden(self, top: int, left: int, bottom: int, right: int) -> np.ndarray | None:
        """Pixels of a box that nobody sees (alpha 0, "no data"), (bottom - top, right - left) bool; None where all are."""
        ...

    def thumbnail(self) -> np.ndarray | None:
        """The whole scene at a smaller size, (h, w, 3) uint8 RGB; None where it cannot be had without reading it all."""
        ...


class Restorer(Protocol):
    """Changes the pixels (h, w, 3) of a part of a scene that begins at a row and a column."""

    def __call__(self, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
        """Changed pixels, same shape and type."""
        ...


class PictureScene:
    """A picture in memory."""

    def __init__(self, picture: Picture) -> None:
        self.picture, self.notes, self._hidden = picture, picture.notes, picture.hidden
        self.height, self.width = picture.pixels.shape[:2]
        self.dtype = picture.pixels.dtype

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """See `Scene`."""
        return self.picture.pixels[top:bottom, left:right]

    def hidden(self, top: int, left: int, bottom: int, right: int) -> np.ndarray | None:
        """See `Scene`."""
        return _any(None if self._hidden is None else self._hidden[top:bottom, left:right])

    def thumbnail(self) -> np.ndarray | None:
        """See `Scene`; at most 1600 pixels long."""
        scale = min(1.0, _THUMBNAIL_SIDE / max(self.height, self.width))
        size = max(1, round(self.height * scale)), max(1, round(self.width * scale))
        small = resized(self.picture.pixels, size, cv2.INTER_AREA, self._hidden)
        return _eight_bits(np.rint(small).astype(self.dtype))


class TiffScene:
    """A TIFF of which strips or tiles are decoded when they are asked for.

    Parameters
    ----------
    path
        The file; see `can_read_by_windows`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        block = _mapped(path)
        self._pages = find_pages(block)
        self.page = describe(block, self._pages.main, self._pages.layout.order)
        tiff.check_kind(self.page)
        mask = tiff.mask_of(self._pages, self.page)
        self._segments = _Segments(self.page)
        self._mask = None if mask is None else _Segments(mask)
        self.height, self.width = self.page.height, self.page.width
        blank = interpret(self.page, np.zeros((1, 1, self.page.samples), dtype_of(self.page)))
        self.dtype, self.grey = blank.colours.dtype, blank.colours.shape[2] == 1
        self.notes = blank.notes + tiff.notes_of(self._pages, self.page)

    @property
    def metadata(self) -> Metadata:
        """What the file says besides its pixels."""
        return tiff.read_metadata(self._pages, self.page)

    def meaning(self, top: int, left: int, bottom: int, right: int) -> Meaning:
        """All that is known of a box: colours, alpha, no data, further bands."""
        try:
            found = interpret(self.page, self._segments.box(top, left, bottom, right))
            if self._mask is None or found.alpha is not None:
                return found
            return tiff.with_mask(found, self._mask.box(top, left, bottom, right)[..., 0])
        except FileError as error:
            raise FileError(f"{self.path}: {error}") from error

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """See `Scene`."""
        return _rgb(self.meaning(top, left, bottom, right).colours)

    def hidden(self, top: int, left: int, bottom: int, right: int) -> np.ndarray | None:
        """See `Scene`."""
        return _hidden(self.meaning(top, left, bottom, right))

    def thumbnail(self) -> np.ndarray | None:
        """The smallest overview that is at least 256 pixels long, if there is one."""
        found: Page | None = None
        for entries in self._pages.reduced:
            try:
                page = describe(self.page.block, entries, self.page.order)
                tiff.check_kind(page)
            except FileError:
                continue
            size = page.height * page.width
            similar = abs(page.height / page.width / (self.height / self.width) - 1) < 0.05
            large_enough = max(page.height, page.width) >= 256
            alike = (page.samples, page.bits, page.format) == (
                self.page.samples,
                self.page.bits,
                self.page.format,
            )
            if similar and large_enough and alike and size <= _THUMBNAIL_PIXELS:
                found = page if found is None or size < found.height * found.width else found
        if found is None:
            return None
        with quiet():
            samples = read_box(found, 0, 0, found.height, found.width, no_data_value(self.page) or 0)
        # Overviews do not say again what stands for "no data".
        meaning = interpret(_with_tags_of(found, self.page), samples)
        return _eight_bits(shown(_rgb(meaning.colours), _hidden(meaning)))


class _Segments:
    """Strips or tiles of a page, the last ones kept decoded."""

    def __init__(self, page: Page) -> None:
        self.page = finer(page)
        self.kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self.bytes = 0

    def box(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """Samples of a box, (bottom - top, right - left, samples)."""
        page = self.page
        tall, wide = page.segment_height, page.segment_width
        out = np.empty((bottom - top, right - left, page.samples), dtype_of(page))
        for plane in range(page.samples if page.planar else 1):
            target = out[..., plane : plane + 1] if page.planar else out
            for row in range(top // tall, -(-bottom // tall)):
                for column in range(left // wide, -(-right // wide)):
                    segment = self._segment((plane * page.down + row) * page.across + column)
                    place_segment(target, segment, (row * tall - top, column * wide - left))
        return out

    def _segment(self, number: int) -> np.ndarray:
        if number in self.kept:
            self.kept.move_to_end(number)
            return self.kept[number]
        with quiet():
            segment = read_segment(self.page, number, no_data_value(self.page) or 0)
        self.kept[number] = segment
        self.bytes += segment.nbytes
        while self.bytes > CACHE_BYTES and len(self.kept) > 1:
            self.bytes -= self.kept.popitem(last=False)[1].nbytes
        return segment


def open_scene(path: Path, *, max_pixels: int = MAX_PIXELS) -> PictureScene | TiffScene:
    """Open a picture, or a TIFF by windows where its kind allows it.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Largest picture that is read whole; a TIFF that is read by windows may have any size.

    Raises
    ------
    FileError
        As `clairvoy.imaging.files.read`.
    """
    return TiffScene(path) if can_read_by_windows(path) else PictureScene(read(path, max_pixels=max_pixels))


def can_read_by_windows(path: Path) -> bool:
    """Tell whether a file is a large TIFF of a kind whose windows can be read alone."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in _TIFF_SIGNATURES:
                return False
        block = _mapped(path)
        pages = find_pages(block)
        page = finer(describe(block, pages.main, pages.layout.order))
        tiff.check_kind(page)
    except (OSError, ValueError, FileError):
        return False
    return (
        page.height * page.width >= BY_WINDOWS_FROM
        and page.segment_height * page.segment_width <= MOST_OF_A_SEGMENT
        and not needs_all(page)
        and exif.orientation_of(tiff.read_metadata(pages, page).exif) == 1
    )


def write_scene(path: Path, scene: TiffScene, restorer: Restorer, tile: int = 256) -> None:
    """Write a scene, changed by a restorer, as a tiled TIFF, one row of tiles after the other.

    What the file says besides its pixels, its alpha and its further bands stay; so do pixels that nobody sees.
    """

    def part(top: int) -> tuple[np.ndarray, Layout]:
        found = scene.meaning(top, 0, min(scene.height, top + tile), scene.width)
        pixels = _rgb(found.colours)
        restored = _keeping(pixels, restorer(pixels, top, 0), _hidden(found))
        return tiff.arrange(interleaved(restored, found.alpha, scene.grey), found.kept, tile)

    layout = replace(part(0)[1], height=scene.height)
    with path.open("wb") as file:
        write_tiff(file, layout, (part(top)[0] for top in range(0, scene.height, tile)), scene.metadata)


def restored_picture(scene: PictureScene, restorer: Restorer) -> np.ndarray:
    """Pixels of a scene in memory, changed by a restorer; those that nobody sees stay."""
    pixels = scene.picture.pixels.copy()
    for top in range(0, scene.height, max(1, 1_000_000 // scene.width)):
        bottom = min(scene.height, top + max(1, 1_000_000 // scene.width))
        part = pixels[top:bottom]
        pixels[top:bottom] = _keeping(part, restorer(part, top, 0), scene.hidden(top, 0, bottom, scene.width))
    return pixels


def _keeping(pixels: np.ndarray, restored: np.ndarray, hidden: np.ndarray | None) -> np.ndarray:
    return restored if hidden is None else np.where(hidden[..., None], pixels, restored)


def _hidden(meaning: Meaning) -> np.ndarray | None:
    hidden = meaning.hidden
    if meaning.alpha is not None:
        hidden = meaning.alpha == 0 if hidden is None else hidden | (meaning.alpha == 0)
    return _any(hidden)


def _any(hidden: np.ndarray | None) -> np.ndarray | None:
    return hidden if hidden is not None and hidden.any() else None


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _with_tags_of(page: Page, main: Page) -> Page:
    return replace(page, entries={**main.entries, **page.entries})


def _rgb(colours: np.ndarray) -> np.ndarray:
    return colours.repeat(3, axis=2) if colours.shape[2] == 1 else colours


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
