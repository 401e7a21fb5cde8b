"""`RowVAE`: a small variational autoencoder for any `DataKind`, and the discriminator's head on its last features.

What a scenario gets that brings no generator of its own. Perceptrons; convolutions where rows are pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import at_least
from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.data_kinds import DataKind


@dataclass(frozen=True)
class RowVAESettings:
    """The size of a `RowVAE`."""

    latent: int = 8
    """Numbers in z."""
    width: int = 128
    """Width of the hidden layers, and of the last features."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "width")


class Latent(NamedTuple):
    """A diagonal Gaussian over z, (B, latent) each."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> Latent:
        """From what a layer puts out, (B, 2 latent); the logarithm is kept from overflowing."""
        mean, log_variance = numbers.chunk(2, dim=1)
        return cls(mean, log_variance.clamp(-10, 10))

    def draw(self, noise: torch.Generator) -> Tensor:
        """z, (B, latent); gradients pass (Kingma and Welling 2014)."""
        drawn = torch.randn(self.mean.shape, generator=noise).to(self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * drawn


class RowAutoencoder(nn.Module):
    """What autoencoders of rows of a `DataKind` share: rows as vectors, vectors as rows, the last layer.

    Parameters
    ----------
    kind
        What rows are; its likelihood is the reconstruction term.
    """

    def __init__(self, kind: DataKind) -> None:
        super().__init__()
        self.kind = kind

    @property
    def output_layer(self) -> nn.Module:
        """The decoder's last layer."""
        raise NotImplementedError

    @property
    def last_layer(self) -> Tensor:
        """Its weights, where the gradients of the losses are compared."""
        weight = self.output_layer.weight
        assert isinstance(weight, Tensor)
        return weight

    def encode(self, rows: Tensor) -> Tensor:
        """Rows (B, ...) as vectors (B, width)."""
        return self.kind.encode(rows)

    def decode(self, encoded: Tensor) -> Tensor:
        """Vectors (B, width) as rows (B, ...)."""
        return self.kind.decode(encoded)


class RowVAE(RowAutoencoder):
    """Encoder to z, decoder from z, a standard normal prior (Kingma and Welling 2014).

    Parameters
    ----------
    kind
        What rows are; its likelihood is the reconstruction term, its noise is learnt (Rybkin et al. 2021).
    settings
        See `RowVAESettings`.
    """

    def __init__(self, kind: DataKind, settings: RowVAESettings | None = None) -> None:
        super().__init__(kind)
        self.settings = settings or RowVAESettings()
        latent, width = self.settings.latent, self.settings.width
        if kind.picture:
            channels, height, across = kind.shape
            coarse = (32, height // 4, across // 4)
            cells = coarse[0] * coarse[1] * coarse[2]
            self.trunk = nn.Sequential(
                nn.Unflatten(1, kind.shape),
                nn.Conv2d(channels, 16, 4, stride=2, padding=1), nn.SiLU(),
                nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.SiLU(),
                nn.Flatten(), nn.Linear(cells, width), nn.SiLU(),
            )  # fmt: skip
            self.decoder = nn.Sequential(
                nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, cells), nn.SiLU(), nn.Unflatten(1, coarse),
                nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.SiLU(),
            )  # fmt: skip
            self.last: nn.Module = nn.ConvTranspose2d(16, channels, 4, stride=2, padding=1)
        else:
            self.trunk = nn.Sequential(
                nn.Linear(kind.width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
            )
            self.last = nn.Linear(width, kind.width)
        self.to_latent = nn.Linear(width, 2 * latent)

    @property
    def output_layer(self) -> nn.Module:
        """The decoder's last layer."""
        return self.last

    def last_features(self, encoded: Tensor) -> Tensor:
        """What the discriminator's head looks at, (B, features)."""
        features: Tensor = self.trunk(encoded)
        return features

    def loss(self, encoded: Tensor, noise: torch.Generator) -> Tensor:
        """Negative evidence lower bound (B,) in nats for each entry of a row."""
        posterior = Latent.of(self.to_latent(self.trunk(encoded)))
        outputs = self._outputs(posterior.draw(noise))
        prior = Latent(torch.zeros_like(posterior.mean), torch.zeros_like(posterior.mean))
        return (self.kind.nats(outputs, encoded) + kl_divergence(posterior, prior)) / self.kind.entries

    def imagine(self, count: int, noise: torch.Generator) -> Tensor:
        """Rows drawn from the prior, encoded (count, width); gradients pass."""
        z = torch.randn(count, self.settings.latent, generator=noise).to(self.last_layer.device)
        return self.kind.draw(self._outputs(z), noise)

    def _outputs(self, z: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.decoder(z)).flatten(1)
        return outputs


class RowDiscriminator(nn.Module):
    """Is a row real? A head on the generator's last features (B, features), giving logits (B,)."""

    def __init__(self, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B,): the log ratio of the densities of real and generated rows."""
        # Scaled to unit length, so that the generator cannot win by shrinking its features.
        logits: Tensor = self.head(F.normalize(features, dim=1) * features.shape[1] ** 0.5)
        return logits[:, 0]
