"""The physics of haze, I = J t + A (1 - t), its inverse, and randomly drawn haze for training.

Koschmieder (1924) and Narasimhan and Nayar, IJCV 2002: a clear view J seen through a scattering medium is
I = J t + A (1 - t) with transmission t = exp(-od), optical depth od = beta d, airlight A.

The formulas work alike on NumPy arrays and torch tensors; the random draws are batched and work on tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_OPTICAL_DEPTH = 3.5
"""Beyond it (t < 0.03) an 8-bit picture holds no more than three grey levels of what lies behind it."""


def add_haze(clear, transmission, airlight):  # type: ignore[no-untyped-def]
    """I = J t + A (1 - t). Arrays or tensors that broadcast; `clear` and `airlight` in [0, 1]."""
    return clear * transmission + airlight * (1 - transmission)


def remove_haze(hazy, transmission, airlight):  # type: ignore[no-untyped-def]
    """J = (I - A) / t + A, the exact inverse of `add_haze` where t > 0; not clipped."""
    return (hazy - airlight) / transmission + airlight


FAR_BEYOND = 3.0
"""What is farthest counts as a horizon where it is so many times as far as the nearer third of the view."""


@dataclass(frozen=True)
class HazeSettings:
    """What haze is drawn for training. Every range is one that photographs show, and far apart on purpose."""

    mean_optical_depth: tuple[float, float] = (0.05, 3.0)
    """Log-uniform range of the mean optical depth of a hazy picture."""
    dense: float = 0.6
    """Probability that it is the larger of two draws: dense haze is where restoring is hard, so it is seen more often,
    but not so often that thin haze is taken for thick."""
    airlight: tuple[float, float] = (0.55, 1.1)
    """Brightness of the airlight as exposed; what is above 1 clips to white, as bright fog does in a photograph."""
    lit: float = 0.5
    """Probability that the airlight is as bright as the view's own light makes it instead, where the view is given:
    in a dim room fog is grey, and white things shine through it."""
    lit_by: tuple[float, float] = (0.9, 2.0)
    """Its brightness then, as a multiple of the mean brightness of the clear view."""
    horizon: float = 0.2
    """Probability that it has the colour of what is farthest, where the view is given and shows something so far: haze
    in the distance is of the colour of the sky above it, and the sky shows no haze."""
    tint: float = 0.03
    """Standard deviation of the airlight's colour cast between channels, where there is one."""
    neutral: float = 0.62
    """Probability of no cast: the droplets of fog are larger than the wavelengths, and scatter them alike."""
    clouded: float = 0.3
    """Probability that the airlight differs from place to place, as it does under clouds and towards the sun."""
    unevenness: tuple[float, float] = (0.01, 0.16)
    """Log-uniform range of the standard deviation of its brightness, where it does."""
    patchy: float = 0.28
    """Probability that the haze is heterogeneous (a smooth field multiplies the optical depth)."""
    bank: float = 0.4
    """Probability that heterogeneous haze is a bank: cloud on the hills above, or fog on the ground below."""
    clear: float = 0.25
    """Probability of no haze at all, so that a clear picture is learnt to be left alone."""


@dataclass(frozen=True)
class Haze:
    """A batch of drawn haze.

    Attributes
    ----------
    optical_depth
        (B, 1, H, W) >= 0.
    airlight
        (B, 3, 1, 1) in [0, 1]: where it is uneven, its mean over what shows of it.
    light
        (B, 3, H, W) in [0, 1]: the airlight of each place.
    """

    optical_depth: Tensor
    airlight: Tensor
    light: Tensor

    @property
    def transmission(self) -> Tensor:
        """T = exp(-od), (B, 1, H, W) in (0, 1]."""
        return torch.exp(-self.optical_depth)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def smooth_field(count: int, height: int, width: int, generator: torch.Generator, finest: int = 8) -> Tensor:
    """Smooth noise of mean about 0 and deviation about 1, octaves from 2 to `finest` cells, (B, 1, H, W)."""
    field = torch.zeros(count, 1, height, width)
    octaves = [(2**k, 0.6 ** (k - 1)) for k in range(1, finest.bit_length())]
    for cells, weight in octaves:
        coarse = torch.randn(count, 1, cells + 1, cells + 1, generator=generator)
        field += weight * F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return field / math.sqrt(sum(weight**2 for _, weight in octaves))


def _farthest(clear: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colour (B, 3) of what is farthest in (B, 3, H, W), and whether that is far beyond most of it (B,)."""
    limit = depth.amax(dim=(2, 3), keepdim=True)
    shows = (depth >= 0.95 * limit).float()
    colour = (clear * shows).sum(dim=(2, 3)) / shows.sum(dim=(2, 3))
    return colour, limit[:, 0, 0, 0] >= FAR_BEYOND * depth.flatten(1).quantile(0.3, dim=1)


def draw_haze(
    depth: Tensor,
    generator: torch.Generator,
    settings: HazeSettings | None = None,
    clear: Tensor | None = None,
) -> Haze:
    """Draw haze for a batch of views.

    Parameters
    ----------
    depth
        (B, 1, H, W), positive, in any unit: only its shape counts, since beta is drawn so that the mean optical
        depth beta * mean(depth) has the distribution of the settings.
    generator
        The source of all randomness.
    settings
        What is drawn.
    clear
        The clear views, (B, 3, H, W) in [0, 1], for airlight that is lit by the view or of the colour of its horizon;
        none is if not given.

    Returns
    -------
    Haze
        Optical depth in [0, MAX_OPTICAL_DEPTH] and airlight.
    """
    settings = settings or HazeSettings()
    count, _, height, width = depth.shape
    low, high = (math.log(value) for value in settings.mean_optical_depth)
    exponent, other = (_uniform(count, low, high, generator) for _ in range(2))
    dense = torch.rand(count, generator=generator) < settings.dense
    exponent = torch.where(dense, torch.maximum(exponent, other), exponent)
    mean_od = torch.exp(exponent).view(-1, 1, 1, 1)
    od = depth / depth.mean(dim=(2, 3), keepdim=True) * mean_od

    patchy = (torch.rand(count, generator=generator) < settings.patchy).view(-1, 1, 1, 1)
    field = smooth_field(count, height, width, generator)
    contrast = _uniform(count, 0.3, 3.0, generator).view(-1, 1, 1, 1)
    offset = _uniform(count, -1.0, 1.0, generator).view(-1, 1, 1, 1)
    # A bank hangs at a height, hardly heeding the distance, and the same field frays its edge.
    bank = (torch.rand(count, generator=generator) < settings.bank).view(-1, 1, 1, 1)
    slope = _uniform(count, -4.0, 4.0, generator).view(-1, 1, 1, 1)
    rise = slope * torch.linspace(1, -1, height).view(1, 1, -1, 1)
    hangs = torch.where(bank, 0.5 * (od + mean_od), od)
    place = field + offset + torch.where(bank, rise, torch.zeros_like(rise))
    od = torch.where(patchy, hangs * torch.sigmoid(contrast * place) * 1.5, od)
    none = (torch.rand(count, generator=generator) < settings.clear).view(-1, 1, 1, 1)
    od = torch.where(none, torch.zeros_like(od), od).clamp(0, MAX_OPTICAL_DEPTH)

    low_a, high_a = settings.airlight
    grey = low_a + (high_a - low_a) * _uniform(count, 0, 1, generator).pow(0.6)
    lit = torch.rand(count, generator=generator) < settings.lit
    by = _uniform(count, *settings.lit_by, generator)
    if clear is not None:
        grey = torch.where(lit, (by * clear.mean(dim=(1, 2, 3))).clamp(0.22, 1.0), grey)
    tint = torch.randn(count, 3, generator=generator) * settings.tint
    # A warm-to-blue axis is the cast that smoke, dust and dusk give; drawn for one picture in four.
    warm = torch.randn(count, 1, generator=generator) * torch.tensor([[0.06, 0.0, -0.06]])
    tint = tint + warm * (torch.rand(count, 1, generator=generator) < 0.25)
    tint = tint * (torch.rand(count, 1, generator=generator) >= settings.neutral)
    colour = grey[:, None] * (1 + tint)
    at_horizon = (torch.rand(count, generator=generator) < settings.horizon)[:, None]
    if clear is not None:
        horizon, far = _farthest(clear, depth)
        colour = torch.where(at_horizon & far[:, None], horizon, colour)
    airlight = colour.clamp(0.15, 1.0).view(count, 3, 1, 1)

    low_u, high_u = (math.log(value) for value in settings.unevenness)
    deviation = torch.exp(_uniform(count, low_u, high_u, generator)).view(-1, 1, 1, 1)
    clouded = (torch.rand(count, generator=generator) < settings.clouded).view(-1, 1, 1, 1)
    clouds = smooth_field(count, height, width, generator, finest=32)
    light = torch.where(clouded, airlight * (1 + deviation * clouds), airlight).clamp(0, 1)
    shows = 1 - torch.exp(-od) + 1e-3
    mean_light = (light * shows).sum(dim=(2, 3), keepdim=True) / shows.sum(dim=(2, 3), keepdim=True)
    return Haze(od, torch.where(clouded, mean_light, airlight), light.expand(-1, -1, height, width))
