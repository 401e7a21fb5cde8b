"""The size at which a picture is perceived; nothing here needs torch."""

from __future__ import annotations

import math

STRIDE = 16
"""The encoder takes pictures whose height and width are multiples of this."""
CELL = 16
"""Side of the cells that tau is given for, in pixels of the working size."""
AREA = 256 * 256
"""Of the picture at its working size, in pixels, about."""
LEAST, MOST = 64, 1024
"""Of a side."""


def working_size(height: int, width: int, area: int = AREA) -> tuple[int, int]:
    """Height and width, multiples of 16, of about `area` pixels and nearly the same aspect, at least 64 each."""
    scale = math.sqrt(area / (height * width))

    def fit(length: int) -> int:
        return min(MOST, max(LEAST, round(length * scale / STRIDE) * STRIDE))

    return fit(height), fit(width)
