"""The full-resolution pass on some rows at a time, with NumPy: for whoever has no numba, and for small pictures.

`compiled` does the same, pixel by pixel. Both take the same arguments, so that `full_resolution` may call either.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


class Reading(NamedTuple):
    """How pixels read the grid of optical depth, whatever row they are in."""

    grid: Float
    """(h, w, bins)."""
    left: npt.NDArray[np.int32]
    """For each column the index of its left cell times `bins`, (W,)."""
    share: Float
    """How far each column lies to the right of that cell, (W,)."""
    hidden: Float
    """First layer of the guide, (3, n)."""
    hidden_bias: Float
    """(n,)."""
    spread: Float
    """Second layer, (n,)."""
    spread_bias: np.float32
    scale: np.float32
    """Brings a pixel into [0, 1]."""


def restore(
    pixels: npt.NDArray[Any],
    out: npt.NDArray[Any],
    mask: Float,
    above: npt.NDArray[np.int64],
    part: Float,
    reading: Reading,
    strength: np.float32,
    light: Float,
    white: np.float32,
) -> None:
    """Restore rows (r, W, 3) into `out`: J = (I - A) exp(strength * mask * od) + A, within what can be displayed.

    Parameters
    ----------
    pixels, out
        (r, W, 3) uint8, uint16 or float32.
    mask
        How much is taken away where, (r, W) in [0, 1], or one row (1, W) for all.
    above, part
        For each row the row of the grid above it, and how far it lies towards the next, (r,).
    reading
        See `Reading`.
    strength
        In [0, 1].
    light, white
        Airlight (3,), and the largest value of a pixel, both in units of `pixels`.
    """
    gain = np.exp(strength * mask * _optical_depth(pixels, above, part, reading))[..., None]
    restored = np.clip((pixels.astype(np.float32) - light) * gain + light, 0, white)
    out[...] = restored + np.float32(0.5) if white > 1 else restored


def transmission(
    pixels: npt.NDArray[Any],
    out: Float,
    mask: Float,
    above: npt.NDArray[np.int64],
    part: Float,
    reading: Reading,
    strength: np.float32,
) -> None:
    """exp(-strength * mask * od) of rows into `out`, (r, W); parameters as of `restore`."""
    out[...] = np.exp(-strength * mask * _optical_depth(pixels, above, part, reading))


def _optical_depth(
    pixels: npt.NDArray[Any], above: npt.NDArray[np.int64], part: Float, reading: Reading
) -> Float:
    grid, left, share, hidden, hidden_bias, spread, spread_bias, scale = reading
    rows, width, bins = *pixels.shape[:2], grid.shape[2]
    down = part[:, None, None]
    cells = (grid[above] * (1 - down) + grid[above + 1] * down).reshape(rows, -1)
    seen = np.maximum(pixels.reshape(-1, 3).astype(np.float32) * scale @ hidden + hidden_bias, 0)
    guide = 1 / (1 + np.exp(-np.clip(seen @ spread + spread_bias, -16, 16)))
    guide = (guide * np.float32(bins - 1)).reshape(rows, width)
    level = np.minimum(guide.astype(np.int32), bins - 2)
    up = guide - level
    here = left + level

    def read(offset: int) -> Float:
        low, high = (np.take_along_axis(cells, here + offset + step, axis=1) for step in (0, 1))
        return low + up * (high - low)

    one, two = read(0), read(bins)
    return np.asarray(one + share * (two - one), np.float32)
