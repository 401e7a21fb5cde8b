"""Do probabilities hold? Told before an outcome is known, compared with how often it came."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from clairvoy.errors import InputError

BINS = 10
"""Of equal width, over [0, 1]."""


class Bin(NamedTuple):
    """Probabilities that lie near one another."""

    probability: float
    """Their mean."""
    frequency: float
    """How often the outcome came."""
    size: int
    """How many there are."""


def reliability(probability: ArrayLike, outcome: ArrayLike) -> list[Bin]:
    """The bins that hold anything, from low to high: the points of a reliability curve.

    Parameters
    ----------
    probability
        (n,) in [0, 1].
    outcome
        (n,) bool.

    Raises
    ------
    InputError
        There is nothing, or not one outcome for each probability.
    """
    said, came = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if said.ndim != 1 or said.shape != came.shape or not len(said):
        raise InputError(f"probabilities are {said.shape} and outcomes {came.shape}; give (n,) of both")
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, said, minlength=BINS), np.bincount(place, came, minlength=BINS)
    return [
        Bin(sums[0][b] / counts[b], sums[1][b] / counts[b], int(counts[b])) for b in np.flatnonzero(counts)
    ]


def expected_calibration_error(probability: ArrayLike, outcome: ArrayLike) -> float:
    """Mean gap between probability and frequency over the bins, weighted by their counts (Naeini et al. 2015).

    Parameters and errors are those of `reliability`.
    """
    bins = reliability(probability, outcome)
    gaps = sum(bin.size * abs(bin.probability - bin.frequency) for bin in bins)
    return float(gaps / sum(bin.size for bin in bins))
