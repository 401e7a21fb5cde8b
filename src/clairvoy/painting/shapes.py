"""Families of shapes: what their numbers mean, and their outlines as polygons.

All lengths are parts of the picture's longer side, x to the right and y down, so a shape is of no resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clairvoy.errors import SettingsError

Meaning = Literal["x", "y", "length", "width", "angle"]
Outline = Callable[[np.ndarray, int], np.ndarray]


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
    """

    name: str
    meanings: tuple[Meaning, ...]
    outline: Outline

    def columns(self, *meanings: Meaning) -> np.ndarray:
        """(numbers,) bool, which numbers have one of these meanings."""
        return np.array([meaning in meanings for meaning in self.meanings])


def _triangle(shapes: np.ndarray, points: int) -> np.ndarray:
    return shapes.reshape(-1, 3, 2)


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


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("triangles", ("x", "y", "x", "y", "x", "y"), _triangle),
        Family("ellipses", ("x", "y", "length", "length", "angle"), _ellipse),
        Family("rectangles", ("x", "y", "length", "length", "angle"), _rectangle),
        Family("brush", ("x", "y", "x", "y", "x", "y", "width", "width", "width"), _brush),
        Family("lines", ("x", "y", "x", "y", "width"), _line),
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
