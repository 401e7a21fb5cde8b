"""Square regions of a picture: what is seen in one, and shapes in its own measures."""

from __future__ import annotations

import numpy as np

from clairvoy.painting.proposals import held
from clairvoy.painting.shapes import Family

SIDE = 10
"""Cells across a view."""
CHANNELS = 7
NUMBERS = 10
"""Of the longest description of a shape."""
_LEAST_RATIO = 1e-3


def view(target: np.ndarray, canvas: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """What a generator of strokes sees of a region.

    Parameters
    ----------
    target, canvas
        (H, W, 3) in [0, 1].
    centre
        (2,), in parts of the longer side, as is `side`.

    Returns
    -------
    np.ndarray
        (SIDE, SIDE, CHANNELS) float32: what is wrong (3), the canvas (3) less a half, and 1 inside the picture; each cell a
        mean of four samples.
    """
    height, width, _ = target.shape
    offsets = ((np.arange(2 * SIDE) + 0.5) / (2 * SIDE) - 0.5) * side
    columns, rows = (np.floor((middle + offsets) * max(height, width)).astype(int) for middle in centre)
    inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    at = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
    seen = np.empty((2 * SIDE, 2 * SIDE, CHANNELS), np.float32)
    seen[..., 3:6] = canvas[at]
    seen[..., :3] = target[at] - seen[..., 3:6]
    seen[..., 3:6] -= 0.5
    seen[..., 6] = 1.0
    seen *= inside[..., None]
    cells: np.ndarray = seen.reshape(SIDE, 2, SIDE, 2, CHANNELS).mean(axis=(1, 3))
    return cells


def to_region(family: Family, shapes: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """Shapes (N, numbers) in a region's measures, (N, NUMBERS): one description for one shape, the rest 0.

    Places count from the centre in sides, lengths by the logarithm of their ratio to the side, angles by the cosine and sine
    of twice the angle.
    """
    shapes = canonical(family, shapes)
    parts = []
    for k, meaning in enumerate(family.meanings):
        column = shapes[:, k]
        if meaning in ("x", "y"):
            parts.append((column - centre[0 if meaning == "x" else 1]) / side)
        elif meaning == "angle":
            parts += [np.cos(2 * column), np.sin(2 * column)]
        else:
            parts.append(np.log(np.maximum(column / side, _LEAST_RATIO)))
    parts += [np.zeros(len(shapes))] * (NUMBERS - len(parts))
    return np.stack(parts, axis=1)


def from_region(family: Family, rows: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """Shapes (N, numbers) of what `to_region` gives; numbers out of bounds are held in them."""
    shapes = np.empty((len(rows), len(family.meanings)))
    at = 0
    for k, meaning in enumerate(family.meanings):
        if meaning in ("x", "y"):
            shapes[:, k] = centre[0 if meaning == "x" else 1] + side * rows[:, at]
        elif meaning == "angle":
            shapes[:, k] = 0.5 * np.arctan2(rows[:, at + 1], rows[:, at])
            at += 1
        else:
            shapes[:, k] = side * np.exp(np.clip(rows[:, at], np.log(_LEAST_RATIO), 2.0))
        at += 1
    return held(family, shapes)


def canonical(family: Family, shapes: np.ndarray) -> np.ndarray:
    """The same shapes, each in one of the ways in which it can be described.

    A triangle begins at its corner that is farthest to the left and goes around clockwise on the screen; of the two half
    lengths of an ellipse or rectangle the first is the longer one; a line or brush runs to the right.
    """
    shapes = shapes.copy()
    name = family.name
    if name == "triangles":
        corners = shapes.reshape(-1, 3, 2)
        (ax, ay), (bx, by) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
        other_way = ax * by - ay * bx < 0
        corners[other_way] = corners[other_way][:, ::-1]
        first = corners[:, :, 0].argmin(axis=1)
        order = (first[:, None] + np.arange(3)) % 3
        return np.take_along_axis(corners, order[:, :, None], axis=1).reshape(-1, 6)
    if name in ("ellipses", "rectangles"):
        swapped = shapes[:, 3] > shapes[:, 2]
        shapes[swapped, 2:4] = shapes[swapped, 3:1:-1]
        shapes[swapped, 4] += np.pi / 2
        return shapes
    last = {"brush": 4, "lines": 2}[name]
    back = shapes[:, last] < shapes[:, 0]
    ends = shapes[back][:, [last, last + 1, 0, 1]]
    shapes[back, 0:2], shapes[back, last : last + 2] = ends[:, :2], ends[:, 2:]
    if name == "brush":
        shapes[back, 6], shapes[back, 8] = shapes[back, 8], shapes[back, 6]
    return shapes
