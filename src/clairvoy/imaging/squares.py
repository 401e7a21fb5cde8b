"""Real pairs as the generator looks at pictures: squares of one size, cut so that nothing is squashed or left out."""

from __future__ import annotations

import math

import cv2
import numpy as np

from clairvoy.errors import InputError
from clairvoy.imaging.depth import ByteImage


def cut_squares(rgb: np.ndarray, side: int) -> list[ByteImage]:
    """Scale (H, W, 3) uint8 or uint16 so that its shorter side is `side`, and cut it into squares.

    The squares are evenly spaced along the longer side and overlap where it is no multiple of the shorter.

    Raises
    ------
    InputError
        A picture so small that it would have to be enlarged more than fourfold.
    """
    height, width = rgb.shape[:2]
    if 4 * min(height, width) < side:
        raise InputError(
            f"{width}x{height} pixels are too few to learn from; the shorter side needs {side // 4}"
        )
    scale = side / min(height, width)
    size = max(side, round(width * scale)), max(side, round(height * scale))
    eight = (rgb // 257).astype(np.uint8) if rgb.dtype == np.uint16 else rgb
    scaled = cv2.resize(eight, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    longer = max(size)
    count = math.ceil(longer / side)
    starts = np.linspace(0, longer - side, count).round().astype(int)
    along_width = size[0] >= size[1]
    return [
        np.ascontiguousarray(scaled[:, s : s + side] if along_width else scaled[s : s + side]).astype(
            np.uint8
        )
        for s in starts
    ]
