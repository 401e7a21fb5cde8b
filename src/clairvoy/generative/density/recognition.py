"""How sure it is that a picture has haze, and from where on it is restored; nothing here needs torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

RESTORE_FROM = 0.5
"""Probability of haze from which a picture is restored, gently at first; below it, it stays as it is.

Chosen on one half of labelled photographs and looked at on the other: a clear photograph is spoilt more than a hazy one
gains."""


def haze_probability(recognition: Sequence[float], value: float, haze: float, appearance: float) -> float:
    """Probability in [0, 1] that a picture has haze (Platt 1999).

    Parameters
    ----------
    recognition
        What a calibration fitted: the logit for each unit of the agent's value on a log scale, for each unit of `haze`,
        and at 0.
    value
        The agent's value of the picture.
    haze
        The mean 1 - t that the generator believes, in [0, 1].
    appearance
        What the appearance of the picture adds to the logit, see `Calibration.appearance_logit`.
    """
    per_value, per_haze, offset = recognition
    logit = per_value * math.copysign(math.log1p(abs(value)), value) + per_haze * haze + appearance + offset
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
