"""The networks of a `CompletingVAE`: posterior and prior of z, and the decoder, of vectors and of pictures.

Each has ``look``, ``features``, ``posterior``, ``prior`` (to mean and log variance of z, (B, 2 latent)), ``outputs`` and
``last``. `look` reads encoded rows (B, width) and which of their numbers are known, (B, width) of 0 and 1; the others take
what it gives, so that what is known is read once however often it is asked about.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.sphere import SphereConv2d

Looked: TypeAlias = tuple[Tensor, list[Tensor]]
"""What is known of pictures: features (B, width), and those of each place, (B, channels, H, W), the finest first."""


class VectorNetworks(nn.Module):
    """Perceptrons.

    Parameters
    ----------
    numbers
        Length of an encoded row.
    width
        Of the hidden layers.
    latent
        Numbers in z.
    """

    def __init__(self, numbers: int, width: int, latent: int) -> None:
        super().__init__()
        self.trunk = _perceptron(2 * numbers, width)
        self.context = _perceptron(2 * numbers, width)
        self.to_posterior = nn.Linear(2 * width, 2 * latent)
        self.to_prior = nn.Linear(width, 2 * latent)
        self.decoder = nn.Sequential(
            nn.Linear(width + latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.last = nn.Linear(width, numbers)

    def features(self, encoded: Tensor, known: Tensor) -> Tensor:
        """(B, width)."""
        features: Tensor = self.trunk(torch.cat([encoded, known], dim=1))
        return features

    def look(self, encoded: Tensor, known: Tensor) -> Tensor:
        """What is known, as features (B, width); ``encoded`` is 0 elsewhere."""
        features: Tensor = self.context(torch.cat([encoded, known], dim=1))
        return features

    def posterior(self, encoded: Tensor, looked: Tensor) -> Tensor:
        """Of z, from the whole row, and from what of it is known."""
        both = [self.features(encoded, torch.ones_like(encoded)), looked]
        numbers: Tensor = self.to_posterior(torch.cat(both, dim=1))
        return numbers

    def prior(self, looked: Tensor) -> Tensor:
        """Of z, from what is known."""
        numbers: Tensor = self.to_prior(looked)
        return numbers

    def outputs(self, looked: Tensor, z: Tensor) -> Tensor:
        """What is put out of rows, (B, numbers)."""
        outputs: Tensor = self.last(self.decoder(torch.cat([looked, z], dim=1)))
        return outputs


class PictureNetworks(nn.Module):
    """Convolutions down to a quarter of the picture and up again, what is known passed across (U-Net, Ronneberger 2015).

    No normalisation: it would take away how light a picture is. Besides pixels
    they are told how far up each row is, and what is known on the mean over the whole picture.

    Parameters
    ----------
    shape
        Of a picture, (C, H, W), H and W multiples of 4.
    width
        Four times the channels of the finest layer.
    latent
        Numbers in z.
    sphere
        Whether borders are the sphere's.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int, sphere: bool) -> None:
        super().__init__()
        self.shape = shape
        channels, fine = shape[0], width // 4
        sizes = [fine, 2 * fine, width]

        def convolution(into: int, out: int, stride: int = 1) -> nn.Module:
            return (
                SphereConv2d(into, out, 3, stride) if sphere else nn.Conv2d(into, out, 3, stride, padding=1)
            )

        def down(first: int) -> nn.ModuleList:
            steps = [(first, sizes[0], 1), (sizes[0], sizes[1], 2), (sizes[1], sizes[2], 2)]
            return nn.ModuleList(
                nn.Sequential(convolution(into, out, stride), nn.SiLU(), convolution(out, out), nn.SiLU())
                for into, out, stride in steps
            )

        self.trunk, self.context = down(2 * channels + 1), down(2 * channels + 1)
        self.to_posterior = nn.Linear(2 * width, 2 * latent)
        self.to_prior = nn.Linear(width, 2 * latent)
        self.of_latent = nn.Linear(latent, width)
        self.middle = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.SiLU(), convolution(width, width), nn.SiLU()
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                convolution(above + beside, beside), nn.SiLU(), convolution(beside, beside), nn.SiLU()
            )
            for above, beside in ((sizes[2], sizes[1]), (sizes[1], sizes[0]))
        )  # fmt: skip
        self.last = nn.Conv2d(fine, channels, 1)

    def features(self, encoded: Tensor, known: Tensor) -> Tensor:
        """(B, width), the mean over what is known of the picture."""
        return self._pooled(_down(self.trunk, self._joined(encoded, known))[-1], known)

    def look(self, encoded: Tensor, known: Tensor) -> Looked:
        """What is known, pooled (B, width), and by place, the finest first; ``encoded`` is 0 elsewhere."""
        made = _down(self.context, self._joined(encoded, known))
        return self._pooled(made[-1], known), made

    def posterior(self, encoded: Tensor, looked: Looked) -> Tensor:
        """Of z, from the whole picture, and from what of it is known."""
        both = [self.features(encoded, torch.ones_like(encoded)), looked[0]]
        numbers: Tensor = self.to_posterior(torch.cat(both, dim=1))
        return numbers

    def prior(self, looked: Looked) -> Tensor:
        """Of z, from what is known."""
        numbers: Tensor = self.to_prior(looked[0])
        return numbers

    def outputs(self, looked: Looked, z: Tensor) -> Tensor:
        """What is put out of pictures, (B, C * H * W)."""
        pooled, (*finer, coarse) = looked
        # What is seen goes everywhere: what is unseen may be far from all of it.
        everywhere = (self.of_latent(z) + pooled)[:, :, None, None].expand_as(coarse)
        now: Tensor = self.middle(torch.cat([coarse, everywhere], dim=1))
        for up, beside in zip(self.up, reversed(finer), strict=True):
            larger = F.interpolate(now, size=beside.shape[2:], mode="nearest")
            now = up(torch.cat([larger, beside], dim=1))
        outputs: Tensor = self.last(now).flatten(1)
        return outputs

    def _pooled(self, coarse: Tensor, known: Tensor) -> Tensor:
        """The mean (B, width) of features where something is known; 0 where nothing is."""
        share = F.adaptive_avg_pool2d(
            known.unflatten(1, self.shape)[:, :1], (coarse.shape[2], coarse.shape[3])
        )
        return (coarse * share).sum(dim=(2, 3)) / (share.sum(dim=(2, 3)) + 1e-3)

    def _joined(self, encoded: Tensor, known: Tensor) -> Tensor:
        picture = encoded.unflatten(1, self.shape)
        row = torch.linspace(1, -1, self.shape[1], device=encoded.device)[:, None].expand_as(picture[:, :1])
        return torch.cat([picture, known.unflatten(1, self.shape), row], dim=1)


def _perceptron(numbers: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(numbers, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())


def _down(steps: nn.ModuleList, picture: Tensor) -> list[Tensor]:
    made = []
    for step in steps:
        picture = step(picture)
        made.append(picture)
    return made
