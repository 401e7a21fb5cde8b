"""`DensityVAE`: a conditional variational autoencoder of haze as a low-dimensional density field.

What a picture's haze is, is little: how dense the medium is here and there, and the colour of its light. So the latent
is a coarse *density field* (about 1 % of the numbers of the picture that is looked at) and one airlight; the picture
itself is never squeezed through a bottleneck, and comes out as sharp as it went in.

    encode   picture            -> posterior q(z | picture) over the density field, and the airlight
    decode   z                  -> bilateral grid of optical depth
    slice    grid, guide        -> optical depth at any resolution, along the edges of the picture
    restore  J = (I - A) exp(od) + A            simulate  I = J exp(-od) + A (1 - exp(-od))

It runs both ways: `restore` takes z from the posterior of a hazy picture; `simulate` draws z from the prior
p(z | clear picture, mean optical depth asked for), decodes with the same decoder and puts haze on the clear picture.

Sources: Kingma and Welling 2014 (VAE); Sohn, Lee and Yan 2015 (conditional VAE with a learnt prior); Gharbi et al.
2017 (bilateral grid); Zhang, Dauphin and Ma 2019 (residual blocks that start as the identity, no normalisation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative.density.bilateral_grid import slice_grid

NEUTRAL_WITHIN = 0.02
"""An airlight that departs from its mean by less in every channel is taken to be grey, as most fog is: what is told so
faintly is more often the scene's own colour."""
STRIDE = 16
"""The encoder takes pictures whose height and width are multiples of this."""


@dataclass(frozen=True)
class VAESettings:
    """The size of a `DensityVAE`."""

    width: int = 32
    """Channels at a quarter of the resolution; doubled at an eighth and again at a sixteenth."""
    latent: int = 8
    """Channels of the density field, one vector for each 16 x 16 pixels."""
    bins: int = 8
    """Brightness bins of the bilateral grid."""
    max_optical_depth: float = 3.5
    """Upper limit of what is restored; beyond it there is noise only."""


class Posterior(NamedTuple):
    """A Gaussian over the density field, `mean` and `log_variance` (B, latent, H/16, W/16), and what goes with it."""

    mean: Tensor
    log_variance: Tensor
    airlight: Tensor
    """(B, 3, 1, 1) in [0, 1]; of no meaning for a prior."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Z = mean + sigma * noise, the reparametrised draw; same shape as `mean`."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype).to(self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


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
        summary = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        scale, shift = self.mix(summary)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


class Trunk(nn.Module):
    """Picture (B, 3, H, W) in [0, 1] to features (B, 4 width, H/16, W/16).

    Beside the learnt stem it sees each 4 x 4 block's darkest and brightest values and the dark channel (He, Sun and
    Tang 2011) over 20 x 20 pixels: the statistics that haze moves most, which strided convolutions find hard.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, stride=4)
        self.extremes = nn.Conv2d(7, width, 1)
        self.quarter = ResidualBlock(width)
        self.to_eighth = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.eighth = nn.Sequential(ResidualBlock(2 * width), ResidualBlock(2 * width))
        self.to_sixteenth = nn.Conv2d(2 * width, 4 * width, 2, stride=2)
        self.sixteenth = nn.Sequential(
            ResidualBlock(4 * width), GlobalContext(4 * width), ResidualBlock(4 * width),
            GlobalContext(4 * width), ResidualBlock(4 * width),
        )  # fmt: skip

    def forward(self, picture: Tensor) -> Tensor:
        """Features (B, 4 width, H/16, W/16)."""
        darkest = -F.max_pool2d(-picture, 4)
        brightest = F.max_pool2d(picture, 4)
        dark_channel = -F.max_pool2d(-darkest.amin(dim=1, keepdim=True), 5, stride=1, padding=2)
        extremes = torch.cat([darkest, brightest, dark_channel], dim=1)
        x = self.stem(picture - 0.5) + self.extremes(extremes - 0.5)
        x = self.eighth(self.to_eighth(self.quarter(x)))
        return F.silu(self.sixteenth(self.to_sixteenth(x)))


class Decoder(nn.Module):
    """Density field (B, latent, h, w) to a bilateral grid (B, bins, 2h, 2w) of optical depth before its softplus."""

    def __init__(self, latent: int, width: int, bins: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(latent, 3 * width, 1), ResidualBlock(3 * width), ResidualBlock(3 * width),
            nn.Conv2d(3 * width, 4 * width, 1), nn.PixelShuffle(2), ResidualBlock(width), nn.SiLU(),
        )  # fmt: skip
        self.last = nn.Conv2d(width, bins, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Grid (B, bins, 2h, 2w), unbounded."""
        return self.last(self.features(z))


class DensityVAE(nn.Module):
    """The image generator. All pictures are RGB in [0, 1], (B, 3, H, W), height and width multiples of 16."""

    def __init__(self, settings: VAESettings | None = None) -> None:
        super().__init__()
        self.settings = settings or VAESettings()
        width, latent, bins = self.settings.width, self.settings.latent, self.settings.bins
        self.trunk = Trunk(width)
        self.posterior_head = nn.Conv2d(4 * width, 2 * latent, 1)
        self.prior_head = nn.Sequential(
            nn.Conv2d(4 * width + 2, 2 * width, 1), nn.SiLU(), nn.Conv2d(2 * width, 2 * latent, 1)
        )
        self.airlight_head = nn.Sequential(nn.Conv2d(4 * width, width, 1), nn.SiLU(), nn.Conv2d(width, 4, 1))
        self.decoder = Decoder(latent, width, bins)
        self.guide_net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 1, 1))
        self._start_sensibly()

    def _start_sensibly(self) -> None:
        """Start with a guide that is the brightness, little noise in z and thin haze everywhere."""
        brightness, spread_out = _conv(self.guide_net[0]), _conv(self.guide_net[2])
        airlight = _conv(self.airlight_head[2])
        with torch.no_grad():
            _bias(self.posterior_head)[self.settings.latent :] = -4.0
            self.decoder.last.weight.mul_(0.1)
            _bias(self.decoder.last).fill_(-1.0)
            airlight.weight.mul_(0.1)
            _bias(airlight).zero_()
            brightness.weight[0] = 1 / 3
            _bias(brightness)[0] = 0
            spread_out.weight.mul_(0.1)
            spread_out.weight[0, 0] = 4.0
            _bias(spread_out).fill_(-2.0)

    # The pieces.

    def encode(self, picture: Tensor) -> Posterior:
        """Posterior over the density field and the airlight of a picture."""
        return self.posterior(self.trunk(picture), picture)

    def posterior(self, features: Tensor, picture: Tensor) -> Posterior:
        """The same from features that `trunk` gave for `picture`."""
        mean, log_variance = self.posterior_head(features).float().chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-10, 4), self._airlight(features, picture))

    def _airlight(self, features: Tensor, picture: Tensor) -> Tensor:
        """A weighted mean of the brightest colours seen (where: learnt attention) and a learnt correction of it."""
        answer = self.airlight_head(features).float()
        weight = answer[:, :1].flatten(2).softmax(dim=-1)
        brightest = F.max_pool2d(picture.float(), STRIDE).flatten(2)
        seen = (weight * brightest).sum(dim=-1).clamp(0.02, 0.98)
        correction = (weight * answer[:, 1:].flatten(2)).sum(dim=-1)
        return torch.sigmoid(torch.logit(seen) + correction)[:, :, None, None]

    def prior(self, features: Tensor, mean_optical_depth: Tensor) -> Posterior:
        """p(z | clear picture, mean optical depth); `features` of the clear picture, the depth (B,) >= 0."""
        asked = torch.stack([mean_optical_depth, torch.log(mean_optical_depth + 0.05)], dim=1)[
            :, :, None, None
        ]
        asked = asked.to(features.dtype).expand(-1, -1, *features.shape[-2:])
        mean, log_variance = self.prior_head(torch.cat([features, asked], dim=1)).float().chunk(2, dim=1)
        nothing = torch.zeros(len(mean), 3, 1, 1, device=mean.device)
        return Posterior(mean, log_variance.clamp(-10, 4), nothing)

    def decode(self, z: Tensor) -> Tensor:
        """Density field to a bilateral grid (B, bins, H/8, W/8) of optical depth >= 0."""
        return self.bounded(self.decoder(z))

    def bounded(self, grid: Tensor) -> Tensor:
        """What the decoder's last layer gives, as optical depth in [0, max_optical_depth]."""
        return F.softplus(grid.float()).clamp(max=self.settings.max_optical_depth)

    def guide(self, picture: Tensor) -> Tensor:
        """What the grid is read with, (B, 1, H, W) in [0, 1], from each pixel's own colour."""
        return torch.sigmoid(self.guide_net(picture))

    def guide_layers(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """The two 1 x 1 convolutions of the guide: ReLU between them, a sigmoid after."""
        return _conv(self.guide_net[0]), _conv(self.guide_net[2])

    def optical_depth(self, z: Tensor, picture: Tensor) -> Tensor:
        """Decode z and read it along the edges of `picture`, at its resolution: (B, 1, H, W) >= 0."""
        return slice_grid(self.decode(z), self.guide(picture).float())

    def last_features(self, picture: Tensor) -> Tensor:
        """The generator's last features on a picture, (B, width, H/8, W/8): what the discriminator judges by."""
        return self.decoder.features(self.posterior_head(self.trunk(picture))[:, : self.settings.latent])

    # The two directions.

    def restore(self, hazy: Tensor, z: Tensor, airlight: Tensor) -> tuple[Tensor, Tensor]:
        """Clear picture (not clipped) and optical depth, for z drawn from the posterior of `hazy`."""
        return self.restore_along(hazy, self.decode(z), airlight)

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
        od = self.optical_depth(z, clear)
        t = torch.exp(-od)
        return Simulation(clear * t + airlight * (1 - t), od, airlight)


def neutral_if_faint(airlight: Tensor) -> Tensor:
    """Grey where an airlight (B, 3, 1, 1) is tinted by less than `NEUTRAL_WITHIN`, else as it is."""
    grey = airlight.mean(dim=1, keepdim=True)
    faint = (airlight - grey).abs().amax(dim=1, keepdim=True) < NEUTRAL_WITHIN
    return torch.where(faint, grey, airlight)


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


def working_size(height: int, width: int, area: int = 256 * 256) -> tuple[int, int]:
    """Height and width, multiples of 16, of about `area` pixels and nearly the same aspect, at least 64 each."""
    scale = math.sqrt(area / (height * width))

    def fit(length: int) -> int:
        return min(1024, max(64, round(length * scale / STRIDE) * STRIDE))

    return fit(height), fit(width)
