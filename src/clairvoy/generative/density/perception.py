"""What generator and discriminator believe about pictures, and the signs of how far to trust them.

Three signs, each known at once: the *spread* of restorations over the posterior, what the *discriminator* says of the
restoration, and the *residual* haze that the generator still sees in it. Beside them stand how unsure the density is
and plain facts that scale an error or bound it: how much haze there was, and how bright the airlight and how bright
and rich in contrast the restoration are. `calibration` turns them into the confidence tau.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.picture_size import CELL, MOST, STRIDE
from clairvoy.generative.density.vae import DensityVAE, Posterior

BATCH = 16
"""Pictures that are perceived together."""
SEED = 0
"""Of the draws, where no source of noise is given: the same picture is seen the same way."""


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
    appearance: Tensor
    """What the layers see that no training changes, (B, `backbone.APPEARANCE`)."""

    def to(self, device: str | torch.device) -> Perception:
        """The same on another device."""
        return Perception(*(part.to(device) for part in self))


class Others(NamedTuple):
    """What was seen of the same pictures at other sizes, as they are and mirrored."""

    grid: Tensor
    """Mean grid, (B, bins, h, w): as fine as the finest, that of the pictures themselves included."""
    airlight: Tensor
    """Mean airlight, (B, 3, 1, 1)."""
    share: Tensor
    """What they count beside the pictures themselves, a number in [0, 1]."""


class Perceiver:
    """Generator, discriminator and calibration, trained together, as they perceive pictures.

    Parameters
    ----------
    generator, discriminator, calibration
        On one device.
    """

    def __init__(self, generator: DensityVAE, discriminator: Discriminator, calibration: Calibration) -> None:
        self.generator, self.discriminator, self.calibration = generator, discriminator, calibration

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.generator.parameters()).device

    @torch.no_grad()
    def perceive(
        self,
        pictures: Tensor,
        noise: torch.Generator | None = None,
        *,
        samples: int = 2,
        other_sizes: Sequence[Tensor] = (),
        posterior: Posterior | None = None,
    ) -> Perception:
        """Perceive haze, airlight, spread, and the signs of confidence.

        Parameters
        ----------
        pictures
            (B, 3, H, W) in [0, 1], multiples of 16, on any device.
        noise
            Source of the field's draws; always the same ones if not given.
        samples
            Draws that the field's part of the spread is taken over, at least 2.
        other_sizes
            The same pictures at other sizes, multiples of 16. With any, optical depth and airlight are means over all
            sizes, each seen as it is and mirrored: their errors are partly each one's own.
        posterior
            About field, density and airlight; that of `pictures` if not given.

        Returns
        -------
        Perception
            On this device.
        """
        found = []
        for begin in range(0, len(pictures), BATCH):
            at = slice(begin, begin + BATCH)
            about = None if posterior is None else Posterior(*(part[at] for part in posterior))
            picture = pictures[at].to(self.device)
            others = None
            if other_sizes:
                others = self._at_other_sizes(picture, [size[at].to(self.device) for size in other_sizes])
            drawn = self._noise(picture, max(2, samples), noise)
            found.append(self.perceive_with(picture, drawn, others, about))
        return (
            found[0]
            if len(found) == 1
            else Perception(*(torch.cat(part) for part in zip(*found, strict=True)))
        )

    def beliefs(self, seen: Perception) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The maps that a search goes by: haze, spread, clear and tau, see `searching.beliefs.pool_beliefs`."""
        return seen.haze, seen.spread, seen.clear, self.tau(seen)

    def tau(self, seen: Perception) -> Tensor:
        """Confidence in each cell of what was seen, (B, 1, H/16, W/16) in [0, 1]."""
        return self.calibration.of_cells(seen.signs)[0]

    def restore(self, pictures: Tensor, seen: Perception) -> Tensor:
        """Restore pictures (B, 3, H, W), hazy or not, as they were seen: in [0, 1], on this device."""
        with torch.no_grad():
            restored = [
                self.generator.restore_along(pictures[at].to(self.device), seen.grid[at], seen.airlight[at])[
                    0
                ]
                for at in torch.arange(len(pictures)).split(BATCH)
            ]
        return torch.cat(restored).clamp(0, 1)

    def perceive_with(
        self, picture: Tensor, noise: Tensor, others: Others | None = None, posterior: Posterior | None = None
    ) -> Perception:
        """Perceive a few pictures on this device: what `perceive` does, and what is exported for the runtime.

        Parameters
        ----------
        picture
            (B, 3, H, W).
        noise
            Standard normal, for the draws of the field: (draws, B or 1, latent, H/16, W/16), at least two.
        others
            What was seen at other sizes; None: nothing.
        posterior
            See `perceive`.
        """
        generator, discriminator = self.generator, self.discriminator
        posterior = posterior or generator.encode(picture)
        likely = posterior.most_likely
        features = generator.decoder.features(likely.z)
        spread_over = generator.decoder(features)
        grid, airlight = generator.grid(spread_over, likely.density), likely.airlight
        if others is not None:
            own = F.interpolate(grid, size=others.grid.shape[-2:], mode="bilinear", align_corners=False)
            grid = own + others.share * (others.grid - own)
            airlight = airlight + others.share * (others.airlight - airlight)
        doubt, spread_t = _spread(generator, picture, posterior, spread_over, noise)

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
        seen = torch.cat([sign.expand_as(haze) for sign in signs], dim=1)
        appearance = generator.trunk.backbone.appearance(picture)
        return Perception(
            posterior.density,
            posterior.density_deviation,
            airlight,
            grid,
            1 - t,
            spread_t,
            own,
            seen,
            appearance,
        )

    def _noise(self, picture: Tensor, draws: int, source: torch.Generator | None) -> Tensor:
        """Of the source or, without one, always the same; (draws, B or 1, latent, H/16, W/16)."""
        latent = self.generator.settings.latent
        rows, cols = (length // STRIDE for length in picture.shape[-2:])
        if source is None:
            return field_noise(draws, latent)[..., :rows, :cols].to(picture.device)
        shape = (draws, len(picture), latent, rows, cols)
        return torch.randn(shape, generator=source).to(picture.device)

    def _at_other_sizes(self, picture: Tensor, other_sizes: Sequence[Tensor]) -> Others:
        """Each size as it is and mirrored, the pictures' own mirrored only."""
        grids, airlights = [], []
        for number, size in enumerate((picture, *other_sizes)):
            for mirrored in (False, True)[number == 0 :]:
                posterior = self.generator.encode(size.flip(-1) if mirrored else size)
                decoded = self.generator.decode(posterior.mean, posterior.density)
                grids.append(decoded.flip(-1) if mirrored else decoded)
                airlights.append(posterior.airlight)
        # The first grid is that of the pictures' own size.
        finest = max((one.shape[-2:] for one in grids), key=lambda size: size[0] * size[1])
        fine = [F.interpolate(one, size=finest, mode="bilinear", align_corners=False) for one in grids]
        share = torch.tensor(len(grids) / (len(grids) + 1), device=picture.device)
        return Others(torch.stack(fine).mean(dim=0), torch.stack(airlights).mean(dim=0), share)


@lru_cache(maxsize=4)
def field_noise(draws: int, latent: int) -> Tensor:
    """The noise of a field as large as any picture's, (draws, 1, latent, h, w): a picture has its upper left part.

    Rounded to half precision, so that it may be kept so with the weights.
    """
    side = MOST // STRIDE
    source = torch.Generator().manual_seed(SEED)
    return torch.randn(draws, 1, latent, side, side, generator=source).half().float()


def _spread(
    generator: DensityVAE, picture: Tensor, posterior: Posterior, spread_over: Tensor, noise: Tensor
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
    still = torch.zeros_like(posterior.density)
    drawn = [
        seen(generator.decode(posterior.moved(z, still, still).z, likely.density), likely.airlight)
        for z in noise.unbind()
    ]
    by_field = [torch.stack(part).var(dim=0) for part in zip(*drawn, strict=True)]
    colour, transmission = (
        F.avg_pool2d((a + b + c).mean(dim=1, keepdim=True), CELL // 4)
        for a, b, c in zip(by_density, by_airlight, by_field, strict=True)
    )
    return colour, transmission.sqrt()
