"""Cutting a picture into strips and into a grid of windows.

A box is four integers ``(top, left, bottom, right)`` in pixels, the end excluded, as in array slicing.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clairvoy.errors import InputError


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
