"""A lens opened wide: what is not at the distance in focus is blurred.

A blurred background has no contrast of its own, and nothing but the sharp foreground tells that it is not haze. By the
thin lens, a point's circle of confusion grows with how much its inverse depth differs from that in focus (Potmesil and
Chakravarty, SIGGRAPH 1981).
"""

from __future__ import annotations

import cv2
import numpy as np

from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage

WIDEST = (0.003, 0.018)
"""Range of the largest blur's standard deviation, as a part of the view's longer side."""
LEVELS = 4
"""Blurs of so many sizes are computed, and those between are mixed of their two neighbours."""


def defocus(rgb: ByteImage, depth: FloatImage, rng: np.random.Generator) -> ByteImage:
    """Focus on something rather near, and blur the rest by how far it is from that.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, sharp everywhere.
    depth
        (H, W), above 0, in any unit.
    rng
        Draws what is in focus and how wide the lens is open.

    Returns
    -------
    (H, W, 3) uint8. What is of the depth in focus is as it was.
    """
    nearness = 1 / depth
    focus = float(np.quantile(nearness, rng.uniform(0.5, 0.98)))
    off = np.abs(nearness - focus)
    widest = float(rng.uniform(*WIDEST)) * max(rgb.shape[:2])
    level = (off / max(float(off.max()), 1e-9) * (LEVELS - 1))[..., None]
    out = np.zeros(rgb.shape, np.float32)
    for index in range(LEVELS):
        sigma = widest * index / (LEVELS - 1)
        blurred = cv2.GaussianBlur(rgb, (0, 0), sigma) if sigma else rgb
        out += blurred.astype(np.float32) * np.maximum(0, 1 - np.abs(level - index)).astype(np.float32)
    return np.clip(out.round(), 0, 255).astype(np.uint8)
