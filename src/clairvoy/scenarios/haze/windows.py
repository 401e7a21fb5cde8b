"""Pictures and haze as the windows of a search."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.scenarios.haze.scene_set import HAZY_FROM
from clairvoy.searching.explore import GRID, cut_windows
from clairvoy.searching.glimpse import WINDOW


def hazy_windows(optical_depth: Tensor) -> Tensor:
    """Which windows are hazy, (B, 8, 8) bool, from the true optical depth (B, 1, S, S)."""
    return F.adaptive_avg_pool2d(1 - torch.exp(-optical_depth), GRID)[:, 0] >= HAZY_FROM


def windows_of(pictures: Tensor) -> Tensor:
    """Cut pictures (B, 3, S, S) in [0, 1] into the windows that the agent sees, (B, 8, 8, 3, 32, 32) uint8."""
    side = GRID * WINDOW
    if pictures.shape[-1] != side:
        pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)
    return cut_windows((pictures * 255).round().to(torch.uint8))
