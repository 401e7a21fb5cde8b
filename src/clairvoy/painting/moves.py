"""Changes of a shape, measured in its own frame: what helps one triangle then helps the same triangle elsewhere.

A move has a number for each number of the shape. Points move in units of the shape's axes (`Family.axes`), lengths by the
logarithm of their ratio, angles by radians; each by asinh(move / `UNIT`), which keeps small and large moves apart.
"""

from __future__ import annotations

import numpy as np

from clairvoy.painting.proposals import held
from clairvoy.painting.shapes import Family

UNIT = 0.02
MOST = 6.0
"""The largest move is four times the shape itself."""
_LEAST_AREA = 1e-7


def log_size(axes: np.ndarray) -> np.ndarray:
    """(N,) logarithm of the side of a square as large as what the axes (N, 2, 2) of shapes span."""
    area = np.abs(axes[:, 0, 0] * axes[:, 1, 1] - axes[:, 0, 1] * axes[:, 1, 0])
    size: np.ndarray = 0.5 * np.log(np.maximum(area, _LEAST_AREA))
    return size


def moved(family: Family, shapes: np.ndarray, axes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Shapes (N, numbers), each changed by its moves (N, count, numbers): (N * count, numbers), inside bounds.

    `axes` are `Family.axes` of the shapes.
    """
    count = moves.shape[1]
    steps = UNIT * np.sinh(np.minimum(np.maximum(moves, -MOST), MOST))
    points, sizes = family.columns("x", "y"), family.columns("length", "width")
    all_points = points.all()
    by_point = (steps if all_points else steps[..., points]).reshape(len(shapes), -1, 2)
    by_point = (by_point @ axes.transpose(0, 2, 1)).reshape(len(shapes), count, -1)
    if all_points:
        return held(family, (shapes[:, None] + by_point).reshape(-1, shapes.shape[1]))
    steps[..., points] = by_point
    new = shapes[:, None] + steps
    new[..., sizes] = shapes[:, None, sizes] * np.exp(np.clip(steps[..., sizes], -3.0, 3.0))
    return held(family, new.reshape(-1, shapes.shape[1]))


def moves_of(family: Family, shapes: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The moves (N, numbers) that make of each shape (N, numbers) the new one; the reverse of `moved`.

    NaN where a shape is too thin for a frame, or the move is too large.
    """
    steps = new - shapes
    points, sizes = family.columns("x", "y"), family.columns("length", "width")
    axes = family.axes(shapes)
    (a, b), (c, d) = axes.transpose(1, 2, 0)
    area = a * d - b * c
    thin = np.abs(area) < _LEAST_AREA
    inverse = np.stack([np.stack([d, -c], axis=1), np.stack([-b, a], axis=1)], axis=2)
    inverse /= np.where(thin, np.nan, area)[:, None, None]
    by_point = steps[:, points].reshape(len(shapes), -1, 2) @ inverse.transpose(0, 2, 1)
    steps[:, points] = by_point.reshape(len(shapes), -1)
    steps[:, sizes] = np.log(new[:, sizes] / shapes[:, sizes])
    moves = np.arcsinh(steps / UNIT)
    moves[(np.abs(moves) > MOST).any(axis=1)] = np.nan
    return moves
