"""One learning step of the generator, and one of the discriminator; each with an optimizer of its own.

Losses are computed at half the working resolution: a coarse grid read with a guide is the same field at any
resolution, and reading it is what costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.generative import losses
from clairvoy.generative.adversary import (
    AveragedLearner,
    discriminator_step,
    frozen,
    moving_average,
)
from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.discriminator import CLEAR, HAZY, Discriminator
from clairvoy.generative.density.vae import DensityVAE, Field, density_of
from clairvoy.generative.perceptual import SqueezeFeatures, perceptual_loss
from clairvoy.processes.ranks import ALONE, Ranks


@dataclass(frozen=True)
class HazyPairs:
    """A batch of hazy pictures and what is known of them; all of one size, multiples of 16."""

    hazy: Tensor
    """(B, 3, H, W) in [0, 1]."""
    clear: Tensor
    """(B, 3, H, W) in [0, 1]."""
    optical_depth: Tensor
    """(B, 1, H, W) >= 0; any such numbers where not known."""
    airlight: Tensor
    """(B, 3, 1, 1) in [0, 1]; any such numbers where not known."""
    depth: Tensor
    """(B, 1, H/8, W/8) > 0, in any unit; any such numbers where not known."""
    known: Tensor
    """(B,) bool: optical depth, airlight and depth are known (synthesised haze), or not (real pairs)."""

    def to(self, device: torch.device) -> HazyPairs:
        """The same on another device."""
        return HazyPairs(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class LearnerSettings:
    """How the generator and the discriminator learn."""

    learning_rate: float = 8e-4
    """Peak of the generator's; it warms up over 100 updates and falls along half a cosine to a twentieth."""
    discriminator_learning_rate: float = 5e-4
    """Constant."""
    weight_decay: float = 0.01
    """Decoupled (AdamW)."""
    backbone_rate: float = 0.3
    """The backbone's learning rate, as a part of the generator's: it knows pictures already."""
    gradient_clip: float = 0.5
    """Largest norm of the generator's gradient."""
    judge_every: int = 4
    """The perceptual and the adversarial terms act at every n-th update, on a part of the batch, n times as strong."""
    judged: int = 6
    """Pictures of the batch that they act on."""
    average: float = 0.999
    """Decay of the exponential moving average of the generator's weights, which is what is saved and used."""
    bf16: bool = False
    """Compute convolutions in bfloat16."""


def _half(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture, 2)


class GeneratorLearner(AveragedLearner):
    """Trains a `DensityVAE` and its `Discriminator`, and keeps a moving average of the former.

    Parameters
    ----------
    generator, discriminator
        What is trained; they must be on one device.
    updates
        How many updates the learning rate is planned for.
    weights, settings
        Of the objective and of the steps.
    perceptual
        SqueezeNet features, or None: then the perceptual term is off.
    seed
        For the noise in z.
    ranks
        Those that learn together, each from its part of every batch; the seed is the same for all.
    """

    def __init__(
        self,
        generator: DensityVAE,
        discriminator: Discriminator,
        updates: int,
        *,
        weights: losses.LossWeights | None = None,
        settings: LearnerSettings | None = None,
        perceptual: SqueezeFeatures | None = None,
        seed: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self.generator: DensityVAE = generator
        self.discriminator, self.perceptual = discriminator, perceptual
        self.weights = weights or losses.LossWeights()
        self.settings = settings or LearnerSettings()
        self.updates, self.update_count = updates, 0
        self.noise, self.ranks = torch.Generator().manual_seed(seed), ranks
        backbone = generator.trunk.backbone
        for parameter in backbone.frozen_parameters():
            parameter.requires_grad_(False)
        own = {id(parameter) for parameter in backbone.parameters()}
        groups = [
            {"params": [p for p in generator.parameters() if id(p) not in own], "scale": 1.0},
            {
                "params": [p for p in backbone.parameters() if p.requires_grad],
                "scale": self.settings.backbone_rate,
            },
        ]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=self.settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=self.settings.weight_decay,
        )
        self.discriminator_optimizer = torch.optim.AdamW(
            discriminator.parameters(), lr=self.settings.discriminator_learning_rate, betas=(0.5, 0.99)
        )
        self.average = moving_average(generator, self.settings.average)

    def learning_rate(self) -> float:
        """The generator's learning rate at this update."""
        warm = min(1.0, (self.update_count + 1) / 100)
        done = min(1.0, self.update_count / max(1, self.updates))
        return self.settings.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))

    def update(self, pairs: HazyPairs) -> dict[str, float]:
        """Learn once from a batch; gives each term's value, unweighted, by name."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate() * group["scale"]
        device = pairs.hazy.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.settings.bf16):
            terms, total, judged = self._objective(pairs)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.ranks.average_gradients(self.generator.parameters())
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), self.settings.gradient_clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.average.update_parameters(self.generator)
        if judged is not None:
            terms |= self._update_discriminator(*judged)
        self.update_count += 1
        return {name: float(value.detach()) for name, value in terms.items()} | {"gradient_norm": float(norm)}

    def _objective(self, pairs: HazyPairs) -> tuple[dict[str, Tensor], Tensor, tuple[Tensor, ...] | None]:
        weights, generator = self.weights, self.generator
        count = len(pairs.hazy)
        # The clear side is looked at for half of the batch: it serves the prior and the discriminator only.
        some = max(1, count // 2)
        features = generator.trunk(torch.cat([pairs.hazy, pairs.clear[:some]]))
        posterior = generator.posterior(features[:count], pairs.hazy)
        # The field is drawn; density and airlight are taken at their means: their deviations learn from their errors.
        likes = (posterior.mean, posterior.density, posterior.airlight_deviation)
        draw = posterior.most_likely._replace(z=posterior.moved(*map(self._normal, likes)).z)
        decoded = generator.decoder.features(draw.z)
        grid = generator.grid(generator.decoder(decoded), draw.density)

        hazy, clear, target = _half(pairs.hazy), _half(pairs.clear), _half(pairs.optical_depth)
        od = slice_grid(grid, generator.guide(hazy).float())
        restored = (hazy - draw.airlight) * torch.exp(od) + draw.airlight
        terms = {
            "reconstruction": losses.reconstruction_loss(restored, clear),
            "fidelity": losses.fidelity_loss(restored, clear),
            "transmission": losses.transmission_loss(od, target, pairs.known),
            "outline": losses.outline_loss(od, target, pairs.known),
            "airlight": losses.airlight_loss(
                posterior.airlight, posterior.airlight_deviation, pairs.airlight, target, pairs.known
            ),
            "density": losses.gap_loss(
                posterior.density,
                posterior.density_deviation,
                density_of(target.mean(dim=(1, 2, 3))),
                pairs.known,
            ),
        }
        if weights.depth:
            terms["depth"] = losses.depth_loss(generator.decoder.log_depth(decoded), pairs.depth, pairs.known)
        total = torch.zeros((), device=od.device)
        for name, term in terms.items():
            total = total + getattr(weights, name) * term
        mean_od = torch.where(pairs.known, target.mean(dim=(1, 2, 3)), od.detach().mean(dim=(1, 2, 3)))
        if weights.kl:
            prior = generator.prior(features[count:], mean_od[:some])
            part = Field(posterior.mean[:some], posterior.log_variance[:some])
            terms["kl"] = losses.kl_divergence(part, prior).mean() / pairs.hazy[0].numel()
            total = total + weights.kl * terms["kl"]
        if weights.simulation:
            along_clear = slice_grid(grid, generator.guide(clear).float())
            terms["simulation"] = losses.transmission_loss(along_clear, target, pairs.known)
            total = total + weights.simulation * terms["simulation"]

        judged = None
        if self.update_count % self.settings.judge_every == 0 and (weights.adversarial or weights.perceptual):
            extra, judged = self._judged_terms(
                pairs, od, posterior.airlight, restored, clear, features[count:], mean_od, terms
            )
            total = total + self.settings.judge_every * extra
        return terms, total, judged

    def _judged_terms(
        self,
        pairs: HazyPairs,
        od: Tensor,
        airlight: Tensor,
        restored_half: Tensor,
        clear_half: Tensor,
        clear_features: Tensor,
        mean_od: Tensor,
        terms: dict[str, Tensor],
    ) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        weights, generator = self.weights, self.generator
        some = min(self.settings.judged, len(clear_features))
        extra = torch.zeros((), device=od.device)
        if weights.perceptual and self.perceptual is not None:
            terms["perceptual"] = perceptual_loss(
                self.perceptual, restored_half[:some].clamp(0, 1), clear_half[:some]
            )
            extra = extra + weights.perceptual * terms["perceptual"]
        if not weights.adversarial:
            return extra, None

        # Both directions are judged at full working size, where the discriminator sees real pictures.
        wide = F.interpolate(od[:some], scale_factor=2.0, mode="bilinear", align_corners=False)
        a = airlight[:some]
        restored = ((pairs.hazy[:some] - a) * torch.exp(wide) + a).clamp(0, 1)
        prior = generator.prior(clear_features[:some], mean_od[:some])
        z = prior.mean + torch.exp(0.5 * prior.log_variance) * self._normal(prior.mean)
        simulated_od = F.interpolate(
            slice_grid(
                generator.decode(z, density_of(mean_od[:some])), generator.guide(clear_half[:some]).float()
            ),
            scale_factor=2.0,
            mode="bilinear",
            align_corners=False,
        )
        t, true_airlight = (
            torch.exp(-simulated_od),
            torch.where(pairs.known[:some, None, None, None], pairs.airlight[:some], a.detach()),
        )
        simulated = pairs.clear[:some] * t + true_airlight * (1 - t)
        with frozen(generator, self.discriminator):
            fake = generator.last_features(torch.cat([restored, simulated]))
            logits = self.discriminator(fake)
        adversarial = losses.adversarial_loss(logits[:some, CLEAR]) + losses.adversarial_loss(
            logits[some:, HAZY]
        )
        main = weights.reconstruction * terms["reconstruction"] + weights.transmission * terms["transmission"]
        last = generator.decoder.last.weight
        ratio = (
            losses.gradient_correction(main, adversarial, last, mean=self.ranks.mean)
            if main.requires_grad
            else torch.ones_like(adversarial)
        )
        terms["adversarial"], terms["adversarial_weight"] = adversarial, weights.adversarial * ratio
        extra = extra + weights.adversarial * ratio / self.settings.judge_every * adversarial
        with torch.no_grad():
            real = generator.last_features(torch.cat([pairs.clear[:some], pairs.hazy[:some]]))
            wrong = generator.last_features(self._misjudged(pairs, some))
        return extra, (real.float(), fake.detach().float(), wrong.float())

    def _normal(self, like: Tensor) -> Tensor:
        """Noise N(0, 1) of the shape of a tensor (B, ...)."""
        return self._drawn(partial(torch.randn, dtype=like.dtype), *like.shape).to(like)

    def _drawn(self, draw: Callable[..., Tensor], count: int, *shape: int) -> Tensor:
        """What this process needs of the noise that is drawn for the whole batch: (count, ...)."""
        return self.ranks.part(draw(self.ranks.size * count, *shape, generator=self.noise))

    def _misjudged(self, pairs: HazyPairs, some: int) -> Tensor:
        """The first pictures, their true haze taken away too much or too little, in [0, 1].

        All is right with them but the density, which is what the sampler asks the discriminator about. A picture whose
        haze is not known, or that has none, is given some.
        """
        factor = self._drawn(torch.rand, some, 1, 1, 1) * 0.9 + 0.1
        sign = torch.where(self._drawn(torch.rand, some, 1, 1, 1) < 0.5, -1.0, 1.0)
        factor, sign = factor.to(pairs.clear.device), sign.to(pairs.clear.device)
        od = torch.where(pairs.known[:some, None, None, None], pairs.optical_depth[:some], 0.0).clamp(min=0.2)
        light = torch.where(pairs.known[:some, None, None, None], pairs.airlight[:some], 0.9)
        # Left: a veil of od * factor. Overdone: what is beyond the truth by as much.
        change = torch.exp(-sign * factor * od)
        return ((pairs.clear[:some] - light) * change + light).clamp(0, 1)

    def _update_discriminator(self, real: Tensor, fake: Tensor, wrong: Tensor) -> dict[str, Tensor]:
        """Learn to tell; the first half of `real` and `fake` is of the CLEAR kind, the second of the HAZY kind."""
        some, part = len(wrong), self.weights.misjudged
        kind = torch.tensor([CLEAR, HAZY, CLEAR], device=real.device).repeat_interleave(some)

        def logits_of(features: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(features)
            return logits[torch.arange(len(features), device=kind.device), kind[: len(features)]]

        # Restored and misjudged pictures count together as much as simulated ones.
        weight = torch.tensor([1 - part, 1.0, part], device=real.device).repeat_interleave(some)
        step = discriminator_step(
            self.discriminator_optimizer,
            logits_of,
            real,
            torch.cat([fake, wrong]),
            self.weights.r1,
            weight,
            self.ranks,
        )
        caught = (step.of_fake[2 * some :] < 0).float().mean()
        return step.terms | {"misjudged_caught": caught}
