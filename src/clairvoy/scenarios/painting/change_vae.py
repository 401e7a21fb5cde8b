"""`ChangeVAE`: a conditional VAE of the changes that made strokes better, for one family of shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError
from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.vae import Latent
from clairvoy.scenarios.painting.kept_changes import KeptChanges

WIDTH, LATENTS = 32, 6
_ENCODER_WIDTH = 64
_BATCH = 256


class ChangeVAE(nn.Module):
    """Encoder to z, decoder from z and what is known of the climb; the noise of each number is learnt.

    Parameters
    ----------
    mean, deviation
        (conditions,), in units of which conditions are given to the networks.
    numbers
        Of a move.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, numbers: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        conditions = len(mean)
        self.encoder = nn.Sequential(
            nn.Linear(conditions + numbers, _ENCODER_WIDTH), nn.ReLU(),
            nn.Linear(_ENCODER_WIDTH, _ENCODER_WIDTH), nn.ReLU(),
            nn.Linear(_ENCODER_WIDTH, 2 * LATENTS),
        )  # fmt: skip
        self.hidden = nn.Linear(conditions + LATENTS, WIDTH)
        self.out = nn.Linear(WIDTH, numbers)
        self.log_noise = nn.Parameter(torch.full((numbers,), -1.0))

    def decode(self, conditions: Tensor, z: Tensor) -> Tensor:
        """Mean moves (N, numbers); conditions are in their own units."""
        known = (conditions - self.mean) / self.deviation
        decoded: Tensor = self.out(self.hidden(torch.cat([known, z], dim=1)).relu())
        return decoded

    def loss(self, conditions: Tensor, moves: Tensor, generator: torch.Generator) -> Tensor:
        """Negative evidence lower bound, mean over a batch."""
        known = (conditions - self.mean) / self.deviation
        mean, log_variance = self.encoder(torch.cat([known, moves], dim=1)).chunk(2, dim=1)
        z = mean + torch.randn(mean.shape, generator=generator) * (0.5 * log_variance).exp()
        wrong = (moves - self.decode(conditions, z)) * (-self.log_noise).exp()
        likelihood = (0.5 * wrong**2 + self.log_noise).sum(dim=1).mean()
        prior = Latent(torch.zeros_like(mean), torch.zeros_like(mean))
        return likelihood + kl_divergence(Latent(mean, log_variance), prior).mean()

    @torch.no_grad()
    def exported(self) -> dict[str, Tensor]:
        """The decoder as `painting.learnt.ChangeGenerator` takes it, units multiplied in."""
        count = len(self.mean)
        weight = self.hidden.weight[:, :count] / self.deviation
        return {
            "condition": weight.T.contiguous(),
            "latent": self.hidden.weight[:, count:].T.contiguous(),
            "bias": self.hidden.bias - weight @ self.mean,
            "out": self.out.weight.T.contiguous(),
            "out_bias": self.out.bias.clone(),
            "noise": self.log_noise.exp(),
        }


def learn_changes(kept: KeptChanges, updates: int, seed: int) -> ChangeVAE:
    """Train a `ChangeVAE` on changes that were kept, each drawn as often as it gained.

    Parameters
    ----------
    kept
        See `KeptChanges`.
    updates
        Steps of Adam, the rate falling to nothing.
    seed
        Of weights, batches and noise.

    Raises
    ------
    InputError
        Hardly any change was kept.
    """
    if len(kept.moves) < 32:
        raise InputError(f"only {len(kept.moves)} changes were kept; paint more photographs or strokes")
    conditions, moves = torch.as_tensor(kept.conditions).float(), torch.as_tensor(kept.moves).float()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ChangeVAE(conditions.mean(dim=0), conditions.std(dim=0).clamp(min=0.05), moves.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    shares = torch.as_tensor(kept.shares).float() + 1e-6
    for _ in range(updates):
        at = torch.multinomial(shares, _BATCH, replacement=True, generator=generator)
        loss = model.loss(conditions[at], moves[at], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()
