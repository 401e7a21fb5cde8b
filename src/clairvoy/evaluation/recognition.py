"""Is haze recognised where it is, and only there? Ranking and outcome, on photographs labelled hazy or clear."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clairvoy.errors import FileError, SettingsError
from clairvoy.evaluation.aggregate import percentile_interval
from clairvoy.evaluation.scores import RESAMPLES, rank
from clairvoy.imaging.files import read
from clairvoy.imaging.formats.raster import to_eight_bits

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Dehazer

LEFT_ALONE_DB = 35.0
"""A photograph that comes out at least this near to itself, in dB PSNR, was left alone; any other was restored."""
UNCHANGED_DB = 100.0
"""What stands for no change at all."""


@dataclass(frozen=True)
class Recognition:
    """What became of photographs, by their label."""

    hazy: NDArray[np.float64]
    """Probability of haze of each hazy photograph, (n,) in [0, 1]."""
    clear: NDArray[np.float64]
    """The same of each clear one, (m,)."""
    hazy_db: NDArray[np.float64]
    """PSNR of what each hazy photograph was made into against itself, (n,) in dB."""
    clear_db: NDArray[np.float64]
    """The same of each clear one, (m,)."""
    hazy_files: Sequence[Path]
    clear_files: Sequence[Path]

    def auroc(self) -> float:
        """Area under the ROC curve, see `area_under_roc`."""
        return area_under_roc(self.hazy, self.clear)

    def sensitivity(self) -> float:
        """Part of the hazy photographs that were restored: changed by more than `LEFT_ALONE_DB` allows."""
        return float((self.hazy_db < LEFT_ALONE_DB).mean())

    def specificity(self) -> float:
        """Part of the clear photographs that were left alone."""
        return float((self.clear_db >= LEFT_ALONE_DB).mean())

    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity: no matter how many photographs there are of each kind."""
        return (self.sensitivity() + self.specificity()) / 2

    def interval(self, measure: str) -> tuple[float, float]:
        """95 % percentile bootstrap interval of a measure by its method's name; each kind is drawn by itself."""

        def of_drawn(hazy: NDArray[np.int64], clear: NDArray[np.int64]) -> list[float]:
            drawn = (
                Recognition(self.hazy[h], self.clear[c], self.hazy_db[h], self.clear_db[c], (), ())
                for h, c in zip(hazy, clear, strict=True)
            )
            return [getattr(one, measure)() for one in drawn]

        return percentile_interval(of_drawn, self.hazy.shape, self.clear.shape, resamples=RESAMPLES)

    def misjudged(self) -> list[tuple[float, Path, str]]:
        """Probability, file and label of every photograph treated against its label, the worst first."""
        missed = [
            (p, f, "hazy ")
            for p, db, f in zip(self.hazy, self.hazy_db, self.hazy_files, strict=True)
            if db >= LEFT_ALONE_DB
        ]
        alarms = [
            (p, f, "clear")
            for p, db, f in zip(self.clear, self.clear_db, self.clear_files, strict=True)
            if db < LEFT_ALONE_DB
        ]
        return sorted(missed + alarms, key=lambda entry: -abs(entry[0] - (entry[2] == "hazy ")))

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
            ("balanced_accuracy", "balanced accuracy"),
            ("sensitivity", "hazy photographs restored"),
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
    """Let a dehazer do with each photograph what it thinks right, and see what it did.

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
        pixels = to_eight_bits(read(path).pixels)
        result = dehazer(pixels)
        found.append((result.report.haze_probability, _db(result.image, pixels)))
    values = np.asarray(found, dtype=np.float64).T
    (hazy_p, clear_p), (hazy_db, clear_db) = (np.split(row, [len(hazy)]) for row in values)
    return Recognition(hazy_p, clear_p, hazy_db, clear_db, list(hazy), list(clear))


def read_labels(path: Path) -> tuple[list[Path], list[Path]]:
    """Hazy and clear photographs of a table with the columns ``file``, beside the table, and ``label``.

    Labels are ``hazy`` and ``clear``; photographs with another one, such as ``unsure``, do not count.

    Raises
    ------
    FileError
        Not such a table, or one without photographs of both kinds.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["file"], row["label"].strip()) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, AttributeError, csv.Error) as error:
        raise FileError(
            f"{path}: not a table of labels ({error}); give a CSV file with the columns file and label"
        ) from error
    hazy, clear = (
        [path.parent / name for name, label in rows if label == kind] for kind in ("hazy", "clear")
    )
    if not hazy or not clear:
        raise FileError(
            f"{path}: labels {len(hazy)} photographs hazy and {len(clear)} clear; label some of each"
        )
    return hazy, clear


def _db(restored: NDArray[Any], pixels: NDArray[Any]) -> float:
    error = float(((restored.astype(np.float64) - pixels) ** 2).mean()) / 255**2
    return min(UNCHANGED_DB, -10 * math.log10(max(error, 1e-12)))
