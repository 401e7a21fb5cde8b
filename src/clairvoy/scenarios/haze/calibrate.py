"""Calibration of a trained dehazer on held-out views: tau, and the probability that there is haze."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.generative.density.calibration import Found
from clairvoy.generative.density.perception import Perceiver, Perception
from clairvoy.generative.density.picture_size import CELL
from clairvoy.generative.density.recognition import RESTORE_FROM
from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.scene_set import hazy_windows, windows_of
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import PHOTOGRAPH_BUDGET, search

HAZY_SHARE = 0.05
"""A picture counts as hazy if more than this part of its windows is."""


def squared_error_of_cells(perceiver: Perceiver, pairs: SyntheticPairs, seen: Perception) -> Tensor:
    """Mean squared error of the restoration of each cell, (B, 1, H/16, W/16), on the CPU."""
    error = (perceiver.restore(pairs.hazy, seen).cpu() - pairs.clear).square().mean(dim=1, keepdim=True)
    return F.avg_pool2d(error, CELL)


@torch.no_grad()
def calibrate(
    parts: Parts, pairs: SyntheticPairs, learnt: Iterable[SyntheticPairs], noise: torch.Generator
) -> dict[str, float]:
    """Fit the calibration of `parts`, in place.

    Parameters
    ----------
    parts
        Trained; the generator's restorations and the agent's values are what is calibrated.
    pairs
        Held out: neither they nor their photographs were learnt from.
    learnt
        Of any photographs, a few at a time: the weights of recognition are learnt on them, since that takes many.
    noise
        Source of the field's draws.

    Returns
    -------
    dict
        What came out, by name.
    """
    perceiver = parts.perceiver
    seen = perceiver.perceive(pairs.hazy, noise, samples=4)
    signs, calibration = seen.signs.cpu(), parts.calibration
    calibration.cpu().fit(signs, squared_error_of_cells(perceiver, pairs, seen))
    calibration.to(perceiver.device)
    held_out = _found(parts, pairs, seen)
    found = [_found(parts, some, perceiver.perceive(some.hazy, noise)) for some in learnt]
    others = Found(*(torch.cat(part) for part in zip(*found, strict=True)))
    calibration.cpu().fit_recognition(others, held_out)
    judged = zip(held_out.value.tolist(), held_out.haze.tolist(), held_out.appearance, strict=True)
    said = torch.tensor([calibration.haze_probability(*one) >= RESTORE_FROM for one in judged])
    _, db = calibration.of_picture(signs)
    calibration.to(perceiver.device)
    return {
        "held_out/recognition_accuracy": float((said == held_out.hazy).float().mean()),
        "held_out/tau_db_deviation": float(calibration.deviation[0]),
        "held_out/predicted_db": float(db.mean()),
    }


def _found(parts: Parts, pairs: SyntheticPairs, seen: Perception) -> Found:
    """What generator and agent find in views, and whether there is haze in them."""
    perceiver = parts.perceiver
    maps, windows = pool_beliefs(*perceiver.beliefs(seen)), windows_of(pairs.hazy).to(perceiver.device)
    values = [
        search(parts.agent, windows[k : k + 1], maps[k : k + 1], budget=PHOTOGRAPH_BUDGET).value
        for k in range(len(windows))
    ]
    return Found(
        value=torch.tensor(values),
        haze=seen.haze.mean(dim=(1, 2, 3)).cpu(),
        appearance=seen.appearance.cpu(),
        hazy=hazy_windows(pairs.optical_depth).float().mean(dim=(1, 2)) > HAZY_SHARE,
    )
