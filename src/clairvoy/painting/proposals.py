"""Shapes to try: new ones where the picture is still wrong, and small changes of good ones."""

from __future__ import annotations

import numpy as np

from clairvoy.painting.shapes import Family

LEAST_LENGTH, LEAST_WIDTH, MOST_WIDTH = 0.004, 0.002, 0.06
"""Of the longer side. A brush that is wide for its length would paint over itself."""
SIZES = (0.015, 0.5)
"""Smallest and largest spread of a new shape."""
_LEAST_STEP, _MOST_STEP = 0.002, 0.15


def places(error: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) points, drawn as often as the error of their pixels is high; in parts of the longer side."""
    height, width = error.shape
    heap = np.cumsum(error.ravel())
    if heap[-1] <= 0.0:
        heap = np.arange(1.0, error.size + 1.0)
    cell = np.minimum(np.searchsorted(heap, rng.random(count) * heap[-1], side="right"), error.size - 1)
    corner = np.stack([cell % width, cell // width], axis=1)
    return (corner + rng.random((count, 2))) / max(height, width)


def new_shapes(
    family: Family, at: np.ndarray, rng: np.random.Generator, sizes: tuple[float, float] = SIZES
) -> np.ndarray:
    """Shapes (N, numbers) around points (N, 2), as large as they are small by chance: sizes are even on a log scale."""
    count = len(at)
    low, high = np.log(sizes)
    size = np.exp(rng.uniform(low, high, (count, 1)))
    shapes = np.empty((count, len(family.meanings)))
    for axis, columns in enumerate((family.columns("x"), family.columns("y"))):
        around = at[:, axis : axis + 1]
        spread = size if columns.sum() > 1 else 0.25 * size
        shapes[:, columns] = around + spread * rng.standard_normal((count, columns.sum()))
    columns = family.columns("length")
    shapes[:, columns] = size * np.exp(0.5 * rng.standard_normal((count, columns.sum())))
    columns = family.columns("width")
    shapes[:, columns] = 0.25 * size * np.exp(0.7 * rng.standard_normal((count, columns.sum())))
    columns = family.columns("angle")
    shapes[:, columns] = rng.uniform(0.0, np.pi, (count, columns.sum()))
    return held(family, shapes)


def changed(family: Family, shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each shape with some of its numbers moved, by steps from hardly any to large ones."""
    low, high = np.log(_LEAST_STEP), np.log(_MOST_STEP)
    step = np.exp(rng.uniform(low, high, (len(shapes), 1)))
    moves = step * rng.standard_normal(shapes.shape)
    moves *= rng.random(shapes.shape) < 0.5
    # A third of a turn does to a shape what a third of its length does.
    moves[:, family.columns("angle")] *= 6.0
    moved = shapes + moves
    sizes = family.columns("length", "width")
    if sizes.any():
        # Lengths by a factor: a thin shape must be able to become a little less thin.
        moved[:, sizes] = shapes[:, sizes] * np.exp(6.0 * moves[:, sizes])
    return held(family, moved)


def held(family: Family, shapes: np.ndarray) -> np.ndarray:
    """The shapes with their lengths and widths inside bounds; changed in place."""
    lengths, widths = family.columns("length"), family.columns("width")
    for columns, least, most in ((lengths, LEAST_LENGTH, 1.0), (widths, LEAST_WIDTH, MOST_WIDTH)):
        if columns.any():
            shapes[:, columns] = np.clip(shapes[:, columns], least, most)
    return shapes
