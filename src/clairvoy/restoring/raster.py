"""Restoring rasters: one look at the whole, then windows of it, one after another.

The whole is perceived once at a small size. One field of optical depth and one airlight then hold for every window, and
each pixel is restored by its own value and its place alone. So no window knows where it ends: there can be no seam.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clairvoy.errors import FileError
from clairvoy.imaging.picture import Picture
from clairvoy.imaging.rasters.levels import Levels, keeping_apart, levels_of
from clairvoy.imaging.rasters.mosaic import Mosaic, coarse_mosaic, mosaic_of
from clairvoy.imaging.rasters.raster_file import Part, RasterFile
from clairvoy.restoring.dehazer import Dehazer, Report, Result
from clairvoy.restoring.full_resolution import Box
from clairvoy.restoring.noise import TILE, noise_of_tiles, tile_corners
from clairvoy.restoring.steady import HazeField

LOOKED_AT = 2048
"""Pixels of the longer side of what is perceived."""
WINDOW_PIXELS = 6_000_000
"""Of a window, about."""

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class RasterLook:
    """What was seen of a raster, or of a mosaic, as a whole."""

    field: HazeField
    """The haze that is taken away."""
    report: Report
    levels: Levels
    height: int
    """Of the whole, in pixels."""
    width: int
    mosaic: Mosaic | None = None
    """Where tiles lie in the whole; None: the raster is the whole."""
    small: tuple[Picture, Result] | None = None
    """The whole at a small size, and what was made of it; cannot be sent to other processes."""

    def stamp(self) -> str:
        """Text that changes with all that the look does to a pixel."""
        field = self.field
        digest = hashlib.sha256(
            repr((self.height, self.width, self.mosaic, float(field.amount), self.levels)).encode()
        )
        digest.update(np.ascontiguousarray(field.grid).tobytes() + field.airlight.tobytes())
        return digest.hexdigest()


class WindowRestoring(Protocol):
    """Changes the brightness of a window."""

    def __call__(self, pixels: Values, part: Part) -> Values:
        """Restored pixels (h, w, 3), of the shape and type of `pixels`: uint8, uint16 or float32 in [0, 1]."""
        ...


def look_at(
    dehazer: Dehazer,
    paths: Sequence[Path],
    bands: Sequence[int] = (),
    *,
    strength: float = 1.0,
    samples: int = 1,
    force: bool = False,
    levels: Levels | None = None,
) -> RasterLook:
    """Perceive a raster, or several that are tiles of one mosaic.

    Parameters
    ----------
    dehazer
        What perceives.
    paths
        One raster, or all tiles of a mosaic, which are opened one by one.
    bands
        See `RasterFile`.
    strength, samples, force
        See `Dehazer.__call__`.
    levels
        Values that are black and white; by default found in the whole.

    Raises
    ------
    FileError
        One cannot be read; nothing of it is seen; tiles do not lie on one grid.
    """
    mosaic = None
    if len(paths) > 1:
        with closing(_each(paths, bands)) as tiles:
            mosaic = mosaic_of(tiles)
    if mosaic is None:
        with RasterFile(paths[0], bands) as raster:
            values, hidden = raster.coarse(LOOKED_AT)
            height, width = raster.height, raster.width
    else:
        with closing(_each(paths, bands)) as tiles:
            values, hidden = coarse_mosaic(tiles, mosaic, LOOKED_AT)
        height, width = mosaic.height, mosaic.width
    if hidden is not None and hidden.all():
        raise FileError(f'{paths[0]}: is "no data" everywhere; there is nothing to restore')
    levels = levels or levels_of(values if hidden is None else values[~hidden])
    small = Picture(as_pixels(values, levels), no_data=hidden, grey=values.shape[2] == 1)
    # A few of each, where there are many tiles.
    every = min(len(paths), 30)
    with closing(_each(paths, bands)) as tiles:
        cuts = [as_pixels(cut, levels) for tile in tiles for cut in native_values(tile, every)]
    result = dehazer.restore(
        small, strength=strength, samples=samples, force=force, noise=noise_of_tiles(cuts)
    )
    return RasterLook(result.field, result.report, levels, height, width, mosaic, (small, result))


def _each(paths: Sequence[Path], bands: Sequence[int]) -> Generator[RasterFile, None, None]:
    """Rasters, one open at a time; to be closed, so that an error leaves none open."""
    for path in paths:
        with RasterFile(path, bands) as raster:
            yield raster


class LookRestorer:
    """Takes the haze that was seen in the whole away from windows of one raster.

    Parameters
    ----------
    dehazer
        What looked.
    look
        What it saw.
    raster
        The raster, or a tile of the mosaic that was looked at.
    """

    def __init__(self, dehazer: Dehazer, look: RasterLook, raster: RasterFile) -> None:
        self.dehazer, self.look = dehazer, look
        place = look.mosaic.places[raster.path] if look.mosaic else Part(0, 0, raster.height, raster.width)
        self.top, self.left = place.top, place.left

    def __call__(self, pixels: Values, part: Part) -> Values:
        """See `WindowRestoring`."""
        box = Box(self.top + part.top, self.left + part.left, self.look.height, self.look.width)
        return self.dehazer.take_away(pixels, self.look.field, box)


def restored_values(
    raster: RasterFile, part: Part, levels: Levels, restore: WindowRestoring
) -> Values | None:
    """Values of a window with its haze taken away, (h, w, 1 or 3) as the file has them; None where none changes.

    What nobody sees stays as it is, and no value becomes the one that stands for "no data".
    """
    values = raster.values(part)
    hidden = raster.hidden(part, values)
    if hidden is not None and hidden.all():
        return None
    plain = levels.fit(values.dtype)
    seen = values if plain else levels.brightness(values)
    restored = restore(seen if seen.shape[2] == 3 else seen.repeat(3, axis=2), part)
    if seen.shape[2] == 1:
        restored = _grey(restored)
    changed = restored if plain else levels.changed(values, seen, restored)
    changed = np.where(changed == values, values, keeping_apart(changed, raster.no_data))
    if hidden is not None:
        changed[hidden] = values[hidden]
    return None if np.array_equal(changed, values, equal_nan=values.dtype.kind == "f") else changed


def as_pixels(values: Values, levels: Levels) -> Values:
    """Values (h, w, 1 or 3) as pixels (h, w, 3) uint8 or uint16 to look at."""
    if not levels.fit(values.dtype):
        values = np.rint(levels.brightness(values) * 65535).astype(np.uint16)
    return np.ascontiguousarray(values if values.shape[2] == 3 else values.repeat(3, axis=2))


def native_values(raster: RasterFile, every: int = 1) -> list[Values]:
    """Small cuts at full resolution spread over a raster, (TILE, TILE, 1 or 3), all of them seen; every so many of them."""
    found = []
    for top, left in tile_corners(raster.height, raster.width)[::every]:
        part = Part(top, left, TILE, TILE)
        values = raster.values(part)
        if raster.hidden(part, values) is None:
            found.append(values)
    return found


def _grey(pixels: Values) -> Values:
    """Grey (h, w, 1) of RGB by the weights of ITU-R BT.601, of the same type."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return (np.rint(grey) if pixels.dtype.kind != "f" else grey).astype(pixels.dtype)[..., None]
