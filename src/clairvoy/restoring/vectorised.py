"""The full-resolution pass on some rows at a time, with NumPy and OpenCV: without numba, and for small pictures.

`compiled` does the same, pixel by pixel. Both take the same arguments, so that `full_resolution` may call either.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
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
    planes, depth = _read(pixels, above, part, reading)
    depth *= strength * mask
    gain = np.exp(depth, out=depth)
    for plane, air in zip(planes, light, strict=True):
        plane -= air
        plane *= gain
    if white > 1:
        # OpenCV adds, rounds and keeps to what the type holds in one pass.
        kind = cv2.CV_8U if out.dtype == np.uint8 else cv2.CV_16U
        rounded = [
            cv2.add(plane, float(air), dtype=kind)  # type: ignore[call-overload]
            for plane, air in zip(planes, light, strict=True)
        ]
        out[...] = cv2.merge(rounded).reshape(out.shape)
    else:
        for channel, (plane, air) in enumerate(zip(planes, light, strict=True)):
            plane += air
            np.clip(plane, 0, white, out=out[..., channel])


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
    _, depth = _read(pixels, above, part, reading)
    depth *= -strength * mask
    np.exp(depth, out=out)


def _read(
    pixels: npt.NDArray[Any], above: npt.NDArray[np.int64], part: Float, reading: Reading
) -> tuple[Float, Float]:
    """The pixels as planes (3, r, W), and their optical depth (r, W)."""
    rows, width = pixels.shape[:2]
    bins = reading.grid.shape[2]
    planes = np.empty((4, rows, width), np.float32)
    for channel in range(3):
        planes[channel] = pixels[..., channel]
    planes[3] = 1  # what the biases are multiplied by
    guide = _guide(planes.reshape(4, -1), reading, bins).reshape(rows, width)
    level = np.minimum(guide.astype(np.int32), bins - 2)
    up = np.subtract(guide, level, out=guide)
    corners = _corners(above, part, reading.grid)
    place = np.add(level, reading.left, dtype=np.intp)
    place += np.arange(0, corners.size, corners.shape[1])[:, None]
    # All that a pixel needs of the grid lies together, as one number of 16 bytes: it is looked up once.
    at = np.take(corners.reshape(-1), place, mode="clip").view(np.float32).reshape(rows, width, 4)
    depth = at[..., 3] * up
    depth += at[..., 2]
    depth *= reading.share
    up *= at[..., 1]
    depth += up
    depth += at[..., 0]
    return planes[:3], depth


def _guide(planes: Float, reading: Reading, bins: int) -> Float:
    """Where in the bins each pixel reads, (n,) in [0, bins - 1], of its planes and ones (4, n)."""
    first = np.concatenate([reading.hidden * reading.scale, reading.hidden_bias[None]])
    seen = first.T @ planes
    np.maximum(seen, 0, out=seen)
    guide = -reading.spread @ seen
    guide -= reading.spread_bias
    np.clip(guide, -16, 16, out=guide)
    np.exp(guide, out=guide)
    guide += 1
    return np.divide(np.float32(bins - 1), guide, out=guide)


def _corners(above: npt.NDArray[np.int64], part: Float, grid: Float) -> npt.NDArray[np.complex128]:
    """What is read at each row (r), and each column and bin of the grid (columns * bins), as four floats in one number.

    The value there, how much more the next bin has, how much more the next column has, and how much more of that the next
    bin has.
    """
    first, last = above.min(), above.max() + 2
    near = np.zeros((last - first, *grid.shape[1:], 4), np.float32)
    near[..., 0] = grid[first:last]
    near[:, :, :-1, 1] = np.diff(near[..., 0], axis=2)
    near[:, :-1, :, 2:] = np.diff(near[..., :2], axis=1)
    near = near.reshape(last - first, -1)
    down = part[:, None]
    return (near[above - first] * (1 - down) + near[above - first + 1] * down).view(np.complex128)
