"""How far haze can be taken away before what it left of the signal drowns in noise.

To restore is to multiply by exp(od). What a sensor and a coder put on top of the light is multiplied with it: noise
becomes grain, and the blocks of JPEG become posters. So the optical depth taken away is limited by how much of both a
picture holds.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clairvoy.imaging.picture_kinds import peak

VISIBLE = 0.05
"""Deviation, in a range of 1, that noise may reach in the restored picture."""
TILE = 64
"""Side of the tiles that noise is looked for in, a multiple of JPEG's 8."""
TILES = 12
"""Tiles along each side, at most."""
FLATTEST = 0.4
"""The part of the tiles, the flattest, that tells it: there, nothing else varies."""
WORST = 0.8
"""Which quantile of them counts: some are so flat that a coder left nothing in them at all."""
_KNEE = 0.6


def noise_level(pixels: npt.NDArray[Any]) -> float:
    """Deviation of noise and coding blocks in flat parts of a picture (H, W, 3), in a range of 1.

    White noise by the median of the Laplacian's magnitude (after Immerkaer 1996); blocks by how much larger steps are
    across the borders of 8 x 8 pixels than elsewhere.
    """
    tiles = [_grey(tile) for tile in _tiles(pixels)]
    if not tiles:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    told = []
    for tile in tiles:
        laplacian = np.abs(cv2.filter2D(tile, -1, kernel))[1:-1, 1:-1]
        # Of a Gaussian, the median of the magnitude is 0.6745 deviations; the kernel makes it 6 times as large.
        white = float(np.median(laplacian)) / (0.6745 * 6)
        blocks = max(_blocks(tile), _blocks(tile.T))
        told.append((float(tile.std()), float(np.hypot(white, blocks))))
    told.sort()
    return float(np.quantile([noise for _, noise in told[: max(1, round(FLATTEST * len(told)))]], WORST))


def within_noise(grid: Tensor, level: float) -> Tensor:
    """The same optical depth, bent so that noise of a level stays below `VISIBLE` in what is restored.

    Parameters
    ----------
    grid
        Optical depth >= 0, of any shape.
    level
        Deviation of the noise, in a range of 1.

    Returns
    -------
    Tensor
        Unchanged up to 0.6 of the limit log(VISIBLE / level), and from there on ever slower towards it.
    """
    if level * np.exp(float(grid.max())) <= VISIBLE * _KNEE:
        return grid
    limit = max(0.3, float(np.log(VISIBLE / level)))
    over = (grid - _KNEE * limit).clamp(min=0) / ((1 - _KNEE) * limit)
    return torch.minimum(grid, torch.full_like(grid, _KNEE * limit)) + (1 - _KNEE) * limit * torch.tanh(over)


def _blocks(tile: npt.NDArray[np.float32]) -> float:
    """How much larger steps along a row are from one block of 8 to the next than within, at least 0."""
    steps = np.abs(np.diff(tile, axis=1)).mean(axis=0)
    border = np.arange(len(steps)) % 8 == 7
    return max(0.0, float(steps[border].mean() - steps[~border].mean()))


def _tiles(pixels: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Square tiles spread over the picture, their corners on the lattice of JPEG's blocks."""
    height, width = pixels.shape[:2]
    if min(height, width) < TILE:
        return []
    rows, cols = (
        np.unique(np.linspace(0, length - TILE, min(TILES, length // TILE)).astype(int) // 8 * 8)
        for length in (height, width)
    )
    return [pixels[y : y + TILE, x : x + TILE] for y in rows for x in cols]


def _grey(tile: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return (tile.astype(np.float32).mean(axis=2) / np.float32(peak(tile))).astype(np.float32)
