"""The sampler: generator and discriminator together. Several draws from noise; what the discriminator believes is kept.

`best_restoration` draws restorations of one picture and keeps the most believed. `accept` is discriminator rejection
sampling (Azadi et al., ICLR 2019) for simulated scenes: with the density ratio r = D / (1 - D) that an optimal
discriminator tells, a sample is kept with probability r / r_max.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
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


def accept(logits: Tensor, noise: torch.Generator, shift: float | None = None) -> Tensor:
    """Which of n samples to keep, (n,) bool, by discriminator rejection sampling.

    Parameters
    ----------
    logits
        The discriminator's logit of each sample, (n,): the log density ratio.
    noise
        Source of the acceptance draws.
    shift
        Log of r_max; by default the 80 % quantile of the batch, so that one outlier does not empty the rest
        (Azadi et al., section 3.2, shift it likewise by a percentile), but at least 0.
    """
    # The largest ratio of two densities is at least 1: a batch in which all is disbelieved is not to be admitted.
    top = logits.float().quantile(0.8).clamp(min=0) if shift is None else torch.as_tensor(shift)
    probability = torch.exp(F.logsigmoid(logits.float()) - F.logsigmoid(-logits.float()) - top).clamp(max=1)
    return torch.rand(logits.shape, generator=noise).to(logits.device) < probability
