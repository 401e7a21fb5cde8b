"""Families of shapes: what their numbers mean, and their outlines as polygons.

All lengths are parts of the picture's longer side, x to the right and y down, so a shape is of no resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from clairvoy.errors import SettingsError

Meaning = Literal["x", "y", "length", "width", "angle"]
Outline = Callable[[np.ndarray, int], np.ndarray]
Axes = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Family:
    """One family of shapes.

    Attributes
    ----------
    name
        What users call it.
    meanings
        What each number of a shape is. Lengths and widths are half of the extent that they measure; angles are in radians.
    outline
        Makes of shapes (N, numbers) their polygons (N, corners, 2). The second argument says how many points stand for a
        round part; straight ones need no more than their corners.
    axes
        Makes of shapes (N, numbers) the frame that each has of its own: (N, 2, 2), two vectors as columns, as long as the
        shape is along them.
    """

    name: str
    meanings: tuple[Meaning, ...]
    outline: Outline
    axes: Axes

    def columns(self, *meanings: Meaning) -> np.ndarray:
        """(numbers,) bool, which numbers have one of these meanings."""
        return _columns(self.meanings, meanings)


@cache
def _columns(of: tuple[Meaning, ...], wanted: tuple[Meaning, ...]) -> np.ndarray:
    """Asked in every round of a climb, and always the same; cannot be written to."""
    columns = np.array([meaning in wanted for meaning in of])
    columns.flags.writeable = False
    return columns


def _triangle(shapes: np.ndarray, points: int) -> np.ndarray:
    return shapes.reshape(-1, 3, 2)


def _two_sides(shapes: np.ndarray) -> np.ndarray:
    sides: np.ndarray = (shapes.reshape(-1, 3, 2)[:, 1:] - shapes[:, None, 0:2]).transpose(0, 2, 1)
    return sides


def _half_axes(shapes: np.ndarray) -> np.ndarray:
    a, b, angle = shapes[:, 2], shapes[:, 3], shapes[:, 4]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([a * cos, a * sin], axis=1), np.stack([-b * sin, b * cos], axis=1)], axis=2)


def _along(end: int) -> Axes:
    """From the first point to the one at `end`, and as long at a right angle to it."""

    def axes(shapes: np.ndarray) -> np.ndarray:
        way = shapes[:, end : end + 2] - shapes[:, 0:2]
        return np.stack([way, np.stack([-way[:, 1], way[:, 0]], axis=1)], axis=2)

    return axes


def _turned(shapes: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Points given in a shape's own axes, each (points,) in units of its half lengths, turned and put in place."""
    x, y, a, b, angle = (shapes[:, k, None] for k in range(5))
    cos, sin = np.cos(angle), np.sin(angle)
    along, beside = a * across, b * down
    return np.stack([x + cos * along - sin * beside, y + sin * along + cos * beside], axis=2)


def _ellipse(shapes: np.ndarray, points: int) -> np.ndarray:
    turn = np.arange(points) * (2 * np.pi / points)
    # A polygon on the ellipse is smaller than it; one of the same area is a little outside.
    grown = np.sqrt(2 * np.pi / points / np.sin(2 * np.pi / points))
    return _turned(shapes, grown * np.cos(turn), grown * np.sin(turn))


def _rectangle(shapes: np.ndarray, points: int) -> np.ndarray:
    return _turned(shapes, np.array([-1.0, 1.0, 1.0, -1.0]), np.array([-1.0, -1.0, 1.0, 1.0]))


def _line(shapes: np.ndarray, points: int) -> np.ndarray:
    begin, end, half = shapes[:, None, 0:2], shapes[:, None, 2:4], shapes[:, None, 4:5]
    across = half * _normal(end - begin)
    return np.concatenate([begin + across, end + across, end - across, begin - across], axis=1)


def _brush(shapes: np.ndarray, points: int) -> np.ndarray:
    """A quadratic Bezier curve whose half width goes through three values, as the pressure on a brush does."""
    a, b, c = (shapes[:, None, k : k + 2] for k in (0, 2, 4))
    count = max(4, points // 2)
    t = np.linspace(0.0, 1.0, count)[None, :, None]
    middle = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
    heading = (1 - t) * (b - a) + t * (c - b)
    first, half, last = (shapes[:, None, k : k + 1] for k in (6, 7, 8))
    across = ((1 - t) ** 2 * first + 2 * t * (1 - t) * half + t**2 * last) * _normal(heading)
    return np.concatenate([middle + across, (middle - across)[:, ::-1]], axis=1)


def _normal(heading: np.ndarray) -> np.ndarray:
    """Unit vectors at a right angle to `heading`; any for one of no length."""
    length = np.hypot(heading[..., 0:1], heading[..., 1:2])
    unit = np.divide(heading, length, out=np.zeros_like(heading), where=length > 1e-9)
    return np.concatenate([-unit[..., 1:2], unit[..., 0:1]], axis=-1)


PEN_LINES = "pen lines"


def pen_lines(half_width: float) -> Family:
    """Straight lines as wide as a pen, in the place of `lines`, whose width is free."""

    def outline(shapes: np.ndarray, points: int) -> np.ndarray:
        return _line(np.concatenate([shapes, np.full((len(shapes), 1), half_width)], axis=1), points)

    return Family(PEN_LINES, ("x", "y", "x", "y"), outline, _along(2))


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("triangles", ("x", "y", "x", "y", "x", "y"), _triangle, _two_sides),
        Family("ellipses", ("x", "y", "length", "length", "angle"), _ellipse, _half_axes),
        Family("rectangles", ("x", "y", "length", "length", "angle"), _rectangle, _half_axes),
        Family("brush", ("x", "y", "x", "y", "x", "y", "width", "width", "width"), _brush, _along(4)),
        Family("lines", ("x", "y", "x", "y", "width"), _line, _along(2)),
    )
}


def families_of(names: str) -> tuple[Family, ...]:
    """Families by their names, joined by commas; ``mixed`` is all of them.

    Raises
    ------
    SettingsError
        There is no family of such a name.
    """
    if names == "mixed":
        return tuple(FAMILIES.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in FAMILIES:
            raise SettingsError(f"{name!r} is no family of shapes; use {', '.join(FAMILIES)} or mixed")
    return tuple(FAMILIES[name] for name in dict.fromkeys(wanted))
