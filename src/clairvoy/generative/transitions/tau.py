"""Confidence tau of a generated transition: how near it is to what the world would have done, said beforehand.

Three signs: how far the ensemble's members lie apart (*spread*), what they leave to chance (*doubt*, for bits), and
what the *discriminator* says. A logistic regression, fitted on transitions that the generator has not learnt from, turns
them into the expected gap (`Outcomes.gap`), and tau = 1 - gap.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clairvoy.generative.logistic import LogisticFit
from clairvoy.generative.transitions.learner import Made

SIGNS = ("spread", "doubt", "discriminator")


def signs(made: Made) -> Tensor:
    """What tau is computed from, (B, len(SIGNS))."""
    return torch.stack(
        [torch.log(made.spread + 1e-4), torch.log(made.doubt + 1e-5), made.logit.clamp(-8, 8)], dim=1
    ).cpu()


class TransitionTau:
    """The fit; before there is one, tau is 0: nothing is known."""

    def __init__(self) -> None:
        self.gap = LogisticFit(len(SIGNS))

    @property
    def fitted(self) -> bool:
        """Tell whether there is a fit yet."""
        return self.gap.fitted

    def __call__(self, made: Made) -> Tensor:
        """Tau (B,) in [0, 1]."""
        measured = signs(made)
        return 1 - self.gap(measured) if self.fitted else torch.zeros(len(measured))

    def fit(self, made: Made, gap: Tensor) -> None:
        """Fit to the gaps (B,) in [0, 1] of transitions made for real ones, B >= 2."""
        self.gap.fit(signs(made), gap)

    def state_dict(self) -> dict[str, Any]:
        """The fit."""
        return self.gap.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.gap.load_state_dict(state)
