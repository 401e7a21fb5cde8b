"""Scenes that are read window by window: a picture in memory, or a TIFF of which only what is asked for is read.

A TIFF is read by windows if it is large, its samples are 8 or 16 bits, grey or RGB, in a compression that tifffile
decodes, and it needs no turning; any other picture is read whole. A reduced copy inside the TIFF (an overview) serves as
a thumbnail.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import tifffile

from clairvoy.errors import FileError
from clairvoy.imaging.files import Picture, read

BY_WINDOWS_FROM = 16_000_000
"""Pixels from which a TIFF is read by windows."""
CACHE_BYTES = 256_000_000
"""Decoded strips or tiles of a TIFF that are kept."""
_ICC, _ORIENTATION = 34675, 274
_COMPRESSIONS = (1, 8, 32946, 34925, 32773)
_THUMBNAIL_PIXELS = 16_000_000
"""An overview larger than this would be no thumbnail."""


class Scene(Protocol):
    """What a search asks of a scene."""

    height: int
    width: int
    dtype: np.dtype[Any]

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """Pixels of a box inside the scene, (bottom - top, right - left, 3) RGB."""
        ...

    def thumbnail(self) -> np.ndarray | None:
        """The whole scene at a smaller size, (h, w, 3) uint8 RGB; None where it cannot be had without reading it all."""
        ...


class PictureScene:
    """A picture in memory."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.height, self.width = picture.pixels.shape[:2]
        self.dtype = picture.pixels.dtype

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """See `Scene`."""
        return self.picture.pixels[top:bottom, left:right]

    def thumbnail(self) -> np.ndarray | None:
        """See `Scene`; at most 1600 pixels long."""
        scale = min(1.0, 1600 / max(self.height, self.width))
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        return _eight_bits(cv2.resize(self.picture.pixels, size, interpolation=cv2.INTER_AREA))


class TiffScene:
    """A TIFF of which strips or tiles are decoded when they are asked for.

    Parameters
    ----------
    path
        The file; see `can_read_by_windows`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with tifffile.TiffFile(path) as file:
            self._page = file.pages.first
            self._offsets, self._sizes = list(self._page.dataoffsets), list(self._page.databytecounts)
            self._decode = self._page.decode  # made with the file open, used without it
        self.height, self.width = int(self._page.imagelength), int(self._page.imagewidth)
        self.dtype = np.dtype(self._page.dtype).newbyteorder("=")
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._bytes = 0

    def profile(self) -> bytes | None:
        """The colour profile (ICC), if there is one."""
        tag = self._page.tags.get(_ICC)
        return None if tag is None else bytes(tag.value)

    def resolution(self) -> dict[str, Any]:
        """Resolution and its unit, as `tifffile.TiffWriter.write` takes them; empty if the file does not say."""
        tags = self._page.tags
        if 282 not in tags or 283 not in tags:
            return {}
        across, down = tags[282].value, tags[283].value
        return {"resolution": (tuple(across), tuple(down)), "resolutionunit": int(self._page.resolutionunit)}

    def window(self, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        """See `Scene`."""
        page = self._page
        tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, self.width)
        across = -(-self.width // wide)
        out = np.empty((bottom - top, right - left, 3), self.dtype)
        for row in range(top // tall, -(-bottom // tall)):
            for column in range(left // wide, -(-right // wide)):
                segment = self._segment(row * across + column)
                first, begin = row * tall, column * wide
                rows = slice(max(top, first), min(bottom, first + len(segment)))
                cols = slice(max(left, begin), min(right, begin + segment.shape[1]))
                out[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = segment[
                    rows.start - first : rows.stop - first, cols.start - begin : cols.stop - begin
                ]
        return out

    def thumbnail(self) -> np.ndarray | None:
        """The smallest overview that is at least 256 pixels long, if there is one."""
        with tifffile.TiffFile(self.path) as file:
            found = None
            for page in _reduced(file):
                size = page.imagelength * page.imagewidth
                similar = abs(page.imagelength / page.imagewidth / (self.height / self.width) - 1) < 0.05
                large_enough = max(page.imagelength, page.imagewidth) >= 256
                if similar and large_enough and size <= _THUMBNAIL_PIXELS:
                    found = page if found is None or size < found.imagelength * found.imagewidth else found
            return None if found is None else _eight_bits(_rgb(found.asarray()))

    def _segment(self, number: int) -> np.ndarray:
        """A decoded strip or tile, (h, w, 3)."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        try:
            with self.path.open("rb") as file:
                file.seek(self._offsets[number])
                decoded = self._decode(file.read(self._sizes[number]), number)[0]
            if decoded is None:
                raise ValueError("a part of it is empty")
            segment = _rgb(np.asarray(decoded).squeeze(0))
        except Exception as error:  # decoders meet damage with errors of many types
            raise FileError(f"{self.path}: is truncated or damaged ({error}); get the file again") from error
        self._kept[number] = segment
        self._bytes += segment.nbytes
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return segment


def open_scene(path: Path, *, max_pixels: int | None = None) -> PictureScene | TiffScene:
    """Open a picture, or a TIFF by windows where its format allows it.

    Raises
    ------
    FileError
        As `clairvoy.imaging.files.read`.
    """
    if can_read_by_windows(path):
        return TiffScene(path)
    return PictureScene(read(path) if max_pixels is None else read(path, max_pixels=max_pixels))


def can_read_by_windows(path: Path) -> bool:
    """Tell whether a file is a large TIFF of a kind whose windows can be read alone."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return False
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            others = [other for other in _further(tiff) if not other.is_reduced]
            samples = page.samplesperpixel
            return bool(
                page.imagelength * page.imagewidth >= BY_WINDOWS_FROM
                and not others
                and page.dtype in (np.uint8, np.uint16)
                and page.compression in _COMPRESSIONS
                and page.photometric in (1, 2)
                and samples in (1, 3)
                and (page.planarconfig == 1 or samples == 1)
                and (_ORIENTATION not in page.tags or page.tags[_ORIENTATION].value == 1)
            )
    except (OSError, ValueError, tifffile.TiffFileError):
        return False


def _further(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """All pages but the first, and those that lie below the first."""
    first = file.pages.first
    return [page.aspage() for page in [*list(file.pages)[1:], *(first.pages or [])]]


def _reduced(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    return [page for page in _further(file) if page.is_reduced]


def _rgb(samples: np.ndarray) -> np.ndarray:
    samples = samples.reshape(*samples.shape[:2], -1)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return samples.repeat(3, axis=2) if samples.shape[2] == 1 else samples[..., :3]


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


class Restorer(Protocol):
    """Changes the pixels (h, w, 3) of a part of a scene that begins at a row and a column."""

    def __call__(self, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
        """Changed pixels, same shape and type."""
        ...


def write_tiff(path: Path, scene: TiffScene, restorer: Restorer, tile: int = 256) -> None:
    """Write a scene, changed by a restorer, as a tiled TIFF (Deflate), one row of tiles after the other.

    Colour profile and resolution are kept; other metadata is not.
    """
    down, across = -(-scene.height // tile), -(-scene.width // tile)

    def tiles() -> Iterator[np.ndarray]:
        for row in range(down):
            top, bottom = row * tile, min(scene.height, (row + 1) * tile)
            strip = restorer(scene.window(top, 0, bottom, scene.width), top, 0)
            padded = np.zeros((tile, across * tile, 3), scene.dtype)
            padded[: bottom - top, : scene.width] = strip
            for column in range(across):
                yield np.ascontiguousarray(padded[:, column * tile : (column + 1) * tile])

    profile = scene.profile()
    extra = [(_ICC, 7, len(profile), profile, True)] if profile else []
    with tifffile.TiffWriter(
        path, bigtiff=scene.height * scene.width * 3 * scene.dtype.itemsize > 2**31
    ) as file:
        file.write(
            tiles(), shape=(scene.height, scene.width, 3), dtype=scene.dtype, tile=(tile, tile),
            photometric="rgb", compression="zlib", compressionargs={"level": 3}, extratags=extra, **scene.resolution(),
        )  # fmt: skip
