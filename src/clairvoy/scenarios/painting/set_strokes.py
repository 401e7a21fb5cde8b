"""Strokes with which the search paints the pictures of a set, and a conditional VAE that learns to propose such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.vae import Latent
from clairvoy.painting.imagination import BRUSH, NUMBERS, row_of, with_strokes
from clairvoy.painting.painting import Painting, Stroke
from clairvoy.painting.search import LEAST_GAIN, Search, SearchSettings
from clairvoy.painting.target import Target

SEARCH = SearchSettings(candidates=96, climbers=2, rounds=10, changes=24, opacity=1.0, sweeps=1)
LATENTS, SEEN, WIDTH = 8, 64, 128
TEMPERATURE = 0.5
"""Of the noise of a drawn stroke, in parts of what was learnt: what z does not explain is mostly error."""
_LEAST_DEVIATION = 0.02
_LEAST_LOG_NOISE = -4.0


@dataclass
class SetStrokes:
    """Paintings of a set's pictures.

    Attributes
    ----------
    rows
        (N, strokes, NUMBERS), see `imagination.row_of`.
    before
        (N, strokes, H, H, 3) uint8, the canvas before each stroke.
    finished
        (N, H, H, 3) in [0, 1].
    """

    rows: np.ndarray
    before: np.ndarray
    finished: np.ndarray


def paint_set(
    targets: Sequence[Target], strokes: int, ground: np.ndarray, rng: np.random.Generator
) -> SetStrokes:
    """Let the search paint square pictures; where nothing can be made better, a stroke of the ground's colour is put."""
    rows = []
    for target in targets:
        search = Search(target, Painting(target.size, ground), SEARCH, rng, (BRUSH,))
        for _ in range(strokes):
            found = search.find(search.residual())
            stroke = found.stroke
            if found.gain <= LEAST_GAIN:
                stroke = Stroke(BRUSH, stroke.shape, np.asarray(ground), 1.0)
            search.paint(stroke)
        for _ in search.sweep():
            pass
        rows.append([row_of(stroke) for stroke in search.painting.strokes])
    return replayed(np.array(rows), ground, targets[0].weight.shape[0])


def replayed(rows: np.ndarray, ground: np.ndarray, pixels: int) -> SetStrokes:
    """What the canvases were while strokes (N, strokes, NUMBERS) were painted."""
    count, strokes, _ = rows.shape
    canvas = np.broadcast_to(ground, (count, pixels, pixels, 3)).astype(np.float64)
    before = np.empty((count, strokes, pixels, pixels, 3), np.uint8)
    for number in range(strokes):
        before[:, number] = np.round(canvas * 255.0)
        canvas = with_strokes(canvas, rows[:, number : number + 1])[:, 0]
    return SetStrokes(rows, before, canvas)


class StrokeVAE(nn.Module):
    """A conditional VAE: from a canvas, how many strokes are there, and noise to the next stroke.

    Rows are learnt in units in which they are uncorrelated: else the noise of red, green and blue would be one of its own
    each, and grey pictures would be painted in colours.

    Parameters
    ----------
    features
        Of what is shown, see `Imagination.shown`.
    rows
        (N, NUMBERS), from which the units are taken.
    """

    mean: Tensor
    to_units: Tensor
    from_units: Tensor

    def __init__(self, features: int, rows: np.ndarray) -> None:
        super().__init__()
        flat = rows.reshape(-1, NUMBERS)
        variances, directions = np.linalg.eigh(np.cov(flat.T))
        deviations = np.maximum(np.sqrt(np.maximum(variances, 0.0)), _LEAST_DEVIATION)
        self.register_buffer("mean", torch.as_tensor(flat.mean(axis=0)).float())
        self.register_buffer("to_units", torch.as_tensor(directions / deviations).float())
        self.register_buffer("from_units", torch.as_tensor((directions * deviations).T.copy()).float())
        self.see = nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, SEEN))
        self.encoder = nn.Sequential(
            nn.Linear(SEEN + NUMBERS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2 * LATENTS)
        )
        self.decode = nn.Sequential(
            nn.Linear(SEEN + LATENTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
            nn.Linear(WIDTH, NUMBERS),
        )  # fmt: skip
        self.log_noise = nn.Parameter(torch.full((NUMBERS,), -1.0))

    def loss(self, shown: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Negative evidence lower bound, mean over a batch."""
        seen, wanted = self.see(shown).relu(), (rows - self.mean) @ self.to_units
        mean, log_variance = self.encoder(torch.cat([seen, wanted], dim=1)).chunk(2, dim=1)
        z = mean + torch.randn(mean.shape, generator=generator) * (0.5 * log_variance).exp()
        log_noise = self.log_noise.clamp(min=_LEAST_LOG_NOISE)
        wrong = (wanted - self.decode(torch.cat([seen, z], dim=1))) * (-log_noise).exp()
        prior = Latent(torch.zeros_like(mean), torch.zeros_like(mean))
        kl = kl_divergence(Latent(mean, log_variance), prior).mean()
        return (0.5 * wrong**2 + log_noise).sum(dim=1).mean() + kl

    @torch.no_grad()
    def exported(self) -> dict[str, Tensor]:
        """What `Imagination` needs of the generator, units multiplied in."""
        parts = {
            name: value.clone()
            for name, value in self.state_dict().items()
            if name.startswith(("see.", "decode."))
        }
        parts["decode.4.weight"] = self.from_units.T @ parts["decode.4.weight"]
        parts["decode.4.bias"] = parts["decode.4.bias"] @ self.from_units + self.mean
        noise = self.log_noise.clamp(min=_LEAST_LOG_NOISE).exp()
        return parts | {"noise": TEMPERATURE * noise[:, None] * self.from_units}


def learn_set_strokes(
    model: StrokeVAE,
    strokes: SetStrokes,
    ground: np.ndarray,
    updates: int,
    generator: torch.Generator,
    batch: int = 128,
) -> None:
    """Let the VAE learn to propose what was painted next."""
    count, each, pixels = strokes.before.shape[:3]
    rows = torch.as_tensor(strokes.rows).float().reshape(-1, NUMBERS)
    before = torch.as_tensor(strokes.before).reshape(-1, pixels * pixels * 3)
    part = (torch.arange(each) / each).repeat(count)[:, None]
    flat_ground = torch.as_tensor(np.tile(ground, pixels * pixels)).float()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(updates):
        at = torch.randint(len(rows), (batch,), generator=generator)
        shown = torch.cat([before[at].float() / 255.0 - flat_ground, part[at]], dim=1)
        loss = model.loss(shown, rows[at], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
