"""Calibration: from the signs of confidence to a PSNR in dB and to tau, and from what was found to P(haze).

A linear map (`signs`), fitted on held-out views, turns the signs that `perception` reads into a PSNR in dB; its residual
deviation turns that into

    tau = P(PSNR >= 20 dB) = Phi((dB - 20) / sigma),

a probability, so that it can be checked for calibration.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from clairvoy.generative.density.recognition import haze_probability
from clairvoy.generative.density.signs import GOOD_DB, RIDGE, SIGNS, fitted


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
        # Logit of the probability of haze: per unit of the agent's value (on a log scale), of 1 - t, and at 0.
        self.register_buffer("recognition", torch.tensor([1.0, 4.0, -1.0]))

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

    def fit_recognition(self, value: Tensor, haze: Tensor, hazy: Tensor, steps: int = 400) -> None:
        """Logistic regression (Platt 1999) of `hazy` (n,) bool on what a search found.

        Parameters
        ----------
        value
            The agent's value of each picture, (n,). Its advantage of recognising over moving on would tell less: in a
            picture full of haze it is all one which hazy window is recognised first.
        haze
            The generator's mean 1 - t, (n,) in [0, 1].
        hazy
            The truth.
        steps
            At most, of Newton's method.
        """
        x = torch.stack([_log_scale(value), haze, torch.ones_like(value)], dim=1).double()
        weight = torch.zeros(3, dtype=torch.float64)
        target = hazy.double()
        for _ in range(steps):
            # Newton's method with a small ridge, so that separable pictures do not push the weights to infinity.
            p = torch.sigmoid(x @ weight)
            gradient = x.T @ (p - target) / len(x) + 1e-3 * weight
            curvature = (x.T * (p * (1 - p))) @ x / len(x) + 1e-3 * torch.eye(3, dtype=torch.float64)
            change = torch.linalg.solve(curvature, gradient)
            weight = weight - change
            if float(change.abs().max()) < 1e-9:
                break
        self.recognition.copy_(weight.float())

    def haze_probability(self, value: float, haze: float) -> float:
        """Probability in [0, 1] that a picture has haze, from the agent's value of it and the mean 1 - t."""
        return haze_probability(self.recognition.tolist(), value, haze)

    def _tau(self, db: Tensor, row: int) -> Tensor:
        return 0.5 * (1 + torch.erf((db - GOOD_DB) / (self.deviation[row] * math.sqrt(2))))


def _log_scale(value: Tensor) -> Tensor:
    """Sign(v) log(1 + |v|): a value of 20 windows is not ten times the evidence that 2 are."""
    return value.sign() * value.abs().log1p()
