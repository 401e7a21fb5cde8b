"""Several paintings on one sheet: side by side, as SVG or as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

from clairvoy.painting.frames import rgba
from clairvoy.painting.painting import Painting
from clairvoy.painting.svg import UNITS, element, hex_of

GAP = 0.06
"""Between two paintings, in parts of the side of one."""


def columns_of(count: int) -> int:
    """Of a sheet that is about as wide as it is high."""
    return ceil(sqrt(count))


def sheet_svg(paintings: Sequence[Painting], side: int) -> str:
    """Square paintings as one SVG file.

    Parameters
    ----------
    paintings
        At least one, each square and with a ground.
    side
        Pixels across each of them.
    """
    columns = columns_of(len(paintings))
    rows = ceil(len(paintings) / columns)
    step = side * (1 + GAP)
    width, height = (round(number * step + side * GAP) for number in (columns, rows))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, painting in enumerate(paintings):
        x, y = (side * GAP + step * at for at in (number % columns, number // columns))
        assert painting.ground is not None
        lines += [
            f'<svg x="{x:.2f}" y="{y:.2f}" width="{side}" height="{side}" viewBox="0 0 {UNITS:g} {UNITS:g}" '
            'overflow="hidden">',
            f'<rect width="{UNITS:g}" height="{UNITS:g}" fill="{hex_of(painting.ground)}"/>',
            *(element(stroke) for stroke in painting.strokes),
            "</svg>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def sheet_pixels(paintings: Sequence[Painting], side: int) -> np.ndarray:
    """(H, W, 3) uint8, the same on white."""
    columns = columns_of(len(paintings))
    rows = ceil(len(paintings) / columns)
    gap = max(1, round(side * GAP))
    sheet = np.full((rows * (side + gap) + gap, columns * (side + gap) + gap, 3), 255, np.uint8)
    for number, painting in enumerate(paintings):
        y, x = (gap + (side + gap) * at for at in (number // columns, number % columns))
        sheet[y : y + side, x : x + side] = rgba(painting, side)[..., :3]
    return sheet
