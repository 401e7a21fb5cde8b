"""Calibration: from the signs of confidence to a PSNR in dB and to tau, and from what was found to P(haze).

A linear map (`signs`), fitted on held-out views, turns the signs that `perception` reads into a PSNR in dB; its residual
deviation turns that into

    tau = P(PSNR >= 20 dB) = Phi((dB - 20) / sigma),

a probability, so that it can be checked for calibration.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from clairvoy.generative.density.backbone import APPEARANCE
from clairvoy.generative.density.recognition import haze_probability
from clairvoy.generative.density.signs import GOOD_DB, RIDGE, SIGNS, fitted
from clairvoy.generative.logistic import logistic_weights

SHARED_OUT = 0.5
"""Ridge of `Calibration.fit_recognition`, for evidence of deviation 1 and the mean of the log loss."""
_LEAST_RIDGE = 1e-3


class Found(NamedTuple):
    """What was found in n views, and the truth."""

    value: Tensor
    """The agent's value of each, (n,). Its advantage of recognising over moving on would tell less: in a picture full of
    haze it is all one which hazy window is recognised first."""
    haze: Tensor
    """The generator's mean 1 - t, (n,) in [0, 1]."""
    appearance: Tensor
    """See `Backbone.appearance`, (n, APPEARANCE)."""
    hazy: Tensor
    """The truth, (n,) bool."""

    def evidence(self) -> Tensor:
        """All that recognition goes by, (n, 2 + APPEARANCE) float64."""
        return torch.cat(
            [_log_scale(self.value)[:, None], self.haze[:, None], self.appearance], dim=1
        ).double()


class Calibration(nn.Module):
    """From signs to dB and tau, for whole pictures and for cells; fitted in closed form, kept with the weights."""

    slope: Tensor
    offset: Tensor
    deviation: Tensor
    recognition: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Row 0 is for whole pictures, row 1 for cells. Unfitted, it claims 20 dB give or take 10: tau = 0.5.
        self.register_buffer("slope", torch.zeros(2, len(SIGNS)))
        self.register_buffer("offset", torch.full((2,), GOOD_DB))
        self.register_buffer("deviation", torch.full((2,), 10.0))
        # Logit of the probability of haze: per unit of the agent's value (on a log scale), of 1 - t, of each number of
        # the appearance, and at 0.
        self.register_buffer("recognition", torch.tensor([1.0, 4.0, *[0.0] * APPEARANCE, -1.0]))

    def fit(self, signs: Tensor, squared_error: Tensor, ridge: float = RIDGE) -> None:
        """Fit on held-out views: signs (B, S, h, w) and the true squared error of each cell (B, 1, h, w)."""
        pictures = signs.mean(dim=(2, 3)), squared_error.mean(dim=(2, 3))[:, 0]
        cells = signs.movedim(1, -1).flatten(0, 2), squared_error.flatten()
        for row, (x, error) in enumerate((pictures, cells)):
            (slope, offset), deviation = fitted(x.double(), error.double(), ridge)
            self.slope[row] = slope.float()
            self.offset[row] = offset.float()
            self.deviation[row] = deviation.clamp(min=0.5).float()

    def of_picture(self, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Tau in [0, 1] and dB, (B,) each, from signs (B, S, h, w)."""
        db = signs.mean(dim=(2, 3)) @ self.slope[0] + self.offset[0]
        return self._tau(db, 0), db

    def of_cells(self, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Tau in [0, 1] and dB for each cell, (B, 1, h, w) each."""
        db = (signs.movedim(1, -1) @ self.slope[1] + self.offset[1])[:, None]
        return self._tau(db, 1), db

    def fit_recognition(self, learnt: Found, held_out: Found) -> None:
        """Logistic regression of whether there is haze on all that was found (Platt 1999).

        Synthetic haze is told nearly without fault by the networks that were trained on it, and real haze is not. So
        the ridge is strong: it shares the weight out, and all evidence has a say. Scale and offset are those of
        held-out views.

        Parameters
        ----------
        learnt
            What was found in views, of photographs that were learnt from or not.
        held_out
            The same of photographs that were not.
        """
        x = learnt.evidence()
        centre, scale = x.mean(dim=0), x.std(dim=0).clamp(min=1e-6)
        regressed = _regressed((x - centre) / scale, learnt.hazy, SHARED_OUT)
        weight = regressed[:-1] / scale
        logit = held_out.evidence() @ weight + regressed[-1] - centre @ weight
        times, more = _regressed(logit[:, None], held_out.hazy, _LEAST_RIDGE)
        offset = times * (regressed[-1] - centre @ weight) + more
        self.recognition.copy_(torch.cat([times * weight, offset[None]]).float())

    def appearance_logit(self, appearance: Tensor) -> Tensor:
        """What the appearance of pictures, (B, APPEARANCE), adds to the logit of haze, (B,)."""
        return appearance @ self.recognition[2:-1]

    def haze_probability(self, value: float, haze: float, appearance: Tensor) -> float:
        """Probability in [0, 1] that a picture has haze.

        Parameters
        ----------
        value
            The agent's value of it.
        haze
            The mean 1 - t.
        appearance
            See `Backbone.appearance`, (APPEARANCE,).
        """
        logit = float(self.appearance_logit(appearance[None]))
        return haze_probability(self.recognition[[0, 1, -1]].tolist(), value, haze, logit)

    def _tau(self, db: Tensor, row: int) -> Tensor:
        return 0.5 * (1 + torch.erf((db - GOOD_DB) / (self.deviation[row] * math.sqrt(2))))


def _regressed(x: Tensor, hazy: Tensor, ridge: float) -> Tensor:
    """Weights and offset of a logistic regression, (F + 1,) float64, with a ridge for the mean of the log loss.

    The offset has but the ridge that keeps it finite where all views are of a kind.
    """
    design = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    penalty = torch.full((design.shape[1],), ridge * len(x), dtype=x.dtype)
    penalty[-1] = _LEAST_RIDGE * len(x)
    return logistic_weights(design, hazy.double(), penalty)


def _log_scale(value: Tensor) -> Tensor:
    """Sign(v) log(1 + |v|): a value of 20 windows is not ten times the evidence that 2 are."""
    return value.sign() * value.abs().log1p()
