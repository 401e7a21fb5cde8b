"""A painting as SVG: each stroke an element, in order, nothing outside the picture's box."""

from __future__ import annotations

from collections.abc import Sequence
from math import degrees

import numpy as np

from clairvoy.painting.painting import Painting, Stroke

UNITS = 1000.0
"""Length of the longer side in the file's own units."""
_INK = ' style="mix-blend-mode:multiply"'
_POINTS = 48
"""Points of an outline that SVG has no element for."""


def as_svg(painting: Painting) -> str:
    """The painting as an SVG file, as large as the picture that it shows.

    Parameters
    ----------
    painting
        What is written; a transparent ground is left out.
    """
    width, height = painting.size
    scale = UNITS / max(painting.size)
    box = f"{_number(width * scale)} {_number(height * scale)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {box}">\n'
        f"{inside(painting)}</svg>\n"
    )


def inside(painting: Painting) -> str:
    """What stands within the `svg` element: a clip to the box, the ground, and a group of one element a stroke."""
    scale = UNITS / max(painting.size)
    width, height = (_number(side * scale) for side in painting.size)
    box = f'<rect width="{width}" height="{height}"'
    lines = [f'<clipPath id="box">{box}/></clipPath>', '<g clip-path="url(#box)">']
    if painting.ground is not None:
        lines.append(f'{box} fill="{hex_of(painting.ground)}"/>')
    lines.append('<g id="strokes">')
    lines += [element(stroke, _INK if painting.ink else "") for stroke in painting.strokes]
    return "\n".join([*lines, "</g>", "</g>"]) + "\n"


def hex_of(colour: np.ndarray) -> str:
    """A colour (3,) in [0, 1] as ``#rrggbb``."""
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in colour)


def element(stroke: Stroke, how: str = "") -> str:
    """One stroke as an SVG element; `how` are further attributes."""
    paint = f'fill="{hex_of(stroke.colour)}" fill-opacity="{_number(stroke.opacity)}"{how}'
    if stroke.family.name == "ellipses":
        x, y, a, b = (_number(value * UNITS) for value in stroke.shape[:4])
        turn = f"rotate({_number(degrees(stroke.shape[4]) % 180)} {x} {y})"
        return f'<ellipse cx="{x}" cy="{y}" rx="{a}" ry="{b}" transform="{turn}" {paint}/>'
    return f'<polygon points="{_points(stroke.family.outline(stroke.shape[None], _POINTS)[0])}" {paint}/>'


def _points(outline: np.ndarray) -> str:
    points: Sequence[Sequence[float]] = (outline * UNITS).tolist()
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    """At most two digits after the point, and no more than it takes."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
