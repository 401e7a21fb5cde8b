"""The full-resolution pass in one loop: guide, grid, physics and rounding of a pixel before the next is touched.

The same arithmetic as `dehazer` does with torch, but every picture is read once and written once, and nothing of its
size is kept in between. Compiled by numba, which is optional (``pip install 'clairvoy[speed]'``): without it this
module cannot be imported, and `dehazer` does without. The compiled code is kept on disk, so that it is compiled once
and not at every start.

Each row goes through short loops over buffers of its own length, without branches, so that the compiler can work on
many pixels at a time; the exponentials are polynomials for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from torch import Tensor

from clairvoy.generative.density.vae import DensityVAE

Float = npt.NDArray[np.float32]

ROWS_AT_A_TIME = 64
"""Rows that a thread takes from the queue."""


@dataclass(frozen=True)
class Pass:
    """What a full-resolution pass needs to know; all float32.

    Attributes
    ----------
    grid
        Optical depth, (bins, h, w) >= 0.
    hidden, hidden_bias
        First layer of the guide, (n, 3) and (n,).
    spread, spread_bias
        Second layer, (n,) and one number.
    airlight
        (3,) in [0, 1].
    strength
        In [0, 1].
    """

    grid: Float
    hidden: Float
    hidden_bias: Float
    spread: Float
    spread_bias: float
    airlight: Float
    strength: float

    @classmethod
    def of(cls, generator: DensityVAE, grid: Tensor, airlight: Tensor, strength: float) -> Pass:
        """Take what is needed from tensors on the CPU: grid (bins, h, w), airlight of 3 numbers."""
        first, second = generator.guide_layers()
        return cls(
            grid=_array(grid),
            hidden=_array(first.weight[:, :, 0, 0]),
            hidden_bias=_array(first.bias),
            spread=_array(second.weight[0, :, 0, 0]),
            spread_bias=float(_array(second.bias)[0]),
            airlight=_array(airlight.flatten()),
            strength=strength,
        )

    def restore(self, pixels: npt.NDArray[Any], peak: float, threads: int) -> npt.NDArray[Any]:
        """Restored pixels, (H, W, 3) of the type that came in.

        Parameters
        ----------
        pixels
            (H, W, 3) uint8, uint16 or float32, contiguous.
        peak
            The value of white.
        threads
            How many work on it.
        """
        out = np.empty_like(pixels)
        self._run(_restore, pixels, peak, out, threads)
        return out

    def transmission(self, pixels: npt.NDArray[Any], peak: float, threads: int) -> Float:
        """exp(-optical depth) along the pixels, (H, W) in (0, 1]; parameters as of `restore`."""
        out = np.empty(pixels.shape[:2], np.float32)
        self._run(_transmission, pixels, peak, out, threads)
        return out

    def _run(
        self,
        kernel: Callable[..., None],
        pixels: npt.NDArray[Any],
        peak: float,
        out: npt.NDArray[Any],
        threads: int,
    ) -> None:
        height, width = pixels.shape[:2]
        columns = self.grid.shape[2]
        place = np.clip((np.arange(width) + 0.5) * columns / width - 0.5, 0, columns - 1)
        left = np.clip(np.floor(place).astype(np.int32), 0, max(columns - 2, 0))
        # (h, w, bins): what one pixel needs lies together.
        grid = np.ascontiguousarray(self.grid.transpose(1, 2, 0))
        if columns == 1:
            grid = np.repeat(grid, 2, axis=1)
        arguments = (
            grid, left * np.int32(grid.shape[2]), (place - left).astype(np.float32),
            np.ascontiguousarray(self.hidden.T), self.hidden_bias, self.spread, np.float32(self.spread_bias),
            self.airlight, np.float32(self.strength), np.float32(1 / peak), np.float32(peak),
        )  # fmt: skip

        def work(top: int) -> None:
            bottom = min(top + ROWS_AT_A_TIME, height)
            kernel(pixels[top:bottom], out[top:bottom], top, height, *arguments)

        tops = range(0, height, ROWS_AT_A_TIME)
        if threads <= 1 or len(tops) == 1:
            for top in tops:
                work(top)
            return
        # The kernel lets go of the interpreter's lock, so plain threads do, and several callers are no trouble.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, tops))


def _array(tensor: Tensor | None) -> Float:
    assert tensor is not None
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


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
def _depth_of_row(row, cells, left, share, hidden, hidden_bias, spread, spread_bias, scale, bins, guide, od):
    width = row.shape[0]
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
def _cells_of_row(grid, y, height, cells):
    count = grid.shape[0]
    place = min(max((y + 0.5) * count / height - 0.5, 0.0), count - 1.0)
    above = min(int(place), max(count - 2, 0))
    below = min(above + 1, count - 1)
    part = np.float32(place - above)
    position = 0
    for column in range(grid.shape[1]):
        for level in range(grid.shape[2]):
            cells[position] = grid[above, column, level] * (np.float32(1) - part) + (
                grid[below, column, level] * part
            )
            position += 1


@_kept
def _restore(pixels, out, top, height, grid, left, share, hidden, hidden_bias, spread, spread_bias,
            airlight, strength, scale, peak):  # fmt: skip
    rows, width = pixels.shape[0], pixels.shape[1]
    bins = grid.shape[2]
    cells = np.empty(grid.shape[1] * bins, np.float32)
    guide, od = np.empty(width, np.float32), np.empty(width, np.float32)
    half = np.float32(0.5) if peak > 1 else np.float32(0)
    for r in range(rows):
        _cells_of_row(grid, top + r, height, cells)
        row, target = pixels[r], out[r]
        _depth_of_row(
            row, cells, left, share, hidden, hidden_bias, spread, spread_bias, scale, bins, guide, od
        )
        for x in range(width):
            od[x] = _exp_of_small(strength * od[x])
        for channel in range(3):
            light = airlight[channel] * peak
            for x in range(width):
                value = (np.float32(row[x, channel]) - light) * od[x] + light
                target[x, channel] = min(max(value, np.float32(0)), peak) + half


@_kept
def _transmission(pixels, out, top, height, grid, left, share, hidden, hidden_bias, spread, spread_bias,
                 airlight, strength, scale, peak):  # fmt: skip
    rows, width = pixels.shape[0], pixels.shape[1]
    bins = grid.shape[2]
    cells = np.empty(grid.shape[1] * bins, np.float32)
    guide, od = np.empty(width, np.float32), np.empty(width, np.float32)
    for r in range(rows):
        _cells_of_row(grid, top + r, height, cells)
        _depth_of_row(
            pixels[r], cells, left, share, hidden, hidden_bias, spread, spread_bias, scale, bins, guide, od
        )
        for x in range(width):
            out[r, x] = _exp_of_small(-od[x])
