"""The sampler: generator and discriminator together. Several draws from noise; what the discriminator believes is kept.

Of restorations of one picture the most believed is kept. Simulated scenes pass `adversary.accept` instead.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.vae import DensityVAE


class Noise(NamedTuple):
    """How many deviations each of n draws lies away from the posterior's mean; standard normal, or 0 for the mean itself."""

    field: Tensor
    """(n, latent, H/16, W/16)."""
    density: Tensor
    """(n, 1, 1, 1)."""
    brightness: Tensor
    """(n, 1, 1, 1), of the airlight."""


class Candidates(NamedTuple):
    """Restorations of one picture that may be kept."""

    grid: Tensor
    """Bilateral grid of optical depth of each, (n, bins, h, w)."""
    airlight: Tensor
    """(n, 3, 1, 1)."""
    belief: Tensor
    """The discriminator's mean belief that each restoration is a clear picture, (n,) in [0, 1]."""


def candidates(
    generator: DensityVAE, discriminator: Discriminator, picture: Tensor, noise: Noise
) -> Candidates:
    """Restore a picture (1, 3, H, W) in n ways, and judge them; the one of highest belief is to be kept."""
    draw = generator.encode(picture).moved(*noise)
    grid = generator.decode(draw.z, draw.density)
    restored, _ = generator.restore_along(picture.expand(grid.shape[0], -1, -1, -1), grid, draw.airlight)
    judged = discriminator.judge(generator, restored.clamp(0, 1), CLEAR)
    return Candidates(grid, draw.airlight, torch.sigmoid(judged).mean(dim=(1, 2, 3)))
