"""`StrokeVAE`: a conditional VAE of strokes given what is wrong in a region, and what is believed of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.vae import Latent
from clairvoy.painting.regions import CHANNELS, NUMBERS, SIDE
from clairvoy.painting.shapes import FAMILIES
from clairvoy.scenarios.painting.kept_strokes import KeptStrokes

WIDTH, SEEN, LATENT = 128, 64, 8
KL_WEIGHT = 0.2
_LEAST_LOG_NOISE = -3.0


class Losses(NamedTuple):
    """Means over a batch."""

    negative_log_likelihood: Tensor
    kl: Tensor
    belief: Tensor
    gain: Tensor


class StrokeVAE(nn.Module):
    """Encoder to z, decoder from z, discriminator and expected gain; all see the region.

    Rows are the shapes of `regions.to_region`. The noise of each number is learnt for each family.
    """

    def __init__(self) -> None:
        super().__init__()
        families = len(FAMILIES)
        condition = SEEN + families
        self.see = _perceptron(SIDE * SIDE * CHANNELS, WIDTH, SEEN)
        self.encode = _perceptron(condition + NUMBERS, WIDTH, 2 * LATENT)
        self.decode = _perceptron(condition + LATENT, WIDTH, WIDTH, NUMBERS)
        self.believe = _perceptron(condition + NUMBERS, WIDTH, 1)
        self.expect = _perceptron(condition, WIDTH // 2, 1)
        self.log_noise = nn.Parameter(torch.zeros(families, NUMBERS))

    def features(self, views: Tensor, families: Tensor) -> Tensor:
        """(N, features) of views (N, SIDE, SIDE, CHANNELS) and families (N,) int64."""
        return torch.cat(
            [self.see(views.flatten(1)).relu(), F.one_hot(families, len(FAMILIES)).float()], dim=1
        )

    def losses(self, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Of kept strokes, see `KeptStrokes`; how many numbers count depends on the family."""
        seen = self.features(batch["views"], batch["families"])
        rows = batch["rows"]
        mean, log_variance = self.encode(torch.cat([seen, rows], dim=1)).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        z = mean + noise * (0.5 * log_variance).exp()
        q, p = Latent(mean, log_variance), Latent(torch.zeros_like(mean), torch.zeros_like(mean))
        log_noise = self.log_noise.clamp(min=_LEAST_LOG_NOISE)[batch["families"]]
        wrong = (rows - self.decode(torch.cat([seen, z], dim=1))) * (-log_noise).exp()
        counts = batch["counts"]
        likelihood = ((0.5 * wrong**2 + log_noise) * counts).sum(dim=1).mean()
        others = batch["others"]
        fixed = seen.detach()
        shown = torch.cat([rows[:, None], others], dim=1)
        judged = torch.cat([fixed[:, None].expand(-1, shown.shape[1], -1), shown], dim=2)
        # A shape that was tried counts as kept by the part of the kept one's gain that it has.
        kept = torch.cat([torch.ones(len(rows), 1), batch["shares"].clamp(0, 1)], dim=1)
        weight = torch.ones_like(kept)
        weight[:, 0] = others.shape[1]
        belief = F.binary_cross_entropy_with_logits(self.believe(judged)[..., 0], kept, weight)
        gain = F.huber_loss(self.expect(fixed)[:, 0], batch["log_gains"])
        return Losses(likelihood, kl_divergence(q, p).mean(), belief, gain)


def learn_strokes(
    strokes: KeptStrokes,
    updates: int,
    seed: int,
    report: Callable[[int, dict[str, float]], None] | None = None,
    batch_size: int = 256,
) -> StrokeVAE:
    """Train a `StrokeVAE` on strokes that were kept.

    Parameters
    ----------
    strokes
        See `KeptStrokes`.
    updates
        Steps of Adam, the rate falling to nothing.
    seed
        Of weights, batches and noise.
    report
        Called every hundred updates with the number and the losses.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StrokeVAE()
    data = tensors_of(strokes)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for update in range(updates):
        at = torch.randint(len(strokes.rows), (batch_size,), generator=generator)
        losses = model.losses({name: value[at] for name, value in data.items()}, generator)
        optimizer.zero_grad()
        total = losses.negative_log_likelihood + KL_WEIGHT * losses.kl + losses.belief + losses.gain
        total.backward()
        optimizer.step()
        schedule.step()
        if report is not None and update % 100 == 99:
            report(update + 1, {name: value.item() for name, value in losses._asdict().items()})
    return model.eval()


def tensors_of(strokes: KeptStrokes) -> dict[str, Tensor]:
    """Kept strokes as a batch of tensors."""
    counts = np.zeros((len(FAMILIES), NUMBERS))
    for number, family in enumerate(FAMILIES.values()):
        counts[number, : len(family.meanings) + family.columns("angle").sum()] = 1.0
    arrays = {
        "views": strokes.views, "rows": strokes.rows, "others": strokes.others, "shares": strokes.shares,
        "log_gains": np.log(np.maximum(strokes.gains, 1e-9)), "counts": counts[strokes.families],
    }  # fmt: skip
    tensors = {name: torch.as_tensor(value).float() for name, value in arrays.items()}
    return tensors | {"families": torch.as_tensor(strokes.families).long()}


def _perceptron(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for begin, end in pairwise(widths):
        layers += [nn.Linear(begin, end), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
