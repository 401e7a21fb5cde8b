"""Confidence tau of a completed sphere, for each pixel and each direction, said before anybody looks there.

Tau of a pixel is the chance that the completion is right there: within `WITHIN` of the range, as root of the mean square
over its colours. Tau of a direction is the share of what one would see there that is right, by solid angle.
Signs are how much draws of the completion differ, how far the nearest glimpse is, the latitude, and what the discriminator
says of the whole; a logistic regression, fitted on panoramas that the generator has not learnt from, makes a share of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from clairvoy.generative.logistic import LogisticFit
from clairvoy.imaging.synthesis.panoramas import sphere_rays
from clairvoy.scenarios.panorama.completion import complete, uncertainty
from clairvoy.scenarios.panorama.directions import DIRECTIONS, looks_at, seen_from
from clairvoy.scenarios.panorama.looking import Looking

WITHIN = 0.1
"""Part of the range that a completed pixel may be off and still count as right."""
DRAWS = 8
SIGNS = ("deviation", "angle", "angle to the second", "latitude", "height", "discriminator")


class Told(NamedTuple):
    """A completion, and how far to trust it."""

    completed: Tensor
    """(B, 3, H, 2 H) uint8."""
    pixels: Tensor
    """Tau of each pixel, (B, H, 2 H) in [0, 1]; 1 where it was seen."""
    directions: Tensor
    """Tau of each direction, (B, DIRECTIONS)."""


class SphereTau:
    """The fit.

    Parameters
    ----------
    looking
        The rules; they say what a glimpse shows.
    draws
        Of the completion, whose spread is a sign.
    seed
        Of the draws.
    """

    def __init__(self, looking: Looking, draws: int = DRAWS, seed: int = 0) -> None:
        self.looking, self.draws, self.seed = looking, draws, seed
        self.right = LogisticFit(len(SIGNS))
        self._angles = _angles(looking.height)
        part = looking.views * looking.weights
        self._within = (part / part.sum(dim=(1, 2), keepdim=True)).flatten(1)

    @torch.no_grad()
    def __call__(self, snapshot: Any, panoramas: Tensor, taken: Tensor) -> Told:
        """Complete panoramas (B, 3, H, 2 H) uint8 from the glimpses ``taken`` (B, DIRECTIONS) bool."""
        seen = seen_from(self.looking.views, taken)
        completed = complete(snapshot, panoramas, seen)
        signs = self.signs(snapshot, panoramas, taken, completed)
        pixels = torch.where(seen, 1.0, self.right(signs.flatten(0, 2)).view(seen.shape))
        return Told(completed, pixels, pixels.flatten(1) @ self._within.T)

    @torch.no_grad()
    def fit(self, snapshot: Any, panoramas: Tensor, taken: Tensor, most: int = 200_000) -> None:
        """Fit on panoramas that the generator has not learnt from, of which the glimpses ``taken`` are known.

        At most so many pixels are used, drawn by solid angle; pixels that were seen are none of them.
        """
        seen = seen_from(self.looking.views, taken)
        completed = complete(snapshot, panoramas, seen)
        signs = self.signs(snapshot, panoramas, taken, completed)
        weight = (self.looking.weights * ~seen).flatten()
        draws = torch.Generator().manual_seed(self.seed)
        chosen = torch.multinomial(weight, min(most, int((weight > 0).sum())), generator=draws)
        self.right.fit(signs.flatten(0, 2)[chosen], right(completed, panoramas).float().flatten()[chosen])

    def share_right(self, completed: Tensor, panoramas: Tensor, taken: Tensor) -> Tensor:
        """Share of each direction that is right, by solid angle, (B, DIRECTIONS): what tau foretells."""
        seen = seen_from(self.looking.views, taken)
        return (right(completed, panoramas) | seen).float().flatten(1) @ self._within.T

    @torch.no_grad()
    def signs(self, snapshot: Any, panoramas: Tensor, taken: Tensor, completed: Tensor) -> Tensor:
        """What tau is computed from, (B, H, 2 H, len(SIGNS))."""
        seen = seen_from(self.looking.views, taken)
        deviation = uncertainty(snapshot, panoramas, seen, self.draws, self.seed).sqrt()
        away = torch.where(taken[:, :, None, None], self._angles, torch.pi)
        nearest = away.topk(2, dim=1, largest=False).values
        latitude = torch.linspace(1, -1, self.looking.height)[:, None].expand_as(deviation)
        judged = snapshot.judge(completed).clamp(-8, 8)[:, None, None].expand_as(deviation)
        planes = [
            torch.log(deviation + 0.005),
            nearest[:, 0],
            nearest[:, 1],
            latitude,
            latitude.square(),
            judged,
        ]
        return torch.stack(planes, dim=3)


def right(completed: Tensor, panoramas: Tensor) -> Tensor:
    """Which pixels of completions (B, 3, H, W) uint8 are within `WITHIN` of the range of the truth, (B, H, W) bool."""
    square = (completed.float() - panoramas.float()).div(255).square().mean(dim=1)
    return square.sqrt() <= WITHIN


def _angles(height: int) -> Tensor:
    """Angle between each direction and each pixel, (DIRECTIONS, height, 2 height), in radians."""
    rays = torch.from_numpy(sphere_rays(height)).float()
    found = []
    for direction in range(DIRECTIONS):
        longitude, latitude = (torch.tensor(angle) for angle in looks_at(direction))
        ahead = [latitude.cos() * longitude.sin(), -latitude.sin(), latitude.cos() * longitude.cos()]
        found.append((rays @ torch.stack(ahead).float()).clamp(-1, 1).acos())
    return torch.stack(found)
