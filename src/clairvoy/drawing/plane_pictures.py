"""What an agent sees as one picture: planes of bits, such as MinAtar's objects, in colours; frames in grey."""

from __future__ import annotations

import colorsys

import numpy as np
import torch
from torch import Tensor

from clairvoy.drawing.palette import GROUND
from clairvoy.errors import InputError, SettingsError


def colours(count: int) -> np.ndarray:
    """Colours for so many planes, (count, 3) uint8: hues as far apart as can be, alternately light and dark."""
    made = [
        colorsys.hsv_to_rgb(index / max(1, count), 0.65 if index % 2 else 0.85, 0.95 if index % 2 else 0.8)
        for index in range(count)
    ]
    return (np.array(made).reshape(count, 3) * 255).round().astype(np.uint8)


def picture_of_planes(planes: np.ndarray, scale: int = 1) -> np.ndarray:
    """One picture of all planes; where several have something, the last of them is seen.

    Parameters
    ----------
    planes
        (C, H, W), bool, or how likely each bit is, floating point in [0, 1].
    scale
        Pixels across a cell, at least 1.

    Returns
    -------
    numpy.ndarray
        (H * scale, W * scale, 3) uint8; what is half as likely is half as bright.

    Raises
    ------
    InputError
        Not three dimensions, or values outside of [0, 1].
    SettingsError
        A cell is less than a pixel.
    """
    if scale < 1:
        raise SettingsError(f"scale is {scale}; a cell is at least 1 pixel wide")
    values = np.asarray(planes, dtype=np.float64)
    if values.ndim != 3 or (values.size and not (values.min() >= 0 and values.max() <= 1)):
        raise InputError(f"planes have shape {values.shape}; give (C, H, W) with values in [0, 1]")
    picture = np.empty((*values.shape[1:], 3))
    picture[:] = GROUND
    for plane, colour in zip(values, colours(len(values)), strict=True):
        picture += plane[:, :, None] * (colour - picture)
    return np.kron(picture.round().astype(np.uint8), np.ones((scale, scale, 1), dtype=np.uint8))


def picture_of(seen: Tensor) -> np.ndarray:
    """What an agent sees, (C, H, W), as a picture (H, W, 3) uint8.

    Planes of bits in colours; three channels of bytes as colours; of other bytes the last, the latest frame, in grey.
    """
    if seen.dtype == torch.bool:
        return picture_of_planes(seen.numpy())
    if len(seen) == 3:
        return seen.permute(1, 2, 0).contiguous().numpy()
    return np.repeat(seen[-1].numpy()[:, :, None], 3, axis=2)
