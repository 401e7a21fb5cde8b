"""Planes of numbers over a picture, (1, C, h, w) float32 as networks take and give them: from pixels, and at other sizes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.hidden import resized
from clairvoy.imaging.picture_kinds import peak

Float = npt.NDArray[np.float32]


def small(pixels: npt.NDArray[Any], hidden: npt.NDArray[np.bool_] | None, size: tuple[int, int]) -> Float:
    """What is seen of pixels (H, W, 3) at another size (height, width): (1, 3, height, width) in [0, 1].

    Parameters
    ----------
    pixels
        uint8, uint16 or float32 in [0, 1].
    hidden
        What nobody sees, (H, W); None: all is seen.
    size
        Means over areas where it is smaller in both directions, else linear interpolation.
    """
    shrinks = pixels.shape[0] >= size[0] and pixels.shape[1] >= size[1]
    how, white = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR, np.float32(peak(pixels))
    # What lies between 8-bit levels is kept where a picture is enlarged; a mean over many pixels can be rounded.
    wide = pixels if shrinks else pixels.astype(np.float32)
    return as_planes(resized(wide, size, how, hidden).astype(np.float32) / white)


def as_planes(pixels: npt.NDArray[Any]) -> Float:
    """Pixels (h, w, 3) as planes (1, 3, h, w)."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def enlarged(planes: Float, size: tuple[int, int]) -> Float:
    """Planes (1, C, h, w) at another size (height, width), interpolated linearly between the centres of their cells."""
    lying = np.ascontiguousarray(planes[0].transpose(1, 2, 0))
    return as_planes(cv2.resize(lying, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, -1))
