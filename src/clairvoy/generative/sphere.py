"""Convolutions on a picture of the whole sphere, in the equirectangular projection.

Columns are longitudes, so the last one is the first one's neighbour. Rows are latitudes from pole to pole: who goes on
beyond a pole comes down on the other side, half a turn away.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pad_sphere(picture: Tensor, border: int) -> Tensor:
    """What lies around a picture of the sphere, on every side.

    Parameters
    ----------
    picture
        (B, C, H, W), W even, `border` at most H and W.
    border
        Pixels added on each side.

    Returns
    -------
    Tensor
        (B, C, H + 2 border, W + 2 border): around the sphere at the left and right, across the poles above and below.
    """
    if not border:
        return picture
    beyond = picture.roll(picture.shape[3] // 2, dims=3).flip(2)
    tall = torch.cat([beyond[:, :, -border:], picture, beyond[:, :, :border]], dim=2)
    return F.pad(tall, (border, border, 0, 0), mode="circular")


class SphereConv2d(nn.Conv2d):
    """A convolution of an odd side whose borders are the sphere's: turning the picture turns what comes out.

    Parameters
    ----------
    channels, features
        In and out.
    side
        Of the kernel, odd.
    stride
        Of both axes; the picture must divide by it.
    """

    def __init__(self, channels: int, features: int, side: int = 3, stride: int = 1) -> None:
        super().__init__(channels, features, side, stride=stride)
        self.border = side // 2

    def forward(self, picture: Tensor) -> Tensor:
        """(B, features, H / stride, W / stride)."""
        return super().forward(pad_sphere(picture, self.border))
