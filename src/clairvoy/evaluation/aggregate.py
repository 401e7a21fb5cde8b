"""Few runs, honestly summed up: interquartile means with stratified bootstrap intervals, paired where runs are pairs.

Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice*, NeurIPS 2021 (the method of
their library rliable), written anew. Scores are (runs, tasks): a run is a seed, a task is a thing that is measured in
each run and has a distribution of its own. The bootstrap draws runs anew for each task by itself (stratified).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clairvoy.errors import InputError

RESAMPLES = 10_000
"""Bootstrap samples behind an interval."""
CONFIDENCE = 0.95
"""Of an interval."""


@dataclass(frozen=True)
class Interval:
    """A statistic and its percentile bootstrap interval."""

    value: float
    low: float
    high: float
    runs: int
    """Seeds behind it."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> NDArray[np.float64]:
    """Mean of the middle half: the lowest and the highest quarter are left out, rounded down.

    Parameters
    ----------
    scores
        Any shape, at least one number along `axis`.
    axis
        Along which; None takes all numbers together.

    Returns
    -------
    ndarray
        Without that axis. Of 5 numbers it is the mean of the middle 3 (int(5 / 4) = 1 is cut at each end), which is
        ``scipy.stats.trim_mean(scores, 0.25)``.
    """
    values = np.asarray(scores, dtype=np.float64)
    values = values.reshape(-1) if axis is None else np.moveaxis(values, axis, -1)
    count = values.shape[-1]
    if count == 0:
        raise InputError("there are no scores to sum up; give at least one")
    cut = int(0.25 * count)
    middle: NDArray[np.float64] = np.sort(values, axis=-1)[..., cut : count - cut].mean(axis=-1)
    return middle


def percentile_interval(
    statistic: Callable[..., ArrayLike],
    *shapes: tuple[int, ...],
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> tuple[float, float]:
    r"""Percentile bootstrap interval of a statistic of one or more samples, each drawn anew with replacement.

    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13.

    Parameters
    ----------
    statistic
        Takes for each sample the rows drawn of it, int64 (resamples, \*shape), and gives (resamples,).
    shapes
        Of each sample, (n, ...): rows are drawn among n, and for every column by itself.
    resamples, confidence, seed
        How often to draw, how much the interval covers, and what decides the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(shape[0], size=(resamples, *shape)) for shape in shapes]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(statistic(*drawn)), (tail, 1 - tail))
    return float(low), float(high)


def bootstrap(
    scores: ArrayLike,
    statistic: Callable[..., NDArray[np.float64]] = interquartile_mean,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """Sum up scores (runs,) or (runs, tasks) over all runs and tasks, with a stratified bootstrap interval.

    Parameters
    ----------
    scores
        Finite. For a paired comparison give the differences of the pairs.
    statistic
        Takes (..., n) and ``axis=-1``.
    resamples, confidence, seed
        Of the percentile bootstrap. With one run the interval is empty: its value at both ends.
    """
    values = np.asarray(scores, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"scores have shape {values.shape}; give finite (runs,) or (runs, tasks)")

    def of_drawn(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        samples = np.take_along_axis(values[None], rows, axis=1)
        return statistic(samples.reshape(len(rows), -1), axis=-1)

    low, high = percentile_interval(
        of_drawn, values.shape, resamples=resamples, confidence=confidence, seed=seed
    )
    return Interval(float(statistic(values.reshape(-1), axis=-1)), low, high, len(values))


def paired_difference(scores: ArrayLike, baseline: ArrayLike) -> Interval:
    """Interquartile mean of `scores` - `baseline` (runs,) or (runs, tasks); row i of both is the same seed.

    Pairs share scenes, first weights and held-out scenes, so what a lucky seed gives to both drops out.
    """
    one, other = np.asarray(scores, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if one.shape != other.shape:
        raise InputError(f"{one.shape} and {other.shape} scores are no pairs; give the same seeds for both")
    return bootstrap(one - other)
