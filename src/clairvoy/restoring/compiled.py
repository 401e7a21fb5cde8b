"""The full-resolution pass in one loop: guide, grid, physics and rounding of a pixel before the next is touched.

The same arithmetic as `vectorised`, but every picture is read once and written once, and nothing of its size is kept
in between. Compiled by numba, which is optional (``pip install 'clairvoy[speed]'``): without it this module cannot be
imported. The compiled code is kept on disk, so that it is compiled once and not at every start.

Each row goes through short loops over buffers of its own length, without branches, so that the compiler can work on
many pixels at a time; the exponentials are polynomials for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np


def _kept(function: Callable[..., None]) -> Callable[..., None]:
    """Compile on first use for each type of pixel; kept on disk where there is a folder that can be written."""
    try:
        return numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function)
    except RuntimeError:
        return numba.njit(nogil=True, fastmath=True, error_model="numpy")(function)


_INLINE = numba.njit(inline="always", fastmath=True)


@_INLINE
def _exp_of_small(x):
    # exp(x / 64) by its series, then squared six times; |x| <= 16 keeps the relative error below 2e-5.
    y = x * np.float32(1 / 64)
    term = np.float32(1 / 720) * y + np.float32(1 / 120)
    term = term * y + np.float32(1 / 24)
    term = term * y + np.float32(1 / 6)
    term = term * y + np.float32(0.5)
    y = term * y * y + y
    # (1 + y)^2 = 1 + (2 y + y^2): carrying y alone keeps the digits that 1 + y would drop.
    y = y * (np.float32(2) + y)
    y = y * (np.float32(2) + y)
    y = y * (np.float32(2) + y)
    y = y * (np.float32(2) + y)
    y = y * (np.float32(2) + y)
    y = y * (np.float32(2) + y)
    return y + np.float32(1)


@_INLINE
def _depth_of_row(row, cells, reading, guide, od):
    grid, left, share, hidden, hidden_bias, spread, spread_bias, scale = reading
    width, bins = row.shape[0], grid.shape[2]
    for x in range(width):
        guide[x] = spread_bias
    for unit in range(hidden.shape[1]):
        red, green, blue = hidden[0, unit] * scale, hidden[1, unit] * scale, hidden[2, unit] * scale
        bias, out_weight = hidden_bias[unit], spread[unit]
        for x in range(width):
            seen = red * np.float32(row[x, 0]) + green * np.float32(row[x, 1]) + blue * np.float32(row[x, 2])
            guide[x] += out_weight * max(seen + bias, np.float32(0))
    top_bin = np.float32(bins - 1)
    for x in range(width):
        s = min(max(-guide[x], np.float32(-16)), np.float32(16))
        guide[x] = top_bin / (np.float32(1) + _exp_of_small(s))
    for x in range(width):
        level = min(int(guide[x]), bins - 2)
        up = guide[x] - np.float32(level)
        here = left[x] + level
        one = cells[here] + up * (cells[here + 1] - cells[here])
        two = cells[here + bins] + up * (cells[here + bins + 1] - cells[here + bins])
        od[x] = one + share[x] * (two - one)


@_INLINE
def _cells_of_row(grid, above, part, cells):
    position = 0
    for column in range(grid.shape[1]):
        for level in range(grid.shape[2]):
            cells[position] = grid[above, column, level] * (np.float32(1) - part) + (
                grid[above + 1, column, level] * part
            )
            position += 1


@_kept
def restore(pixels, out, mask, above, part, reading, strength, light, white):
    """See `vectorised.restore`."""
    rows, width, grid = pixels.shape[0], pixels.shape[1], reading.grid
    cells = np.empty(grid.shape[1] * grid.shape[2], np.float32)
    guide, od = np.empty(width, np.float32), np.empty(width, np.float32)
    half = np.float32(0.5) if white > 1 else np.float32(0)
    for r in range(rows):
        _cells_of_row(grid, above[r], part[r], cells)
        row, target, within = pixels[r], out[r], mask[min(r, mask.shape[0] - 1)]
        _depth_of_row(row, cells, reading, guide, od)
        for x in range(width):
            od[x] = _exp_of_small(strength * within[x] * od[x])
        for channel in range(3):
            air = light[channel]
            for x in range(width):
                value = (np.float32(row[x, channel]) - air) * od[x] + air
                target[x, channel] = min(max(value, np.float32(0)), white) + half


@_kept
def transmission(pixels, out, mask, above, part, reading, strength):
    """See `vectorised.transmission`."""
    rows, width, grid = pixels.shape[0], pixels.shape[1], reading.grid
    cells = np.empty(grid.shape[1] * grid.shape[2], np.float32)
    guide, od = np.empty(width, np.float32), np.empty(width, np.float32)
    for r in range(rows):
        _cells_of_row(grid, above[r], part[r], cells)
        within = mask[min(r, mask.shape[0] - 1)]
        _depth_of_row(pixels[r], cells, reading, guide, od)
        for x in range(width):
            out[r, x] = _exp_of_small(-strength * within[x] * od[x])
