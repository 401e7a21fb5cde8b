"""What generator and discriminator believe of windows: the same code in training and in use.

Of a window that is read, from its own pixels alone; of all windows at once, from a thumbnail of the scene. The
latter sees less detail and more context.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.generative.density.perception import Perceiver, Perception
from clairvoy.generative.density.vae import working_size

PERCEIVED_SIDE = 64
"""Side of a window as the generator perceives it, in pixels; smaller ones are enlarged."""


def pool_beliefs(perceiver: Perceiver, seen: Perception, rows: int = 8, cols: int = 8) -> Tensor:
    """Mean of each belief over each window: (B, 4, rows, cols) in [0, 1], see `glimpse.BELIEF_CHANNELS`."""
    maps = (seen.haze, seen.spread * 4, seen.clear, perceiver.tau(seen))
    pooled = [F.adaptive_avg_pool2d(part, (rows, cols)) for part in maps]
    return torch.cat(pooled, dim=1).clamp(0, 1)


def beliefs_of_windows(perceiver: Perceiver, windows: Tensor) -> Tensor:
    """Perceive windows one by one: (n, 3, h, w) in [0, 1] or uint8 to (n, 4), see `glimpse.BELIEF_CHANNELS`."""
    pixels = windows.float() / 255 if windows.dtype == torch.uint8 else windows
    if pixels.shape[-2:] != (PERCEIVED_SIDE, PERCEIVED_SIDE):
        pixels = F.interpolate(
            pixels, size=(PERCEIVED_SIDE, PERCEIVED_SIDE), mode="bilinear", antialias=True
        ).clamp(0, 1)
    return pool_beliefs(perceiver, perceiver.perceive(pixels), 1, 1).flatten(1).cpu()


def beliefs_of_thumbnail(perceiver: Perceiver, thumbnail: Tensor, rows: int, cols: int) -> Tensor:
    """Perceive a whole scene at once: (B, 3, h, w) in [0, 1] to (B, 4, rows, cols)."""
    size = working_size(*thumbnail.shape[-2:])
    if thumbnail.shape[-2:] != size:
        thumbnail = F.interpolate(thumbnail, size=size, mode="bilinear", antialias=True).clamp(0, 1)
    return pool_beliefs(perceiver, perceiver.perceive(thumbnail), rows, cols).cpu()
