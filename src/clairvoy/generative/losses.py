"""The terms of the training objective, as pure functions, and their weights.

All take pictures in [0, 1] as (B, 3, H, W), optical depth (B, 1, H, W) and give a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
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
    fidelity: float = 0.05
    """Log of the mean squared error of each picture: what PSNR counts. A picture that is nearly right, a clear one
    above all, weighs as much as one in thick fog, which the mean error alone would learn from."""
    transmission: float = 0.5
    """Mean absolute error of exp(-od), where the true one is known."""
    outline: float = 0.5
    """Error of the slopes of exp(-od) at several scales, where it is known: haze follows the things in the picture."""
    depth: float = 0.05
    """Second task: log depth up to a factor, estimated from the field. What lies far must be seen as far."""
    density: float = 0.05
    """Error of the density, and how far its deviation is from telling that error."""
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
    misjudged: float = 0.5
    """Part, in [0, 1], of what the discriminator learns to refuse as CLEAR that are true pictures cleared too much or
    too little; the others are the generator's."""
    r1: float = 1.0
    """Gradient penalty of the discriminator."""


def reconstruction_loss(restored: Tensor, clear: Tensor, known: Tensor | None = None) -> Tensor:
    """Mean absolute error; beyond 1, where a display clips, an error e counts 1 + log e."""
    error = (restored - clear).abs()
    # Beyond the displayable range the gradient still points home, but no longer grows with exp(od).
    error = torch.where(error > 1, 1 + torch.log(error.clamp(min=1)), error)
    return error.mean()


def fidelity_loss(restored: Tensor, clear: Tensor, floor: float = 3e-5) -> Tensor:
    """Mean over pictures of log(mean squared error + floor), of what is displayed; the floor is 45 dB."""
    error = (restored.clamp(-0.1, 1.1) - clear).square().mean(dim=(1, 2, 3))
    return torch.log(error + floor).mean()


def outline_loss(optical_depth: Tensor, target: Tensor, known: Tensor, scales: int = 3) -> Tensor:
    """Mean |slope of exp(-od) - slope of exp(-od*)|, over both directions and `scales` scales, each half the last.

    The gradient matching of Li and Snavely 2018 (MegaDepth, eq. 5), on transmission in place of log depth.
    """
    error = torch.exp(-optical_depth) - torch.exp(-target)
    total = torch.zeros(len(error), device=error.device)
    for _ in range(scales):
        total = (
            total + error.diff(dim=2).abs().mean(dim=(1, 2, 3)) + error.diff(dim=3).abs().mean(dim=(1, 2, 3))
        )
        error = F.avg_pool2d(error, 2)
    return _mean_of_known(total, known)


def depth_loss(log_depth: Tensor, depth: Tensor, known: Tensor) -> Tensor:
    """Mean |log depth - log depth*| up to one factor for each picture (Eigen et al. 2014), (B, 1, h, w) each."""
    error = log_depth.float() - torch.log(depth)
    error = (error - error.mean(dim=(1, 2, 3), keepdim=True)).abs().mean(dim=(1, 2, 3))
    return _mean_of_known(error, known)


def gap_loss(mean: Tensor, deviation: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean |mean - target|, and the Gaussian's negative log likelihood as a loss of its deviation alone; (B, ...) each.

    A bold deviation cannot excuse a mean that is wrong (the failure that Seitzer et al. 2022 describe).
    """
    error = (mean - target).flatten(1)
    spread = deviation.flatten(1)
    likelihood = 0.5 * (error.detach() / spread).square() + torch.log(spread)
    return _mean_of_known((error.abs() + likelihood).mean(dim=1), known)


def _mean_of_known(value: Tensor, known: Tensor) -> Tensor:
    return (value * known).sum() / known.sum().clamp(min=1)


def transmission_loss(optical_depth: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean |exp(-od) - exp(-od*)| over the pictures whose true optical depth is `known` (B,) bool."""
    error = (torch.exp(-optical_depth) - torch.exp(-target)).abs().mean(dim=(1, 2, 3))
    return _mean_of_known(error, known)


def airlight_loss(
    airlight: Tensor, deviation: Tensor, target: Tensor, optical_depth: Tensor, known: Tensor
) -> Tensor:
    """Mean |A - A*|, (B, 3, 1, 1) each, and likelihood of the deviation (B, 1, 1, 1) of its brightness.

    Weighted by how much of the airlight shows, 1 - t.
    """
    shows = (1 - torch.exp(-optical_depth)).mean(dim=(1, 2, 3))
    error = airlight - target
    spread = deviation.flatten()
    likelihood = 0.5 * (error.detach().mean(dim=(1, 2, 3)) / spread).square() + torch.log(spread)
    return _mean_of_known((error.abs().mean(dim=(1, 2, 3)) + 0.02 * likelihood) * shows, known)


def kl_divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q || p) of diagonal Gaussians in nats, (B,): the sum over all that each holds (Kingma and Welling 2014)."""
    variance_ratio = torch.exp(q.log_variance - p.log_variance)
    distance = (q.mean - p.mean).square() * torch.exp(-p.log_variance)
    return 0.5 * (variance_ratio + distance - 1 - (q.log_variance - p.log_variance)).flatten(1).sum(dim=1)


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """The generator's side of the cross-entropy, non-saturating: -log D(fake) (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of the sigmoid: -log D(real) - log(1 - D(fake)), mean over patches; `weight` as in `weighted_mean`."""
    return F.softplus(-real_logits).mean() + weighted_mean(F.softplus(fake_logits), weight)


def weighted_mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of values (B, ...), in which sample i counts as much as its weight, (B,); all alike if not given."""
    if weight is None:
        return values.mean()
    return (values.flatten(1).mean(dim=1) * weight).sum() / weight.sum()


def r1_penalty(real_logits: Tensor, real_input: Tensor) -> Tensor:
    """0.5 E |d D / d input|^2 at real samples (Mescheder, Geiger and Nowozin 2018), per picture and input number."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_input, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(dim=1).mean()


def gradient_correction(
    main: Tensor,
    adversarial: Tensor,
    last_layer: Tensor,
    limit: float = 1e3,
    mean: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> Tensor:
    """Ratio of gradient norms |d main| / |d adversarial| at the decoder's last layer, detached, in [0, limit].

    Multiplied with it the adversarial term pulls exactly as hard as the main one, whatever their scales (Esser,
    Rombach and Ommer 2021, eq. 7). `mean` gives the gradient of a batch that several processes share.
    """
    (main_gradient,) = torch.autograd.grad(main, last_layer, retain_graph=True)
    (adversarial_gradient,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    ratio = mean(main_gradient).norm() / (mean(adversarial_gradient).norm() + 1e-8)
    return ratio.clamp(max=limit).detach()
