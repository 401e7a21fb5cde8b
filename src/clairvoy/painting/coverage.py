"""How much of each pixel a polygon covers, at any size of the picture."""

from __future__ import annotations

import numpy as np

SUBLINES = 4
"""Lines looked at in each row of pixels: exact across, a mean of four down."""


def crossings(
    polygons: np.ndarray, height: int, sublines: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where the edges of polygons cross the lines of a picture.

    Parameters
    ----------
    polygons
        (N, corners, 2) in pixels.
    height
        Rows of pixels; line j lies at y = (j + 1/2) / `sublines`.
    sublines
        Lines in each row.

    Returns
    -------
    which, line, x, sign
        One entry for each crossing: the polygon, the line, where on it, and +1 where the edge runs down, -1 where up.
    """
    begin, end = polygons, np.roll(polygons, -1, axis=1)
    # Line j is crossed by an edge if it lies in [upper end, lower end): first and last such j.
    last = height * sublines
    first_line, second_line = (
        np.clip(np.ceil(ends[..., 1] * sublines - 0.5), 0, last).astype(np.int64) for ends in (begin, end)
    )
    low, high = np.minimum(first_line, second_line), np.maximum(first_line, second_line)
    count = (high - low).ravel()
    edge = np.repeat(np.arange(count.size), count)
    line = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low.ravel(), count)
    (x0, y0), (x1, y1) = ((ends[..., 0].ravel()[edge], ends[..., 1].ravel()[edge]) for ends in (begin, end))
    x = x0 + ((line + 0.5) / sublines - y0) * (x1 - x0) / (y1 - y0)
    return edge // polygons.shape[1], line, x, np.where(y1 > y0, 1.0, -1.0)


def coverage(polygon: np.ndarray, height: int, width: int, sublines: int = SUBLINES) -> np.ndarray:
    """Cover of each pixel by one polygon, whichever way it turns.

    Parameters
    ----------
    polygon
        (corners, 2), x and y in pixels; parts outside the picture are cut off. Parts that it winds around twice count once.
    height, width
        Of the picture.
    sublines
        Lines looked at in each row: the cover is exact across, and a mean of so many down.

    Returns
    -------
    np.ndarray
        (height, width) float64 in [0, 1].
    """
    return coverages(polygon[None], height, width, sublines)[0]


def coverages(polygons: np.ndarray, height: int, width: int, sublines: int = SUBLINES) -> np.ndarray:
    """(N, height, width): the same for each of several polygons (N, corners, 2) on a picture of its own."""
    which, line, x, sign = crossings(polygons, height, sublines)
    row = line // sublines
    x = np.clip(x, 0.0, width)
    cell = np.minimum(x.astype(np.int64), width - 1)
    # An edge at x covers all cells before that of x, and a part of it. Differences, summed up from the right, say so.
    part = x - cell
    at = (which * height + row) * (width + 1) + cell
    size = len(polygons) * height * (width + 1)
    steps = np.bincount(at + 1, sign * part, size + 1) + np.bincount(at, sign * (1.0 - part), size + 1)
    steps = steps[:size].reshape(len(polygons), height, width + 1)
    covered = np.cumsum(steps[:, :, :0:-1], axis=2)[:, :, ::-1]
    return np.minimum(np.abs(covered) / sublines, 1.0)
