"""A small generator and discriminator, and a batch of scenes with known haze."""

import pytest
import torch

from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.learner import HazyPairs
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.imaging.haze import add_haze

SMALL = VAESettings(width=8, latent=4, bins=4)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return DensityVAE(SMALL)


@pytest.fixture
def discriminator():
    torch.manual_seed(1)
    return Discriminator(SMALL.width)


@pytest.fixture
def pairs():
    """Eight blocky pictures of 64 x 64 under uniform haze of optical depth 0.2 to 1.6, airlight 0.9.

    The depth is one of its own, so that its term has something to tell.
    """
    rng = torch.Generator().manual_seed(2)
    clear = torch.rand(8, 3, 8, 8, generator=rng).repeat_interleave(8, 2).repeat_interleave(8, 3)
    od = torch.linspace(0.2, 1.6, 8).view(8, 1, 1, 1).expand(8, 1, 64, 64).clone()
    airlight = torch.full((8, 3, 1, 1), 0.9)
    hazy = add_haze(clear, torch.exp(-od), airlight)
    depth = torch.rand(8, 1, 8, 8, generator=rng) + 0.5
    return HazyPairs(hazy, clear, od, airlight, depth, torch.ones(8, dtype=torch.bool))
