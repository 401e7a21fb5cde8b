"""How far haze can be taken away before what it left of the signal drowns in noise.

To restore is to multiply by exp(od). What a sensor and a coder put on top of the light is multiplied with it: noise
becomes grain, and the blocks of JPEG become posters. So the optical depth taken away is limited by how much of both a
picture holds, and by how far what is seen stands out from the airlight: an even sky holds nothing but its own tint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.picture_kinds import peak
from clairvoy.restoring.planes import enlarged

Float = npt.NDArray[np.float32]

VISIBLE = 0.05
"""Deviation, in a range of 1, that noise may reach in the restored picture."""
FAINT = 0.02
"""Distance of a colour from the airlight, in a range of 1, that may be doubled and no more: it is as much the error of
the airlight as it is signal. Larger ones may grow in proportion."""
TILE = 64
"""Side of the tiles that noise is looked for in, a multiple of JPEG's 8."""
TILES = 6
"""Tiles along each side, at most."""
FLATTEST = 0.3
"""The part of the tiles, the flattest, that tells white noise: there, nothing else varies."""
KNEE = 0.6
"""Part of a limit up to which optical depth is left as it is."""
LEAST_LIMIT = 0.3
"""Optical depth that is allowed however much noise there is."""
CELL = 16
"""Side of the cells that the distance from the airlight is taken over, in pixels."""


def noise_level(pixels: npt.NDArray[Any]) -> float:
    """Deviation of noise and coding blocks in flat parts of a picture (H, W, 3), in a range of 1.

    White noise by the median of the Laplacian's magnitude (after Immerkaer 1996); blocks by how much larger steps are
    across the borders of 8 x 8 pixels than elsewhere.
    """
    corners = tile_corners(*pixels.shape[:2])
    return noise_of_tiles([pixels[y : y + TILE, x : x + TILE] for y, x in corners])


def noise_of_tiles(pixels: Sequence[npt.NDArray[Any]]) -> float:
    """As `noise_level`, of tiles (TILE, TILE, 3) that were cut at `tile_corners`; 0 where there are none."""
    tiles = [_grey(tile) for tile in pixels]
    if not tiles:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    # Of a Gaussian, the median of the magnitude is 0.6745 deviations; the kernel makes it 6 times as large.
    white = sorted(
        (
            float(tile.std()),
            float(np.median(np.abs(cv2.filter2D(tile, -1, kernel))[1:-1, 1:-1])) / (0.6745 * 6),
        )
        for tile in tiles
    )
    flat = [level for _, level in white[: max(1, round(FLATTEST * len(white)))]]
    blocks = max(0.0, float(np.median([_blocks(tile) + _blocks(tile.T) for tile in tiles])))
    return float(np.hypot(np.median(flat), blocks))


def within_noise(grid: Float, level: float) -> Float:
    """The same optical depth, bent so that noise of a level stays below `VISIBLE` in what is restored.

    Parameters
    ----------
    grid
        Optical depth >= 0, of any shape.
    level
        Deviation of the noise, in a range of 1.

    Returns
    -------
    ndarray
        Unchanged up to `KNEE` of the limit log(VISIBLE / level), and from there on ever slower towards it.
    """
    if level * np.exp(float(grid.max())) <= VISIBLE * KNEE:
        return grid
    return _bent(grid, np.float32(max(LEAST_LIMIT, float(np.log(VISIBLE / level)))))


def within_signal(grid: Float, picture: Float, airlight: Float) -> Float:
    """The same optical depth, bent where what is seen hardly differs from the airlight.

    Parameters
    ----------
    grid
        Optical depth >= 0, (1, bins, h, w).
    picture
        What the grid was estimated from, (1, 3, H, W) in [0, 1], multiples of 16.
    airlight
        (1, 3) in [0, 1].

    Returns
    -------
    ndarray
        Bent towards log(1 + distance / FAINT), the distance from the airlight taken over cells of 16 pixels.
    """
    squared = np.square(picture - airlight[:, :, None, None]).mean(axis=1, keepdims=True)
    height, width = squared.shape[2:]
    cells = squared.reshape(1, 1, height // CELL, CELL, width // CELL, CELL).mean(axis=(3, 5))
    return _bent(grid, enlarged(np.log1p(np.sqrt(cells) / np.float32(FAINT)), grid.shape[2:]))


def _bent(grid: Float, limit: Float | np.float32) -> Float:
    """Unchanged up to `KNEE` of the limit, and from there on ever slower towards it."""
    knee = np.float32(KNEE) * limit
    rest = np.maximum(limit - knee, np.float32(1e-6))
    return np.minimum(grid, knee) + rest * np.tanh(np.maximum(grid - knee, 0) / rest)


def _blocks(tile: npt.NDArray[np.float32]) -> float:
    """How much larger steps along a row are from one block of 8 to the next than within; by chance below 0 too."""
    steps = np.abs(np.diff(tile, axis=1)).mean(axis=0)
    border = np.arange(len(steps)) % 8 == 7
    return float(steps[border].mean() - steps[~border].mean())


def tile_corners(height: int, width: int) -> list[tuple[int, int]]:
    """Top and left of square tiles spread over a picture, on the lattice of JPEG's blocks."""
    if min(height, width) < TILE:
        return []
    rows, cols = (
        np.unique(np.linspace(0, length - TILE, min(TILES, length // TILE)).astype(int) // 8 * 8)
        for length in (height, width)
    )
    return [(int(y), int(x)) for y in rows for x in cols]


def _grey(tile: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return (tile.astype(np.float32).mean(axis=2) / np.float32(peak(tile))).astype(np.float32)
