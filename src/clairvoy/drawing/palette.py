"""The colours of every picture that is drawn, RGB: one set on dark ground, one on paper."""

from __future__ import annotations

Colour = tuple[int, int, int]

GROUND: Colour = (24, 26, 30)
"""Behind everything."""
PANEL: Colour = (30, 33, 39)
"""Where there is nothing to show."""
LINE: Colour = (48, 51, 57)
"""Edges of frames, what is empty."""
TEXT: Colour = (240, 242, 245)
MUTED: Colour = (158, 165, 176)
"""Names of values, legends."""
WHITE: Colour = (255, 255, 255)
BLUE: Colour = (110, 190, 255)
ORANGE: Colour = (255, 165, 65)
GREEN: Colour = (90, 220, 140)
RED: Colour = (255, 90, 90)

PAPER, PAPER_INK, PAPER_MUTED, PAPER_LINE = WHITE, (38, 38, 42), (120, 122, 130), (228, 229, 233)
PAPER_SERIES: tuple[Colour, ...] = (
    (128, 132, 140), (46, 111, 178), (208, 122, 36), (34, 137, 92), (137, 107, 178), (176, 74, 96),
)  # fmt: skip
"""Of what is compared, in order; the first is what the others are compared with."""
