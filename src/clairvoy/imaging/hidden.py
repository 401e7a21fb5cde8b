"""Pixels that nobody sees (alpha 0, "no data") take no part in what is seen: they are filled from around first.

Whatever colours lie under them, pictures that look alike are then looked at alike.
"""

from __future__ import annotations

import cv2
import numpy as np


def fill(pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill what is not known of (h, w, 3) from around it: float32, what is known stays.

    Push-pull (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4): means of what is known in 2 x 2 pixels,
    again and again until nothing is missing, then back. The work is that of a few passes, however little is known.
    Where nothing is known, all is 0.
    """
    pixels = pixels.astype(np.float32, copy=False)
    if known.all():
        return pixels.copy()
    if not known.any():
        return np.zeros_like(pixels)
    height, width = known.shape
    below, right = height % 2, width % 2
    weight = np.pad(known.astype(np.float32), ((0, below), (0, right)))[..., None]
    seen = np.where(known[..., None], pixels, 0)
    padded = np.pad(seen, ((0, below), (0, right), (0, 0)))
    share, total = (_halved(planes) for planes in (weight, padded))
    coarse = fill(total / np.maximum(share, 1), share[..., 0] > 0)
    around = cv2.resize(coarse, padded.shape[1::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]
    return np.where(known[..., None], pixels, around)


def shown(pixels: np.ndarray, hidden: np.ndarray | None) -> np.ndarray:
    """Pixels (H, W, 3) with what is hidden (H, W) filled from around, of the same type; without it, as they are."""
    if hidden is None or not hidden.any():
        return pixels
    filled = fill(pixels, ~hidden)
    return (np.rint(filled) if pixels.dtype.kind == "u" else filled).astype(pixels.dtype)


def resized(
    pixels: np.ndarray, size: tuple[int, int], how: int, hidden: np.ndarray | None = None
) -> np.ndarray:
    """Pixels (H, W, 3) at another size (height, width), means over what is seen only.

    Parameters
    ----------
    pixels
        Any type that OpenCV resizes. Kept without `hidden`; with it the result is float32.
    how
        OpenCV's interpolation.
    hidden
        (H, W) bool, or None.
    """
    if hidden is None:
        return cv2.resize(pixels, size[::-1], interpolation=how)
    seen = (~hidden).astype(np.float32)
    weight = cv2.resize(seen, size[::-1], interpolation=how)
    total = cv2.resize(
        np.where(hidden[..., None], 0, pixels).astype(np.float32), size[::-1], interpolation=how
    )
    known = weight > 1e-3
    return fill(total / np.maximum(weight, 1e-3)[..., None], known)


def _halved(planes: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 pixels: (2 h, 2 w, C) to (h, w, C)."""
    return planes[::2, ::2] + planes[1::2, ::2] + planes[::2, 1::2] + planes[1::2, 1::2]
