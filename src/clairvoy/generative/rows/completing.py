"""`CompletingVAE`: a variational autoencoder that makes up what is missing of a row, whatever that is.

It learns p(all of a row | any part of it): a panorama from some glimpses, a line of a table from its class, a row from
nothing.
(Ivanov, Figurnov and Vetrov, *Variational Autoencoder with Arbitrary Conditioning*, ICLR 2019.) The prior of z is learnt and
knows what is seen; the posterior, which knows the whole row, teaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, at_least, between
from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.completing_networks import PictureNetworks, VectorNetworks
from clairvoy.generative.rows.data_kinds import DataKind
from clairvoy.generative.rows.given import Given
from clairvoy.generative.rows.vae import Latent, RowAutoencoder

Masks: TypeAlias = Callable[[int, torch.Generator], Tensor]
"""Draws what is seen of so many rows: (count, ...) bool, of the shape of a row."""


@dataclass(frozen=True)
class CompletingSettings:
    """The size of a `CompletingVAE`, and what it practises."""

    latent: int = 8
    """Numbers in z."""
    width: int = 128
    """Width of the hidden layers; of pictures the channels of the first one are a quarter of it."""
    unseen: float = 0.2
    """Part of the rows of which nothing is seen, in [0, 1]: what `imagine` asks for."""
    sphere: bool = False
    """Whether pictures show the whole sphere, equirectangular; see `generative.sphere`."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        at_least(self, 8, "width")
        between(self, 0, 1, "unseen")


class CompletingVAE(RowAutoencoder):
    """A `RowGenerator` that can also complete rows, and make such as hold what is given.

    Parameters
    ----------
    kind
        What rows are; its likelihood is the reconstruction term.
    settings
        See `CompletingSettings`.
    masks
        Draws what is seen in training; by default `any_entries`, of pictures `any_blocks`.
    weight
        How much each entry of a row counts, of the shape of a row, at or above 0; by default all alike. Of a panorama
        the solid angle.
    """

    weight: Tensor

    def __init__(
        self,
        kind: DataKind,
        settings: CompletingSettings | None = None,
        masks: Masks | None = None,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(kind)
        settings = self.settings = settings or CompletingSettings()
        self.masks = masks or (any_blocks(kind.shape) if kind.picture else any_entries(kind.shape))
        weight = torch.ones(kind.shape) if weight is None else weight.expand(kind.shape).float()
        self.register_buffer("weight", weight / weight.mean())
        if kind.picture:
            self.networks: Any = PictureNetworks(kind.shape, settings.width, settings.latent, settings.sphere)
        else:
            self.networks = VectorNetworks(kind.width, settings.width, settings.latent)

    @property
    def output_layer(self) -> nn.Module:
        """The decoder's last layer."""
        last: nn.Module = self.networks.last
        return last

    def last_features(self, encoded: Tensor) -> Tensor:
        """What the discriminator's head looks at, (B, features): of whole rows."""
        features: Tensor = self.networks.features(encoded, torch.ones_like(encoded))
        return features

    def loss(self, encoded: Tensor, noise: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """Negative evidence lower bound (B,) in nats for each entry not seen.

        What is ``seen``, (B, ...) bool, is drawn anew each time where it is not said.
        """
        if seen is None:
            seen = self._masks(len(encoded), noise, encoded.device)
        known = self.kind.by_number(seen)
        looked = self.networks.look(encoded * known, known)
        posterior = Latent.of(self.networks.posterior(encoded, looked))
        prior = Latent.of(self.networks.prior(looked))
        outputs = self.networks.outputs(looked, posterior.draw(noise)).float()
        counted = self.kind.by_number(self.weight.expand_as(seen)) * (1 - known)
        missing = (self.weight * ~seen).flatten(1).sum(dim=1).clamp(min=1)
        return (self.kind.nats(outputs, encoded, counted) + kl_divergence(posterior, prior)) / missing

    def imagine(self, count: int, noise: torch.Generator, given: Given | None = None) -> Tensor:
        """Rows drawn from what is learnt, encoded (count, width); gradients pass.

        With ``given``, of as many rows, such as hold what is seen there: a class, say.
        """
        encoded, known = self._known(count, given)
        return known * encoded + (1 - known) * self.kind.draw(self._drawn(encoded, known, noise), noise)

    def complete(self, rows: Tensor, seen: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Rows of which only the entries ``seen`` are to be trusted, with all others made up.

        Parameters
        ----------
        rows
            (B, ...); entries that are not seen are not looked at.
        seen
            (B, ...) bool.
        noise
            None: the likeliest, at the prior's mean; else a draw.

        Returns
        -------
        Tensor
            (B, ...); what is seen is exactly what it was.

        Raises
        ------
        InputError
            ``seen`` has another shape than ``rows``, or is not of type bool.
        """
        if seen.shape != rows.shape or seen.dtype != torch.bool:
            raise InputError(
                f"seen is {tuple(seen.shape)} of {seen.dtype}; the rows are {tuple(rows.shape)}: give as many bools"
            )
        encoded, known = self._known(len(rows), Given(rows, seen))
        outputs = self._drawn(encoded, known, noise)
        made = self.kind.likeliest(outputs) if noise is None else self.kind.draw(outputs, noise)
        return torch.where(seen, rows, self.kind.decode(made))

    def _known(self, count: int, given: Given | None) -> tuple[Tensor, Tensor]:
        """What is known, encoded and 0 elsewhere, and which numbers of it are, (count, width) each."""
        device = self.last_layer.device
        if given is None:
            nothing = torch.zeros(count, self.kind.width, device=device)
            return nothing, nothing
        if len(given.rows) != count:
            raise InputError(f"{len(given.rows)} rows are given and {count} asked for; give one for each")
        known = self.kind.by_number(given.seen.to(device))
        held = torch.where(given.seen, given.rows, torch.zeros_like(given.rows)).to(device)
        return self.kind.encode(held) * known, known

    def _drawn(self, encoded: Tensor, known: Tensor, noise: torch.Generator | None) -> Tensor:
        looked = self.networks.look(encoded, known)
        prior = Latent.of(self.networks.prior(looked))
        z = prior.mean if noise is None else prior.draw(noise)
        outputs: Tensor = self.networks.outputs(
            looked, z
        ).float()  # torch.autocast may have computed in fewer bits
        return outputs

    def _masks(self, count: int, noise: torch.Generator, device: torch.device) -> Tensor:
        seen = self.masks(count, noise)
        nothing = torch.rand(count, generator=noise) < self.settings.unseen
        return (seen & ~nothing.view(-1, *[1] * (seen.ndim - 1))).to(device)


def any_entries(shape: tuple[int, ...]) -> Masks:
    """Sets of entries of all sizes: each is seen with a chance that is drawn for its row."""

    def draw(count: int, noise: torch.Generator) -> Tensor:
        ones = [1] * len(shape)
        chance = torch.rand(count, *ones, generator=noise)
        return torch.rand(count, *shape, generator=noise) < chance

    return draw


def any_blocks(shape: tuple[int, ...]) -> Masks:
    """Of pictures (C, H, W): blocks of a quarter of the height, seen or not, all channels together."""
    height, width = shape[1:]
    side = max(1, height // 4)

    def draw(count: int, noise: torch.Generator) -> Tensor:
        chance = torch.rand(count, 1, 1, 1, generator=noise)
        blocks = torch.rand(count, 1, -(-height // side), -(-width // side), generator=noise) < chance
        fine = blocks.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
        return fine[:, :, :height, :width].expand(-1, *shape)

    return draw
