"""`DensityVAE`: a conditional variational autoencoder of haze as a low-dimensional density field.

What a picture's haze is, is little: how dense the medium is on the whole, how that varies here and there, and the
colour of its light. So the latent is one *density*, a coarse *field* (about 1 % of the numbers of the picture that is
looked at) and one airlight; the picture itself is never squeezed through a bottleneck, and comes out as sharp as it
went in. Density and airlight are what one picture leaves uncertain, so each carries its own uncertainty.

    encode   picture            -> posterior over density, field z and airlight
    decode   a draw of them     -> bilateral grid of optical depth
    slice    grid, guide        -> optical depth at any resolution, along the edges of the picture
    restore  J = (I - A) exp(od) + A            simulate  I = J exp(-od) + A (1 - exp(-od))

It runs both ways: `restore` takes a draw from the posterior of a hazy picture; `simulate` draws z from the prior
p(z | clear picture, mean optical depth asked for), decodes with the same decoder and puts haze on the clear picture.

Sources: Kingma and Welling 2014 (VAE); Sohn, Lee and Yan 2015 (conditional VAE with a learnt prior); Gharbi et al.
2017 (bilateral grid); Zhang, Dauphin and Ma 2019 (residual blocks that start as the identity, no normalisation);
Chaikin 1974 (a coarse grid refined to a smooth one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.density.backbone import CHANNELS, CHANNELS_EIGHTH, Backbone
from clairvoy.generative.density.bilateral_grid import refine, slice_grid
from clairvoy.generative.density.picture_size import STRIDE

DENSITY_FLOOR = 0.02
"""Density is given as log(mean optical depth + this): below it no eye sees a difference."""
MAX_TINT = 0.15
"""No channel of the airlight departs from its mean by more."""
FAINT_TINT = 0.02
"""Tints of the airlight are taken to be smaller by this, and those below it to be none: most fog is grey, and what is
a tint so faint is more often the view's own colour."""


@dataclass(frozen=True)
class VAESettings:
    """The size of a `DensityVAE`."""

    width: int = 32
    """Channels at an eighth of the resolution; four times as many at a sixteenth."""
    latent: int = 8
    """Channels of the density field, one vector for each 16 x 16 pixels."""
    bins: int = 8
    """Brightness bins of the bilateral grid."""
    max_optical_depth: float = 3.5
    """Upper limit of what is restored; beyond it there is noise only."""


class Draw(NamedTuple):
    """What one restoration is made from."""

    z: Tensor
    """Field, (B, latent, H/16, W/16)."""
    density: Tensor
    """Log of the mean optical depth + `DENSITY_FLOOR`, (B, 1, 1, 1)."""
    airlight: Tensor
    """(B, 3, 1, 1) in [0, 1]."""


class Posterior(NamedTuple):
    """Independent Gaussians over a field z, the density and the brightness of the airlight."""

    mean: Tensor
    """Of z, (B, latent, H/16, W/16)."""
    log_variance: Tensor
    """Of z, of the same shape."""
    density: Tensor
    """Mean of the density, (B, 1, 1, 1): see `Draw`."""
    density_deviation: Tensor
    """Its standard deviation, (B, 1, 1, 1)."""
    airlight: Tensor
    """(B, 3, 1, 1) in [0, 1]."""
    airlight_deviation: Tensor
    """Standard deviation of its brightness, (B, 1, 1, 1)."""

    @property
    def most_likely(self) -> Draw:
        """The mean of each."""
        return Draw(self.mean, self.density, self.airlight)

    def sample(self, generator: torch.Generator | None = None) -> Draw:
        """Mean + deviation * noise of each, the reparametrised draw."""
        return self.moved(
            *(_noise(like, generator) for like in (self.mean, self.density, self.airlight_deviation))
        )

    def moved(self, z: Tensor, density: Tensor, brightness: Tensor) -> Draw:
        """The draw that is some of its deviations away from the mean: of the shapes of the three means, or many of them."""
        airlight = self.airlight + self.airlight_deviation * brightness
        return Draw(
            self.mean + torch.exp(0.5 * self.log_variance) * z,
            self.density + self.density_deviation * density,
            airlight.clamp(0, 1),
        )


class Field(NamedTuple):
    """A Gaussian over z alone, `mean` and `log_variance` (B, latent, H/16, W/16): the prior."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Mean + sigma * noise, the reparametrised draw; same shape as `mean`."""
        return self.mean + torch.exp(0.5 * self.log_variance) * _noise(self.mean, generator)


class Simulation(NamedTuple):
    """Haze put on a clear picture: what came out and what it was made of."""

    hazy: Tensor
    """(B, 3, H, W) in [0, 1]."""
    optical_depth: Tensor
    """(B, 1, H, W)."""
    airlight: Tensor
    """(B, 3, 1, 1)."""


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), the last convolution starting at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(_bias(self.second))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in, (B, channels, H, W)."""
        return x + self.second(F.silu(self.first(F.silu(x))))


class GlobalContext(nn.Module):
    """Scale and shift each channel by what the whole picture holds (mean and maximum over all places)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.SiLU(), nn.Linear(channels, 2 * channels)
        )
        nn.init.zeros_(self.mix[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.mix[2].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in, (B, channels, H, W)."""
        scale, shift = self.mix(pooled(x))[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


class Trunk(nn.Module):
    """Picture (B, 3, H, W) in [0, 1] to features (B, 4 width, H/16, W/16).

    Beside the backbone it sees the darkest and brightest values of small blocks and their darkest channel (He, Sun and
    Tang 2011): the statistics that haze moves most, which a network that learnt to name things is made to ignore. The
    blocks are small, and larger ones are means of them: a minimum over a large square would draw its outline.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.extremes = nn.Conv2d(7, width, 1)
        self.quarter = ResidualBlock(width)
        self.to_eighth = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.eighth = ResidualBlock(2 * width)
        self.to_sixteenth = nn.Conv2d(2 * width, 4 * width, 2, stride=2)
        self.seen_eighth = nn.Conv2d(CHANNELS_EIGHTH, 2 * width, 1)
        self.seen = nn.Conv2d(CHANNELS, 4 * width, 1)
        self.sixteenth = nn.Sequential(
            ResidualBlock(4 * width), GlobalContext(4 * width), ResidualBlock(4 * width),
            GlobalContext(4 * width), ResidualBlock(4 * width),
        )  # fmt: skip

    def forward(self, picture: Tensor) -> Tensor:
        """Features (B, 4 width, H/16, W/16)."""
        darkest = -F.max_pool2d(-picture, 4)
        brightest = F.max_pool2d(picture, 4)
        extremes = torch.cat([darkest, brightest, darkest.amin(dim=1, keepdim=True)], dim=1)
        eighth, sixteenth = self.backbone(picture)
        x = self.quarter(self.extremes(extremes - 0.5))
        x = self.eighth(self.to_eighth(x) + self.seen_eighth(eighth))
        return F.silu(self.sixteenth(self.to_sixteenth(x) + self.seen(sixteenth)))


class Decoder(nn.Module):
    """Field z (B, latent, h, w) to features (B, width, 2h, 2w), and those to what they mean."""

    def __init__(self, latent: int, width: int, bins: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            nn.Conv2d(latent, 3 * width, 1), ResidualBlock(3 * width), ResidualBlock(3 * width),
            nn.Conv2d(3 * width, width, 1),
        )  # fmt: skip
        self.fine = nn.Sequential(ResidualBlock(width), ResidualBlock(width), nn.SiLU())
        self.last = nn.Conv2d(width, bins, 3, padding=1)
        self.log_depth = nn.Conv2d(width, 1, 1)

    def features(self, z: Tensor) -> Tensor:
        """(B, width, 2h, 2w)."""
        # Interpolated, not shuffled into place: shuffled neighbours come from different weights, and a grid shows.
        wide = F.interpolate(self.coarse(z), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.fine(wide)

    def forward(self, features: Tensor) -> Tensor:
        """How haze is spread over bins and places, (B, bins, 2h, 2w) > 0, of mean 1, from `features`."""
        spread = F.softplus(self.last(features).float())
        return spread / spread.mean(dim=(1, 2, 3), keepdim=True)


class DensityVAE(nn.Module):
    """The image generator. All pictures are RGB in [0, 1], (B, 3, H, W), height and width multiples of 16."""

    def __init__(self, settings: VAESettings | None = None) -> None:
        super().__init__()
        self.settings = settings or VAESettings()
        width, latent, bins = self.settings.width, self.settings.latent, self.settings.bins
        self.trunk = Trunk(width)
        self.posterior_head = nn.Conv2d(4 * width, 2 * latent, 1)
        self.density_head = nn.Sequential(nn.Linear(8 * width, 2 * width), nn.SiLU(), nn.Linear(2 * width, 2))
        self.prior_head = nn.Sequential(
            nn.Conv2d(4 * width + 2, 2 * width, 1), nn.SiLU(), nn.Conv2d(2 * width, 2 * latent, 1)
        )
        self.airlight_head = nn.Sequential(nn.Conv2d(4 * width, width, 1), nn.SiLU(), nn.Conv2d(width, 4, 1))
        self.decoder = Decoder(latent, width, bins)
        self.guide_net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 1, 1))
        self._start_sensibly()

    def _start_sensibly(self) -> None:
        """Start with a guide that is the brightness, little noise in z, haze of middling density and even spread."""
        brightness, spread_out = _conv(self.guide_net[0]), _conv(self.guide_net[2])
        airlight, density = _conv(self.airlight_head[2]), self.density_head[2]
        assert isinstance(density, nn.Linear)
        with torch.no_grad():
            _bias(self.posterior_head)[self.settings.latent :] = -4.0
            density.weight.mul_(0.1)
            density.bias.copy_(torch.tensor([-1.0, 0.0]))
            self.decoder.last.weight.mul_(0.1)
            _bias(self.decoder.last).zero_()
            airlight.weight.mul_(0.1)
            _bias(airlight).zero_()
            brightness.weight[0] = 1 / 3
            _bias(brightness)[0] = 0
            spread_out.weight.mul_(0.1)
            spread_out.weight[0, 0] = 4.0
            _bias(spread_out).fill_(-2.0)

    # The pieces.

    def encode(self, picture: Tensor) -> Posterior:
        """Posterior over field, density and airlight of a picture."""
        return self.posterior(self.trunk(picture), picture)

    def posterior(self, features: Tensor, picture: Tensor) -> Posterior:
        """The same from features that `trunk` gave for `picture`."""
        mean, log_variance = self.posterior_head(features).float().chunk(2, dim=1)
        density, spread = self.density_head(pooled(features)).float()[:, :, None, None].chunk(2, dim=1)
        airlight, deviation = self._airlight(features, picture)
        return Posterior(
            mean, log_variance.clamp(-10, 4), density.clamp(math.log(DENSITY_FLOOR) - 1, 2.0),
            torch.exp(spread.clamp(-4, 1)), airlight, deviation,
        )  # fmt: skip

    def _airlight(self, features: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """A weighted mean of the colours seen (where: learnt attention), made brighter or darker and greyer as learnt."""
        answer = self.airlight_head(features).float()
        weight = answer[:, :1].flatten(2).softmax(dim=-1)
        colours = F.avg_pool2d(picture.float(), STRIDE).flatten(2)
        seen = (weight * colours).sum(dim=-1)
        answered = (weight * answer[:, 1:].flatten(2)).sum(dim=-1)
        grey = seen.mean(dim=1, keepdim=True)
        brightness = torch.sigmoid(torch.logit(grey.clamp(0.02, 0.98)) + answered[:, :1])
        tint = F.softshrink((seen - grey) * torch.sigmoid(answered[:, 1:2]), FAINT_TINT).clamp(
            -MAX_TINT, MAX_TINT
        )
        airlight = (brightness + tint).clamp(0, 1)
        return airlight[:, :, None, None], torch.exp(answered[:, 2:, None, None].clamp(-3, 3) - 3)

    def prior(self, features: Tensor, mean_optical_depth: Tensor) -> Field:
        """p(z | clear picture, mean optical depth); `features` of the clear picture, the depth (B,) >= 0."""
        asked = torch.stack([mean_optical_depth, torch.log(mean_optical_depth + 0.05)], dim=1)[
            :, :, None, None
        ]
        asked = asked.to(features.dtype).expand(-1, -1, *features.shape[-2:])
        mean, log_variance = self.prior_head(torch.cat([features, asked], dim=1)).float().chunk(2, dim=1)
        return Field(mean, log_variance.clamp(-10, 4))

    def decode(self, z: Tensor, density: Tensor) -> Tensor:
        """Field and density to a bilateral grid (B, bins, H/2, W/2) of optical depth in [0, max_optical_depth]."""
        return self.grid(self.decoder(self.decoder.features(z)), density)

    def grid(self, spread: Tensor, density: Tensor) -> Tensor:
        """The same from what the decoder says of how haze is spread, (B, bins, H/8, W/8)."""
        mean_od = (torch.exp(density) - DENSITY_FLOOR).clamp(min=0)
        return refine(spread * mean_od).clamp(max=self.settings.max_optical_depth)

    def guide(self, picture: Tensor) -> Tensor:
        """What the grid is read with, (B, 1, H, W) in [0, 1], from each pixel's own colour."""
        return torch.sigmoid(self.guide_net(picture))

    def optical_depth(self, draw: Draw, picture: Tensor) -> Tensor:
        """Decode a draw and read it along the edges of `picture`, at its resolution: (B, 1, H, W) >= 0."""
        return slice_grid(self.decode(draw.z, draw.density), self.guide(picture).float())

    def last_features(self, picture: Tensor) -> Tensor:
        """The generator's last features on a picture, what the discriminator judges by: (B, width + 2, H/8, W/8)."""
        return self.features_of(self.encode(picture))

    def features_of(self, posterior: Posterior) -> Tensor:
        """The same of a posterior: the decoder's features, the density and how sure it is."""
        features = self.decoder.features(posterior.mean)
        density = torch.cat([posterior.density, torch.log(posterior.density_deviation)], dim=1)
        return torch.cat([features, density.to(features.dtype).expand(-1, -1, *features.shape[-2:])], dim=1)

    # The two directions.

    def restore(self, hazy: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Clear picture (not clipped) and optical depth, for a draw from the posterior of `hazy`."""
        return self.restore_along(hazy, self.decode(draw.z, draw.density), draw.airlight)

    def restore_along(self, hazy: Tensor, grid: Tensor, airlight: Tensor) -> tuple[Tensor, Tensor]:
        """The same from a bilateral grid of optical depth."""
        od = slice_grid(grid, self.guide(hazy).float())
        return (hazy - airlight) * torch.exp(od) + airlight, od

    def simulate(
        self, clear: Tensor, mean_optical_depth: Tensor, airlight: Tensor, generator: torch.Generator
    ) -> Simulation:
        """Put haze on clear pictures: z from the prior, the same decoder, the physics forwards.

        Parameters
        ----------
        clear
            (B, 3, H, W) in [0, 1].
        mean_optical_depth
            (B,) how much haze is asked for; 0 is none.
        airlight
            (B, 3, 1, 1) in [0, 1].
        generator
            Source of the noise in z.
        """
        z = self.prior(self.trunk(clear), mean_optical_depth).sample(generator)
        od = self.optical_depth(Draw(z, density_of(mean_optical_depth), airlight), clear)
        t = torch.exp(-od)
        return Simulation(clear * t + airlight * (1 - t), od, airlight)


def density_of(mean_optical_depth: Tensor) -> Tensor:
    """Density, (B, 1, 1, 1), of a mean optical depth (B,) >= 0."""
    return torch.log(mean_optical_depth + DENSITY_FLOOR)[:, None, None, None]


def pooled(features: Tensor) -> Tensor:
    """Mean and maximum over all places, (B, 2 C) from (B, C, H, W)."""
    return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
