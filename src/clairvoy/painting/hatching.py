"""Strokes as straight pen lines: hatches that leave as much paper as a transparent stroke shows, or outlines."""

from __future__ import annotations

import numpy as np

from clairvoy.painting.coverage import crossings


def hatches(polygon: np.ndarray, spacing: float, angle: float) -> np.ndarray:
    """Parallel lines across a polygon, there and back.

    Parameters
    ----------
    polygon
        (corners, 2), in any unit.
    spacing
        From line to line, in that unit. Lines of width w then cover a part w / `spacing` of the polygon.
    angle
        Of the lines, in radians from the x axis.

    Returns
    -------
    np.ndarray
        (lines, 2, 2), begin and end of each; every other one runs back.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    turned = polygon @ turn
    low = turned.min(axis=0)
    flat = (turned - low) / spacing
    count = int(np.ceil(flat[:, 1].max()))
    _, line, x, _ = crossings(flat[None], count, 1)
    order = np.lexsort((x, line))
    line, x = line[order], x[order]
    begins, ends = x[0::2], x[1::2]
    y = line[0::2] + 0.5
    back = line[0::2] % 2 == 1
    begins, ends = np.where(back, ends, begins), np.where(back, begins, ends)
    points = np.stack([np.stack([begins, y], axis=1), np.stack([ends, y], axis=1)], axis=1)
    lines: np.ndarray = (points * spacing + low) @ turn.T
    return lines


def outline(polygon: np.ndarray) -> np.ndarray:
    """The edges of a polygon, (corners, 2, 2)."""
    return np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)


def clipped(lines: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What of lines (N, 2, 2) lies in the box from `low` (2,) to `high` (2,), (M, 2, 2) (Liang and Barsky 1984)."""
    begin, way = lines[:, 0], lines[:, 1] - lines[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        at_low, at_high = (low - begin) / way, (high - begin) / way
    inside = (begin >= low) & (begin <= high)
    still = way == 0
    first = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(at_low, at_high)).max(axis=1)
    last = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(at_low, at_high)).min(axis=1)
    first, last = np.maximum(first, 0.0), np.minimum(last, 1.0)
    there = last > first
    parts = np.stack([first[there], last[there]], axis=1)
    kept: np.ndarray = begin[there, None] + parts[:, :, None] * way[there, None]
    return kept
