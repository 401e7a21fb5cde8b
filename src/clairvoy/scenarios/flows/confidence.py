"""Confidence tau: what is believed of a flow as probabilities that hold on flows that were not learnt from.

Beliefs are learnt with all classes equally frequent, and a network is bolder than it is right. One scale for the logits
(temperature; Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017) and an offset for each class put both
right; they are fitted on flows held back for it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Confidence(nn.Module):
    """From logits (B, C) to calibrated log-probabilities (B, C): ``log softmax(scale * logits + offset)``."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(classes))

    def forward(self, logits: Tensor) -> Tensor:
        """Log-probabilities (B, C)."""
        return (self.log_scale.exp() * logits + self.offset).log_softmax(dim=1)

    def fit(self, logits: Tensor, classes: Tensor, shares: Tensor, ridge: float = 1e-3) -> None:
        """Fit on flows that were not learnt from.

        Parameters
        ----------
        logits
            Of each, (B, C).
        classes
            The truth, (B,) int64.
        shares
            Of the classes among flows, (C,), above 0: where few flows speak, the offset stays at its log.
        ridge
            How strongly it stays there, for each flow.
        """
        prior = shares.log() - shares.log().mean()
        with torch.no_grad():
            self.log_scale.zero_()
            self.offset.copy_(prior)
        optimizer = torch.optim.LBFGS(self.parameters(), max_iter=100, line_search_fn="strong_wolfe")
        # Rows of no great number must not be explained perfectly: as if there were at least a hundred.
        strength = ridge * max(1.0, 100 / max(1, len(classes)))

        def loss() -> Tensor:
            optimizer.zero_grad()
            stray = self.log_scale.square() + (self.offset - prior).square().sum()
            value = F.nll_loss(self(logits), classes) + strength * stray
            value.backward()
            return value

        optimizer.step(loss)
