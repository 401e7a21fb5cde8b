"""Bilateral grid: a coarse grid over place and brightness, read at full resolution with a guide.

Chen, Paris and Durand, SIGGRAPH 2007; learnt grids as in Gharbi et al., "Deep Bilateral Learning", SIGGRAPH 2017.
Reading it is linear in each of the three axes, so that a smooth grid never draws an edge that the guide has not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def slice_grid(grid: Tensor, guide: Tensor) -> Tensor:
    """Read a bilateral grid at every pixel of a guide.

    Parameters
    ----------
    grid
        (B, bins, h, w): one value for each brightness bin and cell. Cell centres cover the picture evenly
        (`align_corners=False`), bin centres lie at 0, 1/(bins-1), ..., 1.
    guide
        (B, 1, H, W) in [0, 1].

    Returns
    -------
    Tensor
        (B, 1, H, W): trilinear interpolation.
    """
    height, width = guide.shape[-2:]
    return blend_bins(F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=False), guide)


def refine(grid: Tensor, times: int = 2) -> Tensor:
    """Twice as many cells each way, `times` times, by corner cutting: (B, bins, h, w) to (B, bins, 4 h, 4 w) for two.

    Each cell gives way to four, each of them 9/16 its own, 3/16 either neighbour's and 1/16 the corner's (Chaikin 1974).
    The limit is a quadratic B-spline, whose slope has no jumps: reading the coarse grid itself linearly shows its lines
    in an even sky.
    """
    for _ in range(times):
        grid = F.interpolate(grid, scale_factor=2.0, mode="bilinear", align_corners=False)
    return grid


def blend_bins(planes: Tensor, guide: Tensor) -> Tensor:
    """Interpolate linearly between the brightness bins, (B, bins, H, W) and guide (B, 1, H, W) to (B, 1, H, W)."""
    bins = planes.shape[1]
    centres = torch.arange(bins, device=planes.device, dtype=planes.dtype).view(1, bins, 1, 1)
    tent = (1 - (guide * (bins - 1) - centres).abs()).clamp_(min=0)
    return (planes * tent).sum(dim=1, keepdim=True)
