"""The picture that is painted, small, as the search looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from clairvoy.errors import InputError
from clairvoy.imaging.files import Picture
from clairvoy.imaging.picture_kinds import peak, unpack


@dataclass(frozen=True)
class Target:
    """What is to be painted.

    Attributes
    ----------
    pixels
        (h, w, 3) float64 in [0, 1].
    weight
        (h, w) in [0, 1], how much of each pixel anybody sees.
    size
        Width and height of the picture that it was made of.
    """

    pixels: np.ndarray
    weight: np.ndarray
    size: tuple[int, int]

    @property
    def mean(self) -> np.ndarray:
        """(3,) mean colour of what is seen, in steps of 1/255."""
        mean = (self.pixels * self.weight[..., None]).sum(axis=(0, 1)) / self.weight.sum()
        return np.round(mean * 255.0) / 255.0


def target_of(photo: Any, longer: int) -> Target:
    """Reduce a picture to `longer` pixels along its longer side; what nobody sees takes no part.

    Parameters
    ----------
    photo
        Of any kind that `picture_kinds.unpack` takes.
    longer
        Pixels; a picture is enlarged where it is smaller.

    Raises
    ------
    InputError, FileError
        It is no picture, or all of it is transparent.
    """
    pixels, _, hidden, _ = unpack(photo)
    height, width = pixels.shape[:2]
    seen = np.ones((height, width), np.float32)
    if isinstance(photo, Picture) and photo.alpha is not None:
        seen = photo.alpha.astype(np.float32) / peak(photo.alpha)
    if hidden is not None:
        seen[hidden] = 0.0
    if not seen.any():
        name = photo.name if isinstance(photo, Picture) else "the picture"
        raise InputError(f"{name}: every pixel is transparent; give one that shows something")
    scale = longer / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colours = pixels.astype(np.float32) / peak(pixels) * seen[..., None]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    weight = cv2.resize(seen, size, interpolation=how).astype(np.float64)
    small = cv2.resize(colours, size, interpolation=how).astype(np.float64)
    small = np.divide(small, weight[..., None], out=np.ones_like(small), where=weight[..., None] > 1e-6)
    return Target(np.clip(small, 0.0, 1.0), np.clip(weight, 0.0, 1.0), (width, height))
