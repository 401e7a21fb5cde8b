"""Is this completion real? The discriminator of a completion, and what it can decide: which of several draws to keep.

As everywhere here it is a head on the generator's own last features. Once the generator stands still these are numbers that
are computed once, and the head learns for as long as it needs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clairvoy.generative.adversary import discriminator_step
from clairvoy.generative.rows.learner import RowLearner
from clairvoy.scenarios.panorama.completion import complete, glimpse_masks

_AT_A_TIME = 64


@torch.no_grad()
def _features(learner: RowLearner, rows: Tensor) -> Tensor:
    parts = rows.split(_AT_A_TIME)
    return torch.cat([learner.generator.last_features(learner.generator.encode(part)) for part in parts])


def learn_to_judge(
    learner: RowLearner, real: Tensor, of_views: Tensor, *, updates: int, batch: int = 128, seed: int = 0
) -> list[float]:
    """Go on training the discriminator alone, on panoramas (R, 3, H, 2 H) uint8 and draws of their completions.

    Gives the part of each batch that it told right, before it learnt from it.
    """
    noise = torch.Generator().manual_seed(seed)
    draw = glimpse_masks(of_views)
    made = []
    with torch.no_grad():
        for part in real.split(_AT_A_TIME):
            made.append(learner.averaged.complete(part, draw(len(part), noise), noise))
    true, fake = _features(learner, real), _features(learner, torch.cat(made))
    right = []
    for _ in range(updates):
        first, second = (torch.randint(len(real), (batch,), generator=noise) for _ in range(2))
        step = discriminator_step(
            learner.discriminator_optimizer, learner.discriminator, true[first], fake[second], 0.0
        )
        right.append(float(step.terms["discriminator_accuracy"]))
    return right


@torch.no_grad()
def draws_of(snapshot: Any, panoramas: Tensor, seen: Tensor, draws: int, seed: int = 0) -> Tensor:
    """Several completions of panoramas (B, 3, H, W) of which ``seen`` (B, H, W) bool is known, (draws, B, 3, H, W) uint8."""
    noise = torch.Generator().manual_seed(seed)
    mask = seen[:, None].expand_as(panoramas)
    return torch.stack([snapshot.complete(panoramas, mask, noise) for _ in range(draws)])


@torch.no_grad()
def most_believed(snapshot: Any, made: Tensor) -> Tensor:
    """Of draws (draws, B, 3, H, W) those that the discriminator believes most, (B, 3, H, W)."""
    logits = snapshot.judge(made.flatten(0, 1)).unflatten(0, made.shape[:2])
    return made[logits.argmax(dim=0), torch.arange(made.shape[1])]


@torch.no_grad()
def told_right(snapshot: Any, panoramas: Tensor, seen: Tensor, seed: int = 0) -> dict[str, float]:
    """Part of real panoramas (B, 3, H, W) uint8, of draws and of likeliest completions that are told for what they are."""
    drawn = draws_of(snapshot, panoramas, seen, 1, seed)[0]
    return {
        "real": float((snapshot.judge(panoramas) > 0).float().mean()),
        "drawn": float((snapshot.judge(drawn) < 0).float().mean()),
        "likeliest": float((snapshot.judge(complete(snapshot, panoramas, seen)) < 0).float().mean()),
    }
