"""Sums over many polygons in one compiled loop; numba is optional, see `clairvoy.restoring.compiled`.

The same sums as `scoring.sums_of_lines`, to the last digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np


def _kept(function: Callable[..., None]) -> Callable[..., None]:
    """Compile on first use; kept on disk where there is a folder that can be written."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return numba.njit(nogil=True, error_model="numpy")(function)


@_kept
def sums(until, polygons, sublines, out):
    """Fill `out` (N, channels) with the integrals over `polygons`; see `scoring.sums_over`."""
    height, across, channels = until.shape
    width = across - 1
    corners = polygons.shape[1]
    for n in range(polygons.shape[0]):
        for k in range(channels):
            out[n, k] = 0.0
        for corner in range(corners):
            following = corner + 1 if corner + 1 < corners else 0
            x0, y0 = polygons[n, corner, 0], polygons[n, corner, 1]
            x1, y1 = polygons[n, following, 0], polygons[n, following, 1]
            first = min(max(np.ceil(y0 * sublines - 0.5), 0), height * sublines)
            second = min(max(np.ceil(y1 * sublines - 0.5), 0), height * sublines)
            if first == second:
                continue
            sign = 1.0 / sublines if y1 > y0 else -1.0 / sublines
            slope = (x1 - x0) / (y1 - y0)
            for line in range(int(min(first, second)), int(max(first, second))):
                x = min(max(x0 + ((line + 0.5) / sublines - y0) * slope, 0.0), float(width))
                cell = min(int(x), width - 1)
                part = x - cell
                row = line // sublines
                for k in range(channels):
                    left = until[row, cell, k]
                    out[n, k] += sign * (left + part * (until[row, cell + 1, k] - left))
