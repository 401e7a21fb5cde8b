"""Colours that a painting is limited to: as they are named, or as many as fit a picture best."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import ImageColor

from clairvoy.errors import SettingsError
from clairvoy.painting.target import Target

_TRIES = 4


def colour_of(name: str) -> np.ndarray:
    """(3,) in [0, 1], of a name such as ``#d33``, ``#06c41f`` or ``teal``.

    Raises
    ------
    SettingsError
        It is no such name.
    """
    try:
        return np.array(ImageColor.getrgb(name.strip())[:3]) / 255.0
    except ValueError as error:
        raise SettingsError(
            f"{name!r} is no colour; write #rgb, #rrggbb or a name of CSS such as teal"
        ) from error


def colours_of(names: str) -> np.ndarray:
    """(colours, 3) in [0, 1], of names joined by commas; see `colour_of`."""
    return np.array([colour_of(name) for name in names.split(",")])


def fitted_palette(target: Target, count: int, seed: int) -> np.ndarray:
    """(at most `count`, 3) in [0, 1], in steps of 1/255: the colours that are nearest to the target's pixels (k-means)."""
    pixels = target.pixels[target.weight > 0.5].astype(np.float32)
    count = min(count, len(np.unique(pixels, axis=0)))
    cv2.setRNGSeed(seed % 2**31)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    labels = np.zeros((len(pixels), 1), np.int32)
    _, _, centres = cv2.kmeans(pixels, count, labels, stop, _TRIES, cv2.KMEANS_PP_CENTERS)
    return np.unique(np.round(np.clip(centres.astype(np.float64), 0.0, 1.0) * 255.0) / 255.0, axis=0)
