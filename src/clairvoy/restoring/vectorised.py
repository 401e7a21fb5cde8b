"""The full-resolution pass on some rows at a time, with NumPy: for whoever has no numba, and for small pictures.

`compiled` does the same, pixel by pixel. Both take the same arguments, so that `full_resolution` may call either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


def restore(
    pixels: npt.NDArray[Any],
    out: npt.NDArray[Any],
    mask: Float,
    above: npt.NDArray[np.int64],
    part: Float,
    grid: Float,
    left: npt.NDArray[np.int32],
    share: Float,
    hidden: Float,
    hidden_bias: Float,
    spread: Float,
    spread_bias: np.float32,
    airlight: Float,
    strength: np.float32,
    scale: np.float32,
    peak: np.float32,
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
    grid
        (h, w, bins).
    left, share
        The same for each column: index of its left cell times `bins`, and how far it lies to the right, (W,).
    hidden, hidden_bias, spread, spread_bias
        The two layers of the guide: (3, n), (n,), (n,) and one number.
    airlight
        (3,) in [0, 1].
    strength, scale, peak
        Scale brings a pixel into [0, 1]; peak is white.
    """
    od = _optical_depth(
        pixels, above, part, grid, left, share, hidden, hidden_bias, spread, spread_bias, scale
    )
    gain = np.exp(strength * mask * od)[..., None]
    light = airlight * peak
    restored = np.clip((pixels.astype(np.float32) - light) * gain + light, 0, peak)
    out[...] = restored + np.float32(0.5) if peak > 1 else restored


def transmission(
    pixels: npt.NDArray[Any],
    out: Float,
    mask: Float,
    above: npt.NDArray[np.int64],
    part: Float,
    grid: Float,
    left: npt.NDArray[np.int32],
    share: Float,
    hidden: Float,
    hidden_bias: Float,
    spread: Float,
    spread_bias: np.float32,
    airlight: Float,
    strength: np.float32,
    scale: np.float32,
    peak: np.float32,
) -> None:
    """exp(-strength * mask * od) of rows into `out`, (r, W); parameters as of `restore`."""
    od = _optical_depth(
        pixels, above, part, grid, left, share, hidden, hidden_bias, spread, spread_bias, scale
    )
    out[...] = np.exp(-strength * mask * od)


def _optical_depth(
    pixels: npt.NDArray[Any],
    above: npt.NDArray[np.int64],
    part: Float,
    grid: Float,
    left: npt.NDArray[np.int32],
    share: Float,
    hidden: Float,
    hidden_bias: Float,
    spread: Float,
    spread_bias: np.float32,
    scale: np.float32,
) -> Float:
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
