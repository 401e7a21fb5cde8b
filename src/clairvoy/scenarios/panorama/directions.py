"""Directions that one can look in on a sphere, what each of them shows, and how much of the sphere a pixel is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clairvoy.imaging.synthesis.panoramas import sphere_rays

AROUND = 8
"""Directions of one elevation, 45 degrees apart."""
ELEVATIONS = (45.0, 0.0, -45.0)
"""In degrees, the highest first."""
DIRECTIONS = AROUND * len(ELEVATIONS)
"""Direction d looks at elevation d // 8 and azimuth d % 8."""


def solid_angles(height: int) -> Tensor:
    """Part of the sphere that each pixel of an equirectangular picture is, (height, 2 height); their sum is 1.

    A row from latitude a to b is (sin b - sin a) / 2 of the sphere.
    """
    edges = torch.linspace(torch.pi / 2, -torch.pi / 2, height + 1, dtype=torch.float64)
    rows = (edges[:-1].sin() - edges[1:].sin()) / 2
    return (rows[:, None] / (2 * height)).expand(-1, 2 * height).float().contiguous()


def views(height: int, field_of_view: float = 70.0) -> Tensor:
    """What a square view in each direction shows, (DIRECTIONS, height, 2 height) bool.

    Parameters
    ----------
    height
        Of the panorama, in pixels; a multiple of 8, so that a turn of 45 degrees is a whole number of columns.
    field_of_view
        Across and down, in degrees, in (0, 180).
    """
    rays = sphere_rays(height)
    half = np.tan(np.radians(field_of_view) / 2)
    ahead = []
    for elevation in ELEVATIONS:
        c, s = np.cos(np.radians(elevation)), np.sin(np.radians(elevation))
        forward, down = np.array([0.0, -s, c]), np.array([0.0, c, s])
        along = rays @ forward
        inside = (along > 0) & (np.abs(rays[..., 0]) <= half * along) & (np.abs(rays @ down) <= half * along)
        ahead.append(torch.from_numpy(inside))
    step = 2 * height // AROUND
    return torch.stack([seen.roll(turn * step, dims=1) for seen in ahead for turn in range(AROUND)])


def looks_at(direction: int) -> tuple[float, float]:
    """Longitude from the middle of the panorama, to the right, and latitude, in radians."""
    longitude = 2 * np.pi * (direction % AROUND) / AROUND
    latitude = np.radians(ELEVATIONS[direction // AROUND])
    return float((longitude + np.pi) % (2 * np.pi) - np.pi), float(latitude)


def seen_from(of_views: Tensor, taken: Tensor) -> Tensor:
    """What the glimpses ``taken`` (B, DIRECTIONS) bool show together, (B, height, 2 height) bool."""
    flat = taken.float() @ of_views.flatten(1).float().to(taken.device)
    return (flat > 0).unflatten(1, of_views.shape[1:])


def error(completed: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Root of the mean square error on the sphere, (B,), of pictures (B, 3, H, W) uint8, in units of their range."""
    square = (completed.float() - truth.float()).div(255).square().mean(dim=1)
    return (square * weights.to(square.device)).sum(dim=(1, 2)).sqrt()
