"""The generator of the scenario: it completes a sphere from any set of glimpses, and says how unsure each direction is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from clairvoy.generative.rows.completing import CompletingSettings, CompletingVAE, Masks
from clairvoy.generative.rows.data_kinds import images
from clairvoy.generative.rows.given import Given
from clairvoy.generative.rows.learner import RowLearner, RowLearnerSettings
from clairvoy.generative.rows.vae import RowDiscriminator
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.scenarios.panorama.directions import DIRECTIONS, seen_from, solid_angles

MOST = 10
"""Glimpses that completion is practised with, at most."""


def glimpse_masks(of_views: Tensor) -> Masks:
    """Sets of up to `MOST` glimpses, all numbers alike, as masks (count, 3, H, W)."""

    def draw(count: int, noise: torch.Generator) -> Tensor:
        order = torch.rand(count, DIRECTIONS, generator=noise).argsort(dim=1).argsort(dim=1)
        number = torch.randint(1, MOST + 1, (count, 1), generator=noise)
        return seen_from(of_views, order < number)[:, None].expand(-1, 3, -1, -1)

    return draw


def completion(real: Tensor, of_views: Tensor, width: int = 128) -> CompletingVAE:
    """A generator for panoramas (R, 3, H, 2 H) uint8, not trained yet; errors count by the solid angle."""
    settings = CompletingSettings(latent=16, width=width, unseen=0.1, sphere=True)
    return CompletingVAE(images(real), settings, glimpse_masks(of_views), solid_angles(real.shape[2]))


def new_learner(
    real: Tensor, of_views: Tensor, width: int = 128, seed: int = 0, device: str = "cpu"
) -> RowLearner:
    """A completion and its discriminator that have learnt nothing yet; parameters as of `learn_completion`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = completion(real, of_views, width).to(device)
        discriminator = RowDiscriminator(width).to(device)
    settings = RowLearnerSettings(learning_rate=1e-3, adversarial=0.0, judge_every=4, average=0.995)

    def glimpses(rows: Tensor, noise: torch.Generator) -> Given:
        return Given(rows, generator.masks(len(rows), noise).to(rows.device))

    return RowLearner(generator, discriminator, settings, seed, glimpses)


def learn_completion(
    real: Tensor,
    of_views: Tensor,
    *,
    updates: int,
    batch: int = 64,
    width: int = 128,
    seed: int = 0,
    device: str = "cpu",
    few_bits: bool = False,
    say: Callable[[int, dict[str, float]], object] = lambda update, terms: None,
) -> RowLearner:
    """Train a completion and its discriminator on panoramas that are turned at random.

    Parameters
    ----------
    real
        (R, 3, H, 2 H) uint8.
    of_views
        See `directions.views`.
    updates, batch
        Of the optimizer; its rate falls to 0.
    width
        Of the generator.
    seed
        Of all randomness.
    device
        Where the networks compute.
    few_bits
        Convolutions in bfloat16 (`torch.autocast`): twice as fast on a CPU that has it in hardware, much slower on others.
    say
        Is told of each update.
    """
    learner = new_learner(real, of_views, width, seed, device)
    draws = torch.Generator().manual_seed(seed)
    for update in range(updates):
        for group in learner.optimizer.param_groups:
            group["lr"] = linear_schedule(learner.settings.learning_rate, 0.0, updates, update)
        rows = real[torch.randint(len(real), (batch,), generator=draws)]
        turn = int(torch.randint(real.shape[3], (1,), generator=draws))
        rows = rows.roll(turn, dims=3)
        if torch.rand(1, generator=draws) < 0.5:
            rows = rows.flip(3)
        # Entered for each update: within it, weights are cast once, and would not be again after they have changed.
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=few_bits):
            terms = learner.update(rows.to(device))
        say(update, terms)
    return learner


def complete(snapshot: Any, panoramas: Tensor, seen: Tensor) -> Tensor:
    """The likeliest panoramas (B, 3, H, W) uint8, given what is ``seen`` of them, (B, H, W) bool."""
    completed: Tensor = snapshot.complete(panoramas, seen[:, None].expand_as(panoramas))
    return completed


def uncertainty(snapshot: Any, panoramas: Tensor, seen: Tensor, draws: int, seed: int) -> Tensor:
    """Variance of each pixel over draws of the completion, (B, H, W), mean over colours, in units of the range squared.

    The draws differ in z; noise of the pixels themselves is no part of it (`DataKind.draw` of pictures gives the mean).
    """
    noise = torch.Generator().manual_seed(seed)
    mask = seen[:, None].expand_as(panoramas)
    made = torch.stack([snapshot.complete(panoramas, mask, noise).float() / 255 for _ in range(draws)])
    return made.var(dim=0).mean(dim=1)
