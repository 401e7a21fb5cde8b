"""Is haze recognised where it is, and only there? Ranking and decision, on photographs labelled hazy or clear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clairvoy.errors import SettingsError
from clairvoy.evaluation.scores import rank
from clairvoy.generative.density.calibration import RESTORE_FROM

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Dehazer

_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Recognition:
    """Probability of haze of each photograph, (n,) in [0, 1], by its label, and the files in the same order."""

    hazy: NDArray[np.float64]
    clear: NDArray[np.float64]
    hazy_files: Sequence[Path]
    clear_files: Sequence[Path]

    def auroc(self) -> float:
        """Area under the ROC curve, see `area_under_roc`."""
        return area_under_roc(self.hazy, self.clear)

    def sensitivity(self) -> float:
        """Part of the hazy photographs in which haze is recognised."""
        return float((self.hazy >= RESTORE_FROM).mean())

    def specificity(self) -> float:
        """Part of the clear photographs in which none is."""
        return float((self.clear < RESTORE_FROM).mean())

    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity: no matter how many photographs there are of each kind."""
        return (self.sensitivity() + self.specificity()) / 2

    def interval(self, measure: str) -> tuple[float, float]:
        """95 % percentile bootstrap interval of a measure by its method's name; each kind is drawn by itself."""
        rng, values = np.random.default_rng(_SEED), []
        for _ in range(_RESAMPLES):
            hazy, clear = (rng.choice(kind, len(kind)) for kind in (self.hazy, self.clear))
            values.append(getattr(Recognition(hazy, clear, (), ()), measure)())
        low, high = np.quantile(values, (0.025, 0.975))
        return float(low), float(high)

    def misjudged(self) -> list[tuple[float, Path, str]]:
        """Probability, file and label of every photograph judged against its label, the furthest off first."""
        missed = [
            (p, f, "hazy ") for p, f in zip(self.hazy, self.hazy_files, strict=True) if p < RESTORE_FROM
        ]
        alarms = [
            (p, f, "clear") for p, f in zip(self.clear, self.clear_files, strict=True) if p >= RESTORE_FROM
        ]
        return sorted(missed + alarms, key=lambda entry: -abs(entry[0] - RESTORE_FROM))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: measures, intervals, and each photograph's probability."""
        return {
            **{
                name: {"value": getattr(self, name)(), "interval": self.interval(name)}
                for name in ("auroc", "balanced_accuracy", "sensitivity", "specificity")
            },
            "hazy": dict(zip(map(str, self.hazy_files), self.hazy.tolist(), strict=True)),
            "clear": dict(zip(map(str, self.clear_files), self.clear.tolist(), strict=True)),
        }

    def table(self) -> str:
        """The measures as text."""
        lines = []
        for name, label in (
            ("auroc", "area under the ROC curve"),
            ("balanced_accuracy", f"balanced accuracy at {RESTORE_FROM}"),
            ("sensitivity", "hazy photographs recognised"),
            ("specificity", "clear photographs left alone"),
        ):
            low, high = self.interval(name)
            lines.append(f"{label:<32}{getattr(self, name)():.3f}  [{low:.3f}, {high:.3f}]")
        lines.append(
            f"{len(self.hazy)} hazy and {len(self.clear)} clear photographs; in brackets: 95 % bootstrap intervals"
        )
        return "\n".join(lines)


def area_under_roc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counted half (Hanley and McNeil 1982).

    Parameters
    ----------
    positive, negative
        Scores, (n,) and (m,), at least one each.
    """
    positive, negative = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    ranks = rank(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def recognise(
    dehazer: Dehazer,
    hazy: Sequence[Path],
    clear: Sequence[Path],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Recognition:
    """Ask a dehazer for the probability of haze in each photograph; nothing is restored.

    Parameters
    ----------
    dehazer
        What recognises.
    hazy, clear
        Labelled photographs, at least one of each.
    progress
        Called before each photograph with (done, in all, name).

    Raises
    ------
    FileError
        A photograph cannot be read.
    SettingsError
        One kind is missing.
    """
    if not hazy or not clear:
        raise SettingsError(
            f"{len(hazy)} hazy and {len(clear)} clear photographs; recognition needs at least one of each"
        )
    found = []
    for done, path in enumerate([*hazy, *clear]):
        if progress is not None:
            progress(done, len(hazy) + len(clear), path.name)
        found.append(dehazer(path, strength=0).report.haze_probability)
    values = np.asarray(found, dtype=np.float64)
    return Recognition(values[: len(hazy)], values[len(hazy) :], list(hazy), list(clear))
