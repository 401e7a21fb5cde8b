"""From numbers for each picture to numbers for each method: means, intervals, quantiles, agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clairvoy.evaluation.aggregate import percentile_interval

DB_CAP = 100.0
"""Stands for a PSNR without bound in means, quantiles and ranks."""
MEASURES = ("psnr_db", "ssim", "lpips", "niqe")
RESAMPLES = 2000
"""Behind an interval over photographs."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean, its 95 % bootstrap interval, and the number of pictures in it. NaN where there are none."""

    mean: float
    low: float
    high: float
    n: int


@dataclass
class MethodScores:
    """What one method did, picture by picture; NaN where a picture is too small for a measure.

    Attributes
    ----------
    psnr_db, ssim, lpips, niqe
        Of each restored hazy picture, the first three against the truth.
    scenes
        Which truth each of these belongs to.
    tau, tau_db
        What the method said of each of these; empty for a method that says nothing.
    harm_db
        PSNR of each restored clear photograph against itself; infinite where no pixel changed.
    seconds_per_mpx
        Of each call, on hazy and on clear pictures.
    """

    psnr_db: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    lpips: list[float] = field(default_factory=list)
    niqe: list[float] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    tau: list[float] = field(default_factory=list)
    tau_db: list[float] = field(default_factory=list)
    harm_db: list[float] = field(default_factory=list)
    seconds_per_mpx: list[float] = field(default_factory=list)

    def estimate(self, measure: str) -> Estimate:
        """Mean of one of `MEASURES` over pictures, a PSNR counted as at most `DB_CAP`, with its interval.

        The bootstrap draws whole scenes: ten densities of haze over one view are no ten views.
        """
        values = np.asarray(getattr(self, measure), dtype=np.float64)
        if measure == "psnr_db":
            values = np.minimum(values, DB_CAP)
        known = ~np.isnan(values)
        return mean_and_interval(values[known], [self.scenes[k] for k in np.flatnonzero(known)])

    def harm(self) -> dict[str, float]:
        """Median and 5th percentile in dB, number of photographs of which no pixel changed, number in all."""
        capped = np.minimum(self.harm_db, DB_CAP)
        unchanged = sum(math.isinf(value) for value in self.harm_db)
        return {
            "median_db": _quantile(capped, 0.5),
            "p5_db": _quantile(capped, 0.05),
            "unchanged": unchanged,
            "n": len(capped),
        }

    def trust(self) -> dict[str, float] | None:
        """Agreement of the method's confidence with its true PSNR; None for a method that gives none.

        ``rank_correlation`` is Spearman's, of tau with the PSNR (NaN if either is constant); ``mae_db`` the
        mean absolute error of tau_db.
        """
        truth = np.minimum(self.psnr_db, DB_CAP)
        if not (len(truth) and len(self.tau) == len(self.tau_db) == len(truth)):
            return None
        error = np.abs(np.minimum(self.tau_db, DB_CAP) - truth)
        return {"rank_correlation": rank_correlation(self.tau, truth), "mae_db": float(error.mean())}

    def to_dict(self) -> dict[str, Any]:
        """Means and intervals, harm, trust and the median of the seconds per megapixel."""
        return {
            **{measure: asdict(self.estimate(measure)) for measure in MEASURES},
            "harm": self.harm(),
            "trust": self.trust(),
            "seconds_per_mpx": _quantile(np.asarray(self.seconds_per_mpx), 0.5),
        }


@dataclass(frozen=True)
class Evaluation:
    """`MethodScores` by the method's name, and how many pictures and scenes they rest on."""

    methods: dict[str, MethodScores]
    pairs: int
    scenes: int
    clear_photos: int

    def to_dict(self) -> dict[str, Any]:
        """Everything in the table, as JSON can hold it: what is not known is None."""
        known: dict[str, Any] = _json(
            {
                "pairs": self.pairs,
                "scenes": self.scenes,
                "clear_photos": self.clear_photos,
                "methods": {name: scores.to_dict() for name, scores in self.methods.items()},
            }
        )
        return known

    def table(self) -> str:
        """Give the means as text: a line for each method, intervals below the means, then trust."""
        heads = ("method", "PSNR dB", "SSIM", "LPIPS", "NIQE", "harm dB", "unchanged", "s/Mpx")
        rows: list[tuple[str, ...]] = [
            heads,
            ("", "more", "more", "less", "less", "median (5 %)", "", "less"),
        ]
        for name, scores in self.methods.items():
            rows += _rows(name, scores)
        widths = [max(len(row[k]) for row in rows) for k in range(len(heads))]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in rows
        ]
        lines += [
            _trust_line(name, trust) for name, s in self.methods.items() if (trust := s.trust()) is not None
        ]
        counts = f"{self.pairs} pairs of {self.scenes} scenes, {self.clear_photos} clear photographs"
        return "\n".join(
            [line.rstrip() for line in lines] + [f"{counts}; in brackets: 95 % bootstrap intervals"]
        )


def mean_and_interval(values: Array, groups: Sequence[str]) -> Estimate:
    """Mean of values and its 95 % percentile bootstrap interval, where groups are drawn as wholes."""
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(group, weights=values), np.bincount(group)

    def mean(drawn: NDArray[np.int64]) -> Array:
        return np.asarray(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))

    low, high = percentile_interval(mean, sums.shape, resamples=RESAMPLES)
    return Estimate(float(values.mean()), low, high, len(values))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation, in [-1, 1]; equal values share their mean rank. NaN if a or b is constant.

    Parameters
    ----------
    a, b
        (n,) each.
    """
    ranks_a, ranks_b = rank(a), rank(b)
    centred_a, centred_b = ranks_a - ranks_a.mean(), ranks_b - ranks_b.mean()
    norm = math.sqrt((centred_a @ centred_a) * (centred_b @ centred_b))
    return float(centred_a @ centred_b / norm) if norm else math.nan


def rank(values: ArrayLike) -> Array:
    """Ranks from 1 of (n,) values; equal values share their mean rank."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)


def _quantile(values: Array, q: float) -> float:
    return float(np.quantile(values, q)) if len(values) else math.nan


def _rows(name: str, scores: MethodScores) -> list[tuple[str, ...]]:
    estimates = [scores.estimate(measure) for measure in MEASURES]
    harm, digits = scores.harm(), (2, 3, 3, 2)
    seconds = _quantile(np.asarray(scores.seconds_per_mpx), 0.5)
    means = [_text(e.mean, d) for e, d in zip(estimates, digits, strict=True)]
    intervals = [
        f"[{_text(e.low, d)}, {_text(e.high, d)}]" if e.n else ""
        for e, d in zip(estimates, digits, strict=True)
    ]
    harm_text = f"{_text(harm['median_db'], 1)} ({_text(harm['p5_db'], 1)})" if harm["n"] else "-"
    unchanged = f"{harm['unchanged']} of {harm['n']}" if harm["n"] else "-"
    return [(name, *means, harm_text, unchanged, _text(seconds, 2)), ("", *intervals, "", "", "")]


def _trust_line(name: str, trust: dict[str, float]) -> str:
    return (
        f"{name}: its confidence tau against its true PSNR: Spearman's rank correlation "
        f"{_text(trust['rank_correlation'], 2)}, mean absolute error {_text(trust['mae_db'], 2)} dB"
    )


def _text(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
