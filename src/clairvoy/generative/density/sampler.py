"""The sampler: generator and discriminator together. Several draws from noise; what the discriminator believes is kept.

Of restorations of one picture the most believed is kept. Simulated scenes pass `adversary.accept` instead.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.vae import DensityVAE, Draw, Posterior


class Choice(NamedTuple):
    """The draw that was kept."""

    draw: Draw
    """Of one picture."""
    belief: Tensor
    """The discriminator's mean belief in each of the n draws, (n,) in [0, 1]; the first is the posterior's mean."""
    kept: int
    """Which was kept."""


@torch.no_grad()
def best_restoration(
    generator: DensityVAE,
    discriminator: Discriminator,
    picture: Tensor,
    posterior: Posterior,
    samples: int,
    noise: torch.Generator,
) -> Choice:
    """Restore a picture (1, 3, H, W) from the posterior's mean and `samples - 1` draws; keep the most believed."""
    draws = [posterior.most_likely] + [posterior.sample(noise) for _ in range(samples - 1)]
    beliefs = []
    for draw in draws:
        restored, _ = generator.restore(picture, draw)
        beliefs.append(discriminator.belief(generator, restored.clamp(0, 1), CLEAR).mean())
    belief = torch.stack(beliefs)
    index = int(belief.argmax())
    return Choice(draws[index], belief, index)
