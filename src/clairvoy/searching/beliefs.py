"""What generator and discriminator believe of windows: the same code in training and in use.

Of a window that is read, from its own pixels alone; of all windows at once, from a thumbnail of the scene. The
latter sees less detail and more context.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device

from clairvoy.searching.guidance import Array

PERCEIVED_SIDE = 64
"""Side of a window as the generator perceives it, in pixels; smaller ones are enlarged."""
FULL_SPREAD = 0.25
"""Standard deviation of the transmission that counts as 1: a belief lies in [0, 1]."""


def pool_beliefs(haze: Array, spread: Array, clear: Array, tau: Array, rows: int = 8, cols: int = 8) -> Array:
    """Mean of each belief over each window: (B, 4, rows, cols) in [0, 1], see `glimpse.BELIEF_CHANNELS`.

    Parameters
    ----------
    haze, spread, clear, tau
        Maps over the whole picture, (B, 1, h, w) each of a size of its own: 1 - t, the standard deviation of t over the
        posterior, the discriminator's belief that this is a clear picture, and the confidence.
    rows, cols
        Windows. Where a window has no whole pixels of a map, it counts all that it touches.
    """
    xp = array_namespace(haze)
    maps = (haze, spread / FULL_SPREAD, clear, tau)
    return xp.clip(xp.concat([_means(part, rows, cols) for part in maps], axis=1), 0, 1)


def _means(plane: Array, rows: int, cols: int) -> Array:
    """Means of (B, 1, h, w) over rows x cols windows."""
    xp, where = array_namespace(plane), device(plane)
    down, across = (
        xp.asarray(_shares(windows, length), device=where)
        for windows, length in ((rows, plane.shape[2]), (cols, plane.shape[3]))
    )
    return down @ plane @ xp.permute_dims(across, (1, 0))


def _shares(windows: int, length: int) -> np.ndarray:
    """Share of each of `length` pixels in the mean of each window that touches it, (windows, length) float32."""
    window, pixel = np.arange(windows)[:, None], np.arange(length)[None]
    first, last = window * length // windows, -(-(window + 1) * length // windows)
    touched = (pixel >= first) & (pixel < last)
    return (touched / touched.sum(axis=1, keepdims=True)).astype(np.float32)
