"""What generator and discriminator believe of windows: the same code in training and in use.

Of a window that is looked at, from its own pixels alone; of all windows at once, from a thumbnail of the scene. The
latter sees less detail and more context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.generative.density.perception import perceive
from clairvoy.generative.density.vae import working_size
from clairvoy.searching.glimpse import WINDOW

if TYPE_CHECKING:
    from clairvoy.restoring.parts import Parts

LOOK = 64
"""Side of a window as the generator looks at it, in pixels; smaller ones are enlarged."""
_BATCH = 64
_SEED = 0


def pool_beliefs(
    haze: Tensor, spread: Tensor, clear: Tensor, tau: Tensor, rows: int = 8, cols: int = 8
) -> Tensor:
    """Mean of each belief map (B, 1, h, w) over each window: (B, 4, rows, cols) in [0, 1]."""
    maps = [F.adaptive_avg_pool2d(part, (rows, cols)) for part in (haze, spread * 4, clear, tau)]
    return torch.cat(maps, dim=1).clamp(0, 1)


@torch.no_grad()
def beliefs_of_windows(parts: Parts, windows: Tensor) -> Tensor:
    """Look at windows one by one: (n, 3, h, w) in [0, 1] or uint8 to (n, 4), see `glimpse.BELIEF_CHANNELS`."""
    found = []
    noise = torch.Generator().manual_seed(_SEED)
    for part in windows.split(_BATCH):
        pixels = part.float() / 255 if part.dtype == torch.uint8 else part
        if pixels.shape[-2:] != (LOOK, LOOK):
            pixels = F.interpolate(pixels, size=(LOOK, LOOK), mode="bilinear", antialias=True)
        found.append(_perceived(parts, pixels.clamp(0, 1), noise, 1, 1).flatten(1))
    return torch.cat(found)


@torch.no_grad()
def beliefs_of_thumbnail(parts: Parts, thumbnail: Tensor, rows: int, cols: int) -> Tensor:
    """Look at a whole scene once: (B, 3, h, w) in [0, 1] to (B, 4, rows, cols)."""
    size = working_size(*thumbnail.shape[-2:])
    if thumbnail.shape[-2:] != size:
        thumbnail = F.interpolate(thumbnail, size=size, mode="bilinear", antialias=True).clamp(0, 1)
    return _perceived(parts, thumbnail, torch.Generator().manual_seed(_SEED), rows, cols)


def small_windows(picture: Tensor, rows: int, cols: int) -> Tensor:
    """Cut a picture (3, rows * 32, cols * 32) uint8 into windows (rows, cols, 3, 32, 32)."""
    cut = picture.view(3, rows, WINDOW, cols, WINDOW)
    return cut.permute(1, 3, 0, 2, 4).contiguous()


def _perceived(parts: Parts, pixels: Tensor, noise: torch.Generator, rows: int, cols: int) -> Tensor:
    device = parts.calibration.slope.device
    seen = perceive(parts.generator, parts.discriminator, pixels.to(device), noise, samples=2)
    tau, _ = parts.calibration.of_cells(seen.signs)
    return pool_beliefs(seen.haze, seen.spread, seen.clear, tau, rows, cols).cpu()
