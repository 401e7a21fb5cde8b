"""Real pairs as the generator looks at pictures: squares of one size, cut so that nothing is squashed or left out."""

from __future__ import annotations

import math

import cv2
import numpy as np

from clairvoy.errors import InputError
from clairvoy.imaging.formats.raster import to_eight_bits
from clairvoy.imaging.synthesis.depth import ByteImage


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
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(to_eight_bits(rgb), size, interpolation=how).astype(np.uint8)
    if size[0] < size[1]:
        return [scaled[start : start + side] for start in _starts(size[1], side)]
    return [scaled[:, start : start + side].copy() for start in _starts(size[0], side)]


def _starts(length: int, side: int) -> list[int]:
    """Where squares begin that together cover `length`."""
    return np.linspace(0, length - side, math.ceil(length / side)).round().astype(int).tolist()
