"""What generator and discriminator believe of drawn views: window by window, and by a thumbnail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.picture_size import working_size
from clairvoy.searching.beliefs import PERCEIVED_SIDE, pool_beliefs


def beliefs_of_windows(perceiver: Perceiver, windows: Tensor) -> Tensor:
    """Perceive windows one by one: (n, 3, h, w) in [0, 1] or uint8 to (n, 4), see `glimpse.BELIEF_CHANNELS`."""
    pixels = windows.float() / 255 if windows.dtype == torch.uint8 else windows
    if pixels.shape[-2:] != (PERCEIVED_SIDE, PERCEIVED_SIDE):
        pixels = F.interpolate(
            pixels, size=(PERCEIVED_SIDE, PERCEIVED_SIDE), mode="bilinear", antialias=True
        ).clamp(0, 1)
    return _pooled(perceiver, pixels, 1, 1).flatten(1)


def beliefs_of_thumbnail(perceiver: Perceiver, thumbnail: Tensor, rows: int, cols: int) -> Tensor:
    """Perceive a whole scene at once: (B, 3, h, w) in [0, 1] to (B, 4, rows, cols)."""
    size = working_size(*thumbnail.shape[-2:])
    if thumbnail.shape[-2:] != size:
        thumbnail = F.interpolate(thumbnail, size=size, mode="bilinear", antialias=True).clamp(0, 1)
    return _pooled(perceiver, thumbnail, rows, cols)


def _pooled(perceiver: Perceiver, pictures: Tensor, rows: int, cols: int) -> Tensor:
    pooled: Tensor = pool_beliefs(*perceiver.beliefs(perceiver.perceive(pictures)), rows, cols)
    return pooled.cpu()
