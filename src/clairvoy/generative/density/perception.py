"""Confidence tau: how near a restoration is to the truth, said before the truth is known.

Three signs, each known at once: the *spread* of restorations over the posterior, what the *discriminator* says of the
restoration, and the *residual* haze that the generator still sees in it. Beside them stand how unsure the density is
and plain facts that scale an error or bound it: how much haze there was, and how bright the airlight and how bright
and rich in contrast the restoration are. A linear map, fitted by ridge regression on held-out scenes, turns them into
a PSNR in dB; its residual deviation turns that into

    tau = P(PSNR >= 20 dB) = Phi((dB - 20) / sigma),

a probability, so that it can be checked for calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.vae import DensityVAE, Posterior

GOOD_DB = 20.0
"""A restoration at least this near to the truth, in dB PSNR, counts as good; tau is the probability of that."""
RESTORE_FROM = 0.75
"""Probability of haze from which a picture counts as hazy. To spoil a clear photograph is held to be three times as
bad as to leave a hazy one: the least expected cost is then reached by restoring from 3 / (3 + 1) on."""
CELL = 16
"""Side of the cells that tau is told for, in pixels of the working size."""
SIGNS = (
    "spread", "discriminator", "residual", "haze", "haze squared", "airlight", "brightness", "contrast", "doubt",
    "density",
)  # fmt: skip


class Perception(NamedTuple):
    """What the generator and the discriminator believe about pictures (B, 3, H, W), H and W multiples of 16."""

    density: Tensor
    """Log of the mean optical depth + `DENSITY_FLOOR`, (B, 1, 1, 1)."""
    density_deviation: Tensor
    """Its standard deviation, (B, 1, 1, 1)."""
    airlight: Tensor
    """(B, 3, 1, 1)."""
    grid: Tensor
    """Bilateral grid of optical depth, (B, bins, h, w)."""
    haze: Tensor
    """1 - transmission, (B, 1, H/2, W/2) in [0, 1]."""
    spread: Tensor
    """Standard deviation of the transmission over the posterior, (B, 1, H/16, W/16)."""
    clear: Tensor
    """The discriminator's belief that the picture itself is a clear one, (B, 1, H/16, W/16) in [0, 1]."""
    signs: Tensor
    """What tau is computed from, (B, len(SIGNS), H/16, W/16)."""


@torch.no_grad()
def perceive(
    generator: DensityVAE,
    discriminator: Discriminator,
    picture: Tensor,
    noise: torch.Generator,
    samples: int = 2,
    looks: Sequence[Tensor] = (),
    posterior: Posterior | None = None,
) -> Perception:
    """Look at pictures: haze, airlight, spread, and the signs of confidence.

    Parameters
    ----------
    generator, discriminator
        Trained together.
    picture
        (B, 3, H, W) in [0, 1], multiples of 16.
    noise
        Source of the field's draws.
    samples
        Draws that the field's part of the spread is taken over, at least 2.
    looks
        The same pictures at other sizes, multiples of 16. With any, optical depth and airlight are means over all
        sizes, each seen as it is and mirrored: their errors are partly each one's own.
    posterior
        About field, density and airlight; that of `picture` if not given.
    """
    posterior = posterior or generator.encode(picture)
    likely = posterior.most_likely
    features = generator.decoder.features(likely.z)
    spread_over = generator.decoder(features)
    grid, airlight = generator.grid(spread_over, likely.density), likely.airlight
    if looks:
        grid, airlight = _mean_over_looks(generator, picture, looks, grid, airlight)
    doubt, spread_t = _spread(generator, picture, posterior, spread_over, noise, max(2, samples))

    restored = generator.restore_along(picture, grid, airlight)[0].clamp(0, 1)
    again = generator.encode(restored)
    judged = discriminator(generator.features_of(again))[:, CLEAR : CLEAR + 1]
    left = generator.decode(again.mean, again.density).mean(dim=1, keepdim=True)
    own = torch.sigmoid(discriminator(generator.features_of(posterior))[:, CLEAR : CLEAR + 1])

    t = torch.exp(-slice_grid(grid, generator.guide(F.avg_pool2d(picture, 2)).float()))
    haze = F.avg_pool2d(1 - t, CELL // 2)
    grey = restored.mean(dim=1, keepdim=True)
    brightness = F.avg_pool2d(grey, CELL)
    variance = F.avg_pool2d(grey.square(), CELL) - brightness.square()
    signs = [
        torch.log(doubt + 1e-5),
        judged,
        torch.log(F.avg_pool2d(left, left.shape[-1] // haze.shape[-1]) + 1e-3),
        haze,
        haze.square(),
        airlight.mean(dim=1, keepdim=True),
        brightness,
        torch.log(variance.clamp(min=0).sqrt() + 1e-2),
        torch.log(posterior.density_deviation),
        posterior.density,
    ]
    told = torch.cat([sign.expand_as(haze) for sign in signs], dim=1)
    return Perception(
        posterior.density, posterior.density_deviation, airlight, grid, 1 - t, spread_t, own, told
    )


def _spread(
    generator: DensityVAE,
    picture: Tensor,
    posterior: Posterior,
    spread_over: Tensor,
    noise: torch.Generator,
    samples: int,
) -> tuple[Tensor, Tensor]:
    """Variance of the restored colours over the posterior, and deviation of the transmission, (B, 1, H/16, W/16) each.

    Density and airlight are single numbers, so a few draws of them would say little about their spread: each is moved
    by one deviation either way instead, and the squares of what that does are added (the delta method). The field is
    drawn.
    """
    likely = posterior.most_likely
    quarter = F.avg_pool2d(picture, 4)
    guide = generator.guide(quarter).float()

    def seen(grid: Tensor, airlight: Tensor) -> tuple[Tensor, Tensor]:
        t = torch.exp(-slice_grid(grid, guide))
        return ((quarter - airlight) / t + airlight).clamp(0, 1), t

    def half_way(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return tuple(((a - b) / 2).square() for a, b in zip(one, other, strict=True))  # type: ignore[return-value]

    grids = [
        generator.grid(spread_over, likely.density + side * posterior.density_deviation) for side in (1, -1)
    ]
    lights = [(likely.airlight + side * posterior.airlight_deviation).clamp(0, 1) for side in (1, -1)]
    grid = generator.grid(spread_over, likely.density)
    by_density = half_way(*(seen(one, likely.airlight) for one in grids))
    by_airlight = half_way(*(seen(grid, one) for one in lights))
    drawn = [
        seen(generator.decode(posterior.sample(noise).z, likely.density), likely.airlight)
        for _ in range(samples)
    ]
    by_field = [torch.stack(part).var(dim=0) for part in zip(*drawn, strict=True)]
    colour, transmission = (
        F.avg_pool2d((a + b + c).mean(dim=1, keepdim=True), CELL // 4)
        for a, b, c in zip(by_density, by_airlight, by_field, strict=True)
    )
    return colour, transmission.sqrt()


def _mean_over_looks(
    generator: DensityVAE, picture: Tensor, looks: Sequence[Tensor], grid: Tensor, airlight: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean grid, as fine as the finest, and mean airlight over `picture`, which gave the two last, and other sizes."""
    grids, airlights = [grid], [airlight]
    for number, look in enumerate((picture, *looks)):
        for mirrored in (False, True)[number == 0 :]:
            posterior = generator.encode(look.flip(-1) if mirrored else look)
            decoded = generator.decode(posterior.mean, posterior.density)
            grids.append(decoded.flip(-1) if mirrored else decoded)
            airlights.append(posterior.airlight)
    finest = max((one.shape[-2:] for one in grids), key=lambda size: size[0] * size[1])
    fine = [F.interpolate(one, size=finest, mode="bilinear", align_corners=False) for one in grids]
    return torch.stack(fine).mean(dim=0), torch.stack(airlights).mean(dim=0)


class Calibration(nn.Module):
    """From signs to dB and tau, for whole pictures and for cells; fitted in closed form, kept with the weights."""

    slope: Tensor
    offset: Tensor
    deviation: Tensor
    recognition: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Row 0 is for whole pictures, row 1 for cells. Unfitted, it claims 20 dB give or take 10: tau = 0.5.
        self.register_buffer("slope", torch.zeros(2, len(SIGNS)))
        self.register_buffer("offset", torch.full((2,), GOOD_DB))
        self.register_buffer("deviation", torch.full((2,), 10.0))
        # Logit of the probability of haze: per unit of the agent's value (on a log scale), of 1 - t, and at 0.
        self.register_buffer("recognition", torch.tensor([1.0, 4.0, -1.0]))

    def fit(self, signs: Tensor, squared_error: Tensor, ridge: float = 1e-2) -> None:
        """Fit on held-out scenes: signs (B, S, h, w) and the true squared error of each cell (B, 1, h, w)."""
        pictures = signs.mean(dim=(2, 3)), squared_error.mean(dim=(2, 3))[:, 0]
        cells = signs.movedim(1, -1).flatten(0, 2), squared_error.flatten()
        for row, (x, error) in enumerate((pictures, cells)):
            x = x.double()
            db = to_db(error.double())
            centre, scale = x.mean(dim=0), x.std(dim=0).clamp(min=1e-6)
            unit = (x - centre) / scale
            gram = unit.T @ unit / len(unit) + ridge * torch.eye(unit.shape[1], dtype=unit.dtype)
            weight = torch.linalg.solve(gram, unit.T @ (db - db.mean()) / len(unit)) / scale
            self.slope[row] = weight.float()
            self.offset[row] = (db.mean() - centre @ weight).float()
            self.deviation[row] = (
                (db - x @ weight - (db.mean() - centre @ weight)).std().clamp(min=0.5).float()
            )

    def of_picture(self, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Tau in [0, 1] and dB, (B,) each, from signs (B, S, h, w)."""
        db = signs.mean(dim=(2, 3)) @ self.slope[0] + self.offset[0]
        return self._tau(db, 0), db

    def of_cells(self, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Tau in [0, 1] and dB for each cell, (B, 1, h, w) each."""
        db = (signs.movedim(1, -1) @ self.slope[1] + self.offset[1])[:, None]
        return self._tau(db, 1), db

    def fit_recognition(self, value: Tensor, haze: Tensor, hazy: Tensor, steps: int = 400) -> None:
        """Logistic regression (Platt 1999) of `hazy` (n,) bool on what a search found.

        Parameters
        ----------
        value
            The agent's value of each scene, (n,). Its advantage of recognising over moving on would tell less: in a
            picture full of haze it is all one which hazy window is recognised first.
        haze
            The generator's mean 1 - t, (n,) in [0, 1].
        hazy
            The truth.
        steps
            At most, of Newton's method.
        """
        x = torch.stack([_log_scale(value), haze, torch.ones_like(value)], dim=1).double()
        weight = torch.zeros(3, dtype=torch.float64)
        target = hazy.double()
        for _ in range(steps):
            # Newton's method with a small ridge, so that separable scenes do not push the weights to infinity.
            p = torch.sigmoid(x @ weight)
            gradient = x.T @ (p - target) / len(x) + 1e-3 * weight
            curvature = (x.T * (p * (1 - p))) @ x / len(x) + 1e-3 * torch.eye(3, dtype=torch.float64)
            change = torch.linalg.solve(curvature, gradient)
            weight = weight - change
            if float(change.abs().max()) < 1e-9:
                break
        self.recognition.copy_(weight.float())

    def haze_probability(self, value: float, haze: float) -> float:
        """Probability in [0, 1] that a picture has haze, from the agent's value of it and the mean 1 - t."""
        per_value, per_haze, offset = self.recognition.tolist()
        logit = per_value * float(_log_scale(torch.tensor(value))) + per_haze * haze + offset
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))

    def _tau(self, db: Tensor, row: int) -> Tensor:
        return 0.5 * (1 + torch.erf((db - GOOD_DB) / (self.deviation[row] * math.sqrt(2))))


def _log_scale(value: Tensor) -> Tensor:
    """Sign(v) log(1 + |v|): a value of 20 windows is not ten times the evidence that 2 are."""
    return value.sign() * value.abs().log1p()


def to_db(squared_error: Tensor) -> Tensor:
    """PSNR in dB of a mean squared error of pictures in [0, 1], at most 60."""
    return -10 * torch.log10(squared_error.clamp(min=1e-6))
