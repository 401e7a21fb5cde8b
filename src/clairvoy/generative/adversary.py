"""What every pair of generator and discriminator needs, whatever it generates.

The discriminator's learning step, the gate that it keeps (rejection sampling), the moving average of the generator's
weights, the state of both to go on from, and gradients that pass through a module without changing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clairvoy.generative.losses import discriminator_loss, r1_penalty, weighted_mean
from clairvoy.processes.ranks import ALONE, Ranks

Weights = tuple[Tensor, ...] | list[Tensor]


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Let gradients flow through the modules but not into them."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def accept(logits: Tensor, noise: torch.Generator, shift: float | None = None) -> Tensor:
    """Which of n samples to keep, (n,) bool: discriminator rejection sampling (Azadi et al., ICLR 2019).

    With the density ratio r = D / (1 - D) that an optimal discriminator tells, a sample is kept with probability
    r / r_max.

    Parameters
    ----------
    logits
        The discriminator's logit of each sample, (n,): the log density ratio.
    noise
        Source of the acceptance draws.
    shift
        Log of r_max; by default the 80 % quantile of the batch, so that one outlier does not empty the rest
        (Azadi et al., section 3.2, shift it likewise by a percentile), but at least 0.
    """
    # The largest ratio of two densities is at least 1: a batch in which all is disbelieved is not to be admitted.
    top = logits.float().quantile(0.8).clamp(min=0) if shift is None else torch.as_tensor(shift)
    probability = torch.exp(F.logsigmoid(logits.float()) - F.logsigmoid(-logits.float()) - top).clamp(max=1)
    return torch.rand(logits.shape, generator=noise).to(logits.device) < probability


class DiscriminatorStep(NamedTuple):
    """What a discriminator said in a step, before it learnt."""

    terms: dict[str, Tensor]
    """``discriminator``, the cross-entropy; ``discriminator_accuracy`` in [0, 1]; ``r1`` where it is penalised."""
    of_fake: Tensor
    """Logits of the generated samples, (F, ...)."""


def discriminator_step(
    optimizer: torch.optim.Optimizer,
    logits_of: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    r1: float,
    weight: Tensor | None = None,
    ranks: Ranks = ALONE,
) -> DiscriminatorStep:
    """Let a discriminator learn once to tell real samples from generated ones.

    Parameters
    ----------
    optimizer
        Of the discriminator's weights.
    logits_of
        The discriminator: from samples (B, ...) to logits (B, ...), one of each sample or, by patches, many.
    real, fake
        What it judges, (B, ...) and (F, ...). Gradients reach neither generator nor trunk.
    r1
        Weight of the gradient penalty at real samples; 0 saves its cost. Of a sample judged by patches the mean of its
        logits is penalised, so that the number of patches does not count.
    weight
        How much each generated sample counts, (F,) at least 0 and not all 0; all alike if not given.
    ranks
        Those that learn together, each from its part of the samples.
    """
    real = real.detach().requires_grad_(bool(r1))
    of_real, of_fake = logits_of(real), logits_of(fake.detach())
    loss = total = discriminator_loss(of_real, of_fake, weight)
    terms = {"discriminator": loss.detach()}
    if r1:
        penalty = r1_penalty(of_real.reshape(len(of_real), -1).mean(dim=1), real)
        total, terms["r1"] = loss + r1 * penalty, penalty.detach()
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    ranks.average_gradients(p for group in optimizer.param_groups for p in group["params"])
    optimizer.step()
    refused = weighted_mean((of_fake < 0).float(), weight)
    terms["discriminator_accuracy"] = ((of_real > 0).float().mean() + refused) / 2
    return DiscriminatorStep(terms, of_fake.detach())


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a model's weights; buffers are copied.

    Early on the average follows closely, or the random start would stay in it: at the n-th update the decay is
    min(`decay`, n / (9 + n)). Call its ``update_parameters(model)`` after each update; ``.module`` is the averaged model.
    """

    def move(averages: Weights, weights: Weights, updates: Tensor | int) -> None:
        n = int(updates)
        get_ema_multi_avg_fn(min(decay, n / (9 + n)))(averages, weights, updates)

    average = AveragedModel(model, multi_avg_fn=move).requires_grad_(False)
    average.n_averaged.fill_(1)  # the weights that it begins with count as the first
    return average


class AveragedLearner:
    """What trains a generator against a discriminator and keeps a moving average of the generator: its state.

    Attributes
    ----------
    generator, discriminator
        What is trained, each with an optimizer of its own.
    average
        `moving_average` of the generator, updated at every update.
    update_count
        Updates so far.
    noise
        Source of all draws.
    """

    generator: Any
    discriminator: nn.Module
    optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    average: AveragedModel
    update_count: int
    noise: torch.Generator
    _PARTS = ("generator", "averaged", "discriminator", "optimizer", "discriminator_optimizer")

    @property
    def averaged(self) -> Any:
        """The generator with averaged weights: what is saved and used."""
        return self.average.module

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on."""
        parts = {name: getattr(self, name).state_dict() for name in self._PARTS}
        return parts | {"update_count": self.update_count, "noise": self.noise.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        for name in self._PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.update_count = state["update_count"]
        self.average.n_averaged.fill_(self.update_count + 1)
        self.noise.set_state(state["noise"])
