"""Cutting a picture into strips and windows, and weights that join overlapping windows without a seam.

A box is four integers ``(top, left, bottom, right)`` in pixels, the end excluded, as in array slicing.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clairvoy.errors import InputError

# Ramps are rounded to multiples of 1/1024: a product of two such weights is a multiple of 2**-20, which
# float32 holds exactly, and so is every partial sum of at most 1. Hence "sums to 1" below means equality.
_WEIGHT_STEPS = 1024


def strips(height: int, width: int, pixels_per_strip: int) -> list[slice]:
    """Cut the rows of a picture into strips of about equal size.

    Parameters
    ----------
    height, width
        Size of the picture in pixels, each at least 1.
    pixels_per_strip
        Most pixels that a strip may hold. A strip has at least one row, even where one row holds more.

    Returns
    -------
    list of slice
        Slices of rows, from top to bottom, that cover each row once. Heights differ by at most one row.

    Raises
    ------
    InputError
        When a size is below 1.
    """
    _check_positive(height=height, width=width, pixels_per_strip=pixels_per_strip)
    rows_per_strip = max(1, pixels_per_strip // width)
    edges = _even_edges(height, -(-height // rows_per_strip))
    return [slice(int(top), int(bottom)) for top, bottom in pairwise(edges)]


def window_grid(height: int, width: int, rows: int, cols: int) -> np.ndarray:
    """Cut a picture into a grid of windows that touch and do not overlap.

    Parameters
    ----------
    height, width
        Size of the picture in pixels.
    rows, cols
        Number of windows down and across; at most one for each pixel.

    Returns
    -------
    ndarray, (rows, cols, 4), int64
        Boxes ``(top, left, bottom, right)``. Every pixel is in one box; sizes differ by at most one pixel.

    Raises
    ------
    InputError
        When a size is below 1, or the grid has more rows or columns than the picture.
    """
    _check_positive(height=height, width=width, rows=rows, cols=cols)
    if rows > height or cols > width:
        raise InputError(
            f"a grid of {rows} x {cols} windows is finer than the picture of {height} x {width} pixels; "
            f"use at most {min(rows, height)} x {min(cols, width)}"
        )
    return _boxes(_even_edges(height, rows), _even_edges(width, cols))


def overlapping_windows(height: int, width: int, window: int, overlap: int) -> np.ndarray:
    """Boxes of windows of one size that cover a picture and overlap their neighbours.

    Parameters
    ----------
    height, width
        Size of the picture in pixels.
    window
        Side of a window in pixels; shortened to the picture where the picture is smaller.
    overlap
        Least overlap of neighbours in pixels, 0 to ``window - 1``.

    Returns
    -------
    ndarray, (rows, cols, 4), int64
        Boxes ``(top, left, bottom, right)``, all inside the picture and all of one size, spread evenly.

    Raises
    ------
    InputError
        When a size is below 1 or the overlap is not smaller than the window.
    """
    tops, tall = _starts(height, window, overlap)
    lefts, wide = _starts(width, window, overlap)
    top, left = np.meshgrid(tops, lefts, indexing="ij")
    return np.stack([top, left, top + tall, left + wide], axis=-1)


def blend_weights(height: int, width: int, window: int, overlap: int) -> np.ndarray:
    """Weights with which windows from `overlapping_windows` are added up.

    Each seam is a linear ramp in the middle of an overlap; away from the seams one window has weight 1. The
    weights of a window are the product of a weight down and a weight across.

    Parameters
    ----------
    height, width, window, overlap
        As for `overlapping_windows`.

    Returns
    -------
    ndarray, (rows, cols, window height, window width), float32 in [0, 1]
        ``picture[box] += weights[row, col] * restored[row, col]`` over all boxes gives the joined picture. At
        every pixel the weights add to exactly 1, in float32 and in any order.

    Raises
    ------
    InputError
        As `overlapping_windows`.
    """
    down = _profiles(height, window, overlap)
    across = _profiles(width, window, overlap)
    return down[:, None, :, None] * across[None, :, None, :]


def _profiles(length: int, window: int, overlap: int) -> np.ndarray:
    """One-dimensional blend weights, (windows, window length), float32."""
    starts, size = _starts(length, window, overlap)
    # A ramp is as wide as the least overlap of any two neighbours, so it lies inside both windows of each
    # seam.
    strides = np.diff(starts)
    ramp = size - int(strides.max()) if len(strides) else 0
    seams = starts[:-1] + (strides + size) / 2
    position = starts[:, None] + np.arange(size) + 0.5
    # A window is what has risen at the seam before it and has not yet risen at the seam after it. All seams
    # share one rising ramp, so these differences telescope to 1 whatever the rounding, and none is negative.
    rising_before, rising_after = np.ones((2, len(starts), size)) * [[[1.0]], [[0.0]]]
    rising_before[1:] = _rise(position[1:] - seams[:, None], ramp)
    rising_after[:-1] = _rise(position[:-1] - seams[:, None], ramp)
    return (rising_before - rising_after).astype(np.float32)


def _rise(distance: np.ndarray, ramp: int) -> np.ndarray:
    """From 0 to 1 over `ramp` pixels centred on 0, in steps of 1/1024; a step where `ramp` is 0."""
    if ramp == 0:
        return (distance >= 0).astype(float)
    return np.round(np.clip(0.5 + distance / ramp, 0, 1) * _WEIGHT_STEPS) / _WEIGHT_STEPS


def _starts(length: int, window: int, overlap: int) -> tuple[np.ndarray, int]:
    """First pixel of each window along one side, (windows,) int64, and the windows' length."""
    _check_positive(length=length, window=window)
    if not 0 <= overlap < window:
        raise InputError(f"overlap is {overlap} pixels; give 0 to {window - 1}, less than the window")
    if window >= length:
        return np.zeros(1, np.int64), length
    count = -(-(length - overlap) // (window - overlap))
    return np.arange(count) * (length - window) // (count - 1), window


def _even_edges(length: int, parts: int) -> np.ndarray:
    """Edges of `parts` pieces of nearly equal length, (parts + 1,) int64."""
    return np.arange(parts + 1, dtype=np.int64) * length // parts


def _boxes(row_edges: np.ndarray, col_edges: np.ndarray) -> np.ndarray:
    top, left = np.meshgrid(row_edges[:-1], col_edges[:-1], indexing="ij")
    bottom, right = np.meshgrid(row_edges[1:], col_edges[1:], indexing="ij")
    return np.stack([top, left, bottom, right], axis=-1)


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is {size}; give at least 1")
