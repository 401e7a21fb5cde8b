"""The terms of the training objective, as pure functions, and their weights.

All take pictures in [0, 1] as (B, 3, H, W), optical depth (B, 1, H, W) and give a scalar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Gaussian(Protocol):
    """A diagonal Gaussian: `mean` and `log_variance`, (B, ...) each."""

    @property
    def mean(self) -> Tensor: ...  # noqa: D102
    @property
    def log_variance(self) -> Tensor: ...  # noqa: D102


@dataclass(frozen=True)
class LossWeights:
    """The weight of each term of the generator's objective; 0 switches the term off and saves its cost."""

    reconstruction: float = 1.0
    """Mean absolute error of the restored picture."""
    transmission: float = 0.5
    """Mean absolute error of exp(-od), where the true one is known."""
    airlight: float = 0.2
    """Mean absolute error of the airlight, where it is known and shows."""
    simulation: float = 0.25
    """The same decoder read along the *clear* picture must give the same transmission: what `simulate` relies on."""
    kl: float = 0.3
    """KL(q(z | hazy) || p(z | clear, mean od)), in nats for each number of the picture."""
    perceptual: float = 0.05
    """Distance of SqueezeNet features."""
    adversarial: float = 0.1
    """What the discriminator objects to, in units of the reconstruction's gradient (see `gradient_correction`)."""
    r1: float = 1.0
    """Gradient penalty of the discriminator."""


def reconstruction_loss(restored: Tensor, clear: Tensor, known: Tensor | None = None) -> Tensor:
    """Mean absolute error; beyond 1, where a display clips, an error e counts 1 + log e."""
    error = (restored - clear).abs()
    # Beyond the displayable range the gradient still points home, but no longer grows with exp(od).
    error = torch.where(error > 1, 1 + torch.log(error.clamp(min=1)), error)
    return error.mean()


def transmission_loss(optical_depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean |exp(-od) - exp(-od*)| over the pictures whose true optical depth is `known` (B,) bool."""
    error = (torch.exp(-optical_depth) - torch.exp(-target)).abs().mean(dim=(1, 2, 3))
    return (error * known).sum() / known.sum().clamp(min=1)


def airlight_loss(airlight: Tensor, target: Tensor, optical_depth: Tensor, known: Tensor) -> Tensor:
    """Mean |A - A*| weighted by how much of the airlight shows, 1 - t; (B, 3, 1, 1) each."""
    shows = (1 - torch.exp(-optical_depth)).mean(dim=(1, 2, 3)) * known
    error = (airlight - target).abs().mean(dim=(1, 2, 3))
    return (error * shows).sum() / known.sum().clamp(min=1)


def kl_divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q || p) of diagonal Gaussians in nats, (B,): the sum over all that each holds (Kingma and Welling 2014)."""
    variance_ratio = torch.exp(q.log_variance - p.log_variance)
    distance = (q.mean - p.mean).square() * torch.exp(-p.log_variance)
    return 0.5 * (variance_ratio + distance - 1 - (q.log_variance - p.log_variance)).flatten(1).sum(dim=1)


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """The generator's side of the cross-entropy, non-saturating: -log D(fake) (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of the sigmoid: -log D(real) - log(1 - D(fake)), mean over patches."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(real_logits: Tensor, real_input: Tensor) -> Tensor:
    """0.5 E |d D / d input|^2 at real samples (Mescheder, Geiger and Nowozin 2018), per picture and input number."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_input, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(dim=1).mean()


def gradient_correction(main: Tensor, adversarial: Tensor, last_layer: Tensor, limit: float = 1e3) -> Tensor:
    """Ratio of gradient norms |d main| / |d adversarial| at the decoder's last layer, detached, in [0, limit].

    Multiplied with it the adversarial term pulls exactly as hard as the main one, whatever their scales (Esser,
    Rombach and Ommer 2021, eq. 7).
    """
    (main_gradient,) = torch.autograd.grad(main, last_layer, retain_graph=True)
    (adversarial_gradient,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (main_gradient.norm() / (adversarial_gradient.norm() + 1e-8)).clamp(max=limit).detach()
