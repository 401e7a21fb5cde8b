"""A painting: strokes on a ground, of no resolution, drawn at any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clairvoy.painting.coverage import coverage
from clairvoy.painting.shapes import Family

PAPER = (1.0, 1.0, 1.0)
"""What a painting without a ground is painted for."""
_POINT_SPACING = 2.0
"""Pixels from one point of a round outline to the next, at the size that is drawn."""


@dataclass(frozen=True)
class Stroke:
    """One shape in one colour.

    Attributes
    ----------
    family
        Of shapes.
    shape
        (numbers,), see `Family.meanings`; in parts of the picture's longer side.
    colour
        (3,) in [0, 1].
    opacity
        In (0, 1].
    """

    family: Family
    shape: np.ndarray
    colour: np.ndarray
    opacity: float

    def outline(self, scale: float) -> np.ndarray:
        """(corners, 2), the polygon in pixels; `scale` is the longer side of the picture."""
        points = int(np.clip(scale * np.pi / _POINT_SPACING, 24, 360))
        return self.family.outline(self.shape[None], points)[0] * scale


@dataclass
class Painting:
    """Strokes, the first at the bottom.

    Attributes
    ----------
    size
        Width and height of the picture that it shows, in pixels. It may be drawn at any other size.
    ground
        (3,) in [0, 1], or None for a transparent one.
    strokes
        In the order in which they are painted.
    """

    size: tuple[int, int]
    ground: np.ndarray | None
    strokes: list[Stroke] = field(default_factory=list)
    ink: bool = False
    """Strokes only darken what is there, as pens do; else they cover it."""

    def size_at(self, longer: int) -> tuple[int, int]:
        """Width and height when the longer side is so many pixels."""
        width, height = self.size
        scale = longer / max(self.size)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def stages(self, longer: int) -> Iterator[np.ndarray]:
        """Yield the canvas before the first stroke and after each, (H, W, 4) float64: colour times alpha, and alpha.

        Each is the same array, changed in place.
        """
        width, height = self.size_at(longer)
        canvas = np.zeros((height, width, 4))
        if self.ground is not None:
            canvas[...] = [*self.ground, 1.0]
        yield canvas
        for stroke in self.strokes:
            cover = stroke.opacity * coverage(stroke.outline(longer), height, width)
            if self.ink:
                canvas[..., :3] = with_ink(canvas[..., :3], cover, stroke.colour)
            else:
                canvas += cover[..., None] * (np.array([*stroke.colour, 1.0]) - canvas)
            yield canvas

    def draw(self, longer: int) -> np.ndarray:
        """The whole painting, (H, W, 4) float64: colour times alpha, and alpha, in [0, 1]."""
        *_, canvas = self.stages(longer)
        return canvas


def with_ink(canvas: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """A canvas (H, W, 3) with a stroke of ink on it: `cover` (H, W) is how dense it is."""
    return canvas * (1.0 - cover[..., None] * (1.0 - colour))


def on_paper(canvas: np.ndarray) -> np.ndarray:
    """(H, W, 3) of a canvas (H, W, 4) that lies on white paper."""
    return canvas[..., :3] + (1.0 - canvas[..., 3:]) * np.array(PAPER)
