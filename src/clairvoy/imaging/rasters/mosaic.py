"""Where the tiles of a mosaic lie in the whole, in pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.raster_file import Part, RasterFile

_SAME = 1e-3
"""Pixels by which a tile's far corner may be off because its pixels are of another size."""


@dataclass(frozen=True)
class Mosaic:
    """Tiles on one grid of pixels.

    Attributes
    ----------
    places
        Where each tile lies.
    height, width
        Of the smallest rectangle around all tiles.
    """

    places: dict[Path, Part]
    height: int
    width: int


@dataclass(frozen=True)
class _Grid:
    """What tiles of one mosaic have in common, told by the first."""

    path: Path
    to_pixels: npt.NDArray[np.floating[Any]]
    crs: Any
    dtype: np.dtype[Any]
    bands: int


def mosaic_of(tiles: Iterable[RasterFile]) -> Mosaic:
    """Find where tiles lie by their georeference.

    Parameters
    ----------
    tiles
        Each may be closed when the next is asked for: there may be more than a process can hold open.

    Raises
    ------
    FileError
        A tile has none, or one of another coordinate system, orientation or size of pixels than the first; or another type.
    """
    grid: _Grid | None = None
    corners = {}
    for tile in tiles:
        transform, crs = tile.dataset.transform, tile.dataset.crs
        if transform.is_identity:
            raise FileError(
                f"{tile.path}: has no georeference, so its place in the mosaic is not known; leave it out"
            )
        if grid is None:
            inward = np.linalg.inv(_matrix(transform))
            grid = _Grid(tile.path, inward, crs, tile.dtype, len(tile.colours))
        if crs != grid.crs:
            raise FileError(
                f"{tile.path}: has another coordinate system than {grid.path}; warp it first: gdalwarp -t_srs"
            )
        if (tile.dtype, len(tile.colours)) != (grid.dtype, grid.bands):
            raise FileError(
                f"{tile.path}: has other samples than {grid.path}; tiles of a mosaic are of one kind"
            )
        corner, far = np.array([[0, 0, 1], [tile.width, tile.height, 1]])
        inward = grid.to_pixels @ _matrix(transform)
        left, top = (inward @ corner)[:2]
        right, bottom = (inward @ far)[:2]
        off = max(abs(right - left - tile.width), abs(bottom - top - tile.height))
        if off > max(_SAME, 1e-6 * tile.width):
            raise FileError(
                f"{tile.path}: has pixels of another size or direction than {grid.path}; warp it first: gdalwarp -tr"
            )
        corners[tile.path] = round(top), round(left), tile.height, tile.width
    above, before = (min(corner[axis] for corner in corners.values()) for axis in (0, 1))
    places = {path: Part(c[0] - above, c[1] - before, c[2], c[3]) for path, c in corners.items()}
    return Mosaic(
        places,
        max(place.top + place.height for place in places.values()),
        max(place.left + place.width for place in places.values()),
    )


def coarse_mosaic(
    tiles: Iterable[RasterFile], mosaic: Mosaic, longest: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """All tiles together at a small size; see `RasterFile.coarse`. What no tile covers is seen by nobody."""
    scale = min(1.0, longest / max(mosaic.height, mosaic.width))
    shape = tuple(max(1, round(side * scale)) for side in (mosaic.height, mosaic.width))
    whole: npt.NDArray[Any] = np.zeros((*shape, 0))
    hidden = np.ones(shape, np.bool_)
    for tile in tiles:
        if not whole.size:
            whole = np.zeros((*shape, len(tile.colours)), tile.dtype)
        place = mosaic.places[tile.path]
        values, unseen = tile.coarse(max(1, round(max(tile.height, tile.width) * scale)))
        top, left = round(place.top * scale), round(place.left * scale)
        rows = slice(top, min(shape[0], top + values.shape[0]))
        columns = slice(left, min(shape[1], left + values.shape[1]))
        seen = np.ones(values.shape[:2], np.bool_) if unseen is None else ~unseen
        seen = seen[: rows.stop - rows.start, : columns.stop - columns.start]
        whole[rows, columns][seen] = values[: seen.shape[0], : seen.shape[1]][seen]
        hidden[rows, columns] &= ~seen
    return whole, hidden if hidden.any() else None


def _matrix(transform: Any) -> npt.NDArray[np.float64]:
    """What takes (column, row, 1) to the ground, (3, 3)."""
    return np.array(tuple(transform)[:9], np.float64).reshape(3, 3)
