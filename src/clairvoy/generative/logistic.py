"""Logistic regression: from signs to a share that holds on average."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

RIDGE = 1e-2
"""Penalty on the weights, that keeps a fit on few rows finite."""


def logistic_weights(design: Tensor, target: Tensor, penalty: Tensor, steps: int = 25) -> Tensor:
    """Weights (F,) that minimise the log loss and ``penalty @ weights ** 2 / 2``, by Newton's method.

    Parameters
    ----------
    design
        What is regressed on, a column of ones among it, (n, F) float64.
    target
        Shares, (n,) float64 in [0, 1].
    penalty
        Of each weight, for the sum of the log losses, (F,) float64.
    steps
        Each is no longer than 2, since Newton's method may overshoot where all is nearly certain.
    """
    weights = torch.zeros(design.shape[1], dtype=torch.float64)
    ridge = penalty.diag()
    for _ in range(steps):
        guess = torch.sigmoid(design @ weights)
        slope = design.T @ (guess - target) + ridge @ weights
        curve = (design * (guess * (1 - guess)).clamp(min=1e-6)[:, None]).T @ design + ridge
        step = torch.linalg.solve(curve, slope)
        weights = weights - step * min(1.0, 2.0 / max(1e-12, float(step.norm())))
    return weights


class LogisticFit:
    """The expected share of something, in [0, 1], given signs; see `fit`."""

    def __init__(self, signs: int) -> None:
        self.mean, self.spread = torch.zeros(signs), torch.ones(signs)
        self.weights: Tensor | None = None

    @property
    def fitted(self) -> bool:
        """Tell whether there is a fit yet."""
        return self.weights is not None

    def __call__(self, signs: Tensor) -> Tensor:
        """Expected shares (B,) of signs (B, S); a half before there is a fit."""
        if self.weights is None:
            return torch.full((len(signs),), 0.5)
        return torch.sigmoid(self._design(signs) @ self.weights)

    def fit(self, signs: Tensor, share: Tensor, steps: int = 25) -> None:
        """Fit by Newton's method to shares (B,) in [0, 1], B >= 2.

        A logistic regression also fits shares, not only yes and no: the fitted mean is calibrated on what it saw.
        """
        signs, target = signs.cpu(), share.cpu().double()
        self.mean, self.spread = signs.mean(dim=0), signs.std(dim=0, correction=0).clamp(min=1e-6)
        design = self._design(signs).double()
        penalty = torch.full((design.shape[1],), RIDGE * len(design), dtype=torch.float64)
        penalty[0] = 1e-6
        self.weights = logistic_weights(design, target, penalty, steps).float()

    def _design(self, signs: Tensor) -> Tensor:
        return torch.cat([torch.ones(len(signs), 1), (signs - self.mean) / self.spread], dim=1)

    def state_dict(self) -> dict[str, Any]:
        """The fit."""
        return {"mean": self.mean, "spread": self.spread, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.mean, self.spread, self.weights = state["mean"], state["spread"], state["weights"]
