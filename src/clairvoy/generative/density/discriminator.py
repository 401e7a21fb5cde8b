"""The discriminator: the generator's own last features, a small head and a sigmoid; patch by patch.

It has two questions to answer of each patch, because the generator runs both ways:

- channel CLEAR: is this a real clear picture, or one that the generator restored?
- channel HAZY: is this a picture with real (or physically rendered) haze, or haze that the generator simulated?

Only the head belongs to the discriminator and its optimizer. The features below it are the generator's and learn with
the generator alone; what the discriminator says still flows back *through* them into the picture that is judged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.density.vae import DensityVAE

CLEAR, HAZY = 0, 1


class Discriminator(nn.Module):
    """Head on the generator's last features.

    Parameters
    ----------
    width
        `VAESettings.width`; the generator's last features have two channels more.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Conv2d(width + 2, 64, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 1),
            nn.SiLU(),
            nn.Conv2d(64, 2, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, 2, H/16, W/16) from last features (B, width + 2, H/8, W/8)."""
        places, whole = features[:, :-2].float(), features[:, -2:].float()
        # Scaled to unit length in each place, so that the generator cannot win by shrinking its features.
        places = F.normalize(places, dim=1) * places.shape[1] ** 0.5
        return self.head(torch.cat([places, whole], dim=1))

    def judge(self, generator: DensityVAE, picture: Tensor, channel: int = CLEAR) -> Tensor:
        """Logits (B, 1, H/16, W/16) of `channel` for pictures (B, 3, H, W) in [0, 1]."""
        return self(generator.last_features(picture))[:, channel : channel + 1]

    def belief(self, generator: DensityVAE, picture: Tensor, channel: int = CLEAR) -> Tensor:
        """Probability in [0, 1], patch by patch, that the picture is real."""
        with torch.no_grad():
            return torch.sigmoid(self.judge(generator, picture, channel))
