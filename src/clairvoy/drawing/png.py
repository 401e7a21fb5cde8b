"""Pictures and maps as the bytes of a PNG."""

from __future__ import annotations

import cv2
import numpy as np


def picture_png(pixels: np.ndarray) -> bytes:
    """Encode RGB pixels (H, W, 3) uint8 as a PNG."""
    return cv2.imencode(".png", pixels[:, :, ::-1])[1].tobytes()


def map_png(values: np.ndarray) -> bytes:
    """Encode a map (H, W) with values in [0, 1] as a 16-bit grey PNG, in which 65535 is 1."""
    grey = np.round(np.clip(values, 0.0, 1.0) * 65535.0).astype(np.uint16)
    return cv2.imencode(".png", grey)[1].tobytes()
