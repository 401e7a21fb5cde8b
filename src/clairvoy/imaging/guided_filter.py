"""The guided filter: smooth values along the edges of a picture (He, Sun and Tang, PAMI 2013)."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def guided_filter(
    guide: Array,
    values: Array,
    radius: int,
    eps: float,
    border: Literal["mirrored", "left out"] = "mirrored",
) -> Array:
    """Smooth `values` and keep the edges of `guide`, by a linear model of the guide in every window (equations 5 to 8).

    Parameters
    ----------
    guide, values
        (H, W) each, of one precision, which is that of the sums: a variance is a small difference of large numbers.
    radius
        Windows have ``2 radius + 1`` pixels a side.
    eps
        Regularises the slope: variance of the guide below which values are smoothed.
    border
        What a window sees beyond the picture: its mirror image, or nothing.

    Returns
    -------
    ndarray
        (H, W), of the same precision.
    """
    side = (2 * radius + 1, 2 * radius + 1)
    area: Any = None
    if border == "left out":
        area = cv2.boxFilter(np.ones_like(guide), -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)

    def mean(image: Array) -> Array:
        if area is None:
            return cv2.blur(image, side, borderType=cv2.BORDER_REFLECT).astype(guide.dtype)
        return cv2.boxFilter(image, -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT) / area

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide * mean_guide
    covariance = mean(guide * values) - mean_guide * mean_values
    slope = covariance / (variance + guide.dtype.type(eps))
    return mean(slope) * guide + mean(mean_values - slope * mean_guide)
