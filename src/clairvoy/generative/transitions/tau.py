"""Confidence tau of a generated transition: how near it is to what the world would have done, said beforehand.

Three signs: how far the ensemble's members lie apart (*spread*), what they leave to chance (*doubt*, for bits), and
what the *discriminator* says. A logistic regression, fitted on transitions that the generator has not learnt from, turns
them into the expected gap (`Outcomes.gap`), and tau = 1 - gap.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clairvoy.generative.transitions.learner import Made

SIGNS = ("spread", "doubt", "discriminator")
RIDGE = 1e-2
"""Penalty on the weights, that keeps a fit on few transitions finite."""


def signs(made: Made) -> Tensor:
    """What tau is computed from, (B, len(SIGNS))."""
    return torch.stack(
        [torch.log(made.spread + 1e-4), torch.log(made.doubt + 1e-5), made.logit.clamp(-8, 8)], dim=1
    ).cpu()


class TransitionTau:
    """The fit; before there is one, tau is 0: nothing is known."""

    def __init__(self) -> None:
        self.mean, self.spread = torch.zeros(len(SIGNS)), torch.ones(len(SIGNS))
        self.weights: Tensor | None = None

    def __call__(self, made: Made) -> Tensor:
        """Tau (B,) in [0, 1]."""
        measured = signs(made)
        if self.weights is None:
            return torch.zeros(len(measured))
        return 1 - torch.sigmoid(self._design(measured) @ self.weights)

    def fit(self, made: Made, gap: Tensor, steps: int = 25) -> None:
        """Fit by Newton's method to the gaps (B,) in [0, 1] of transitions made for real ones, B >= 2.

        A logistic regression also fits shares, not only yes and no: the fitted mean is calibrated on what it saw.
        """
        measured, target = signs(made), gap.cpu().double()
        self.mean, self.spread = measured.mean(dim=0), measured.std(dim=0, correction=0).clamp(min=1e-6)
        design = self._design(measured).double()
        weights = torch.zeros(design.shape[1], dtype=torch.float64)
        penalty = torch.full_like(weights, RIDGE * len(design)).diag()
        penalty[0, 0] = 1e-6
        for _ in range(steps):
            guess = torch.sigmoid(design @ weights)
            slope = design.T @ (guess - target) + penalty @ weights
            curve = (design * (guess * (1 - guess)).clamp(min=1e-6)[:, None]).T @ design + penalty
            step = torch.linalg.solve(curve, slope)
            weights = weights - step * min(1.0, 2.0 / max(1e-12, float(step.norm())))
        self.weights = weights.float()

    def _design(self, measured: Tensor) -> Tensor:
        return torch.cat([torch.ones(len(measured), 1), (measured - self.mean) / self.spread], dim=1)

    def state_dict(self) -> dict[str, Any]:
        """The fit."""
        return {"mean": self.mean, "spread": self.spread, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.mean, self.spread, self.weights = state["mean"], state["spread"], state["weights"]
