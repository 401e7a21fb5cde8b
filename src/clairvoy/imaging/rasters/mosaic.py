"""Where the tiles of a mosaic lie in the whole, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
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


def mosaic_of(tiles: Sequence[RasterFile]) -> Mosaic:
    """Find where tiles lie by their georeference.

    Raises
    ------
    FileError
        A tile has none, or one of another coordinate system, orientation or size of pixels than the first; or another type.
    """
    first = tiles[0]
    corners = {}
    for tile in tiles:
        transform, crs = tile.dataset.transform, tile.dataset.crs
        if transform.is_identity:
            raise FileError(
                f"{tile.path}: has no georeference, so its place in the mosaic is not known; leave it out"
            )
        if crs != first.dataset.crs:
            raise FileError(
                f"{tile.path}: has another coordinate system than {first.path}; warp it first: gdalwarp -t_srs"
            )
        if tile.dtype != first.dtype or len(tile.colours) != len(first.colours):
            raise FileError(
                f"{tile.path}: has other samples than {first.path}; tiles of a mosaic are of one kind"
            )
        corner, far = np.array([[0, 0, 1], [tile.width, tile.height, 1]])
        inward = np.linalg.inv(_matrix(first.dataset.transform)) @ _matrix(transform)
        left, top = (inward @ corner)[:2]
        right, bottom = (inward @ far)[:2]
        if max(abs(right - left - tile.width), abs(bottom - top - tile.height)) > max(
            _SAME, 1e-6 * tile.width
        ):
            raise FileError(
                f"{tile.path}: has pixels of another size or direction than {first.path}; warp it first: gdalwarp -tr"
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
    tiles: Sequence[RasterFile], mosaic: Mosaic, longest: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """All tiles together at a small size; see `RasterFile.coarse`. What no tile covers is seen by nobody."""
    scale = min(1.0, longest / max(mosaic.height, mosaic.width))
    shape = tuple(max(1, round(side * scale)) for side in (mosaic.height, mosaic.width))
    whole = np.zeros((*shape, len(tiles[0].colours)), tiles[0].dtype)
    hidden = np.ones(shape, np.bool_)
    for tile in tiles:
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
