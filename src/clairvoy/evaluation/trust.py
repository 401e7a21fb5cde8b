"""Is the confidence tau right? Predicted before the truth is known, compared with it on pictures whose truth is known.

Each picture is restored at the size that it is perceived at, whether or not haze is recognised. Measured are the rank
correlation of tau with the true PSNR, the mean absolute error in dB, the expected calibration error of tau as a
probability, and how the map of tau goes with the map of the true error. Each sign is ablated: left out, and the map from
signs to dB fitted anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clairvoy.errors import SettingsError
from clairvoy.evaluation.pairs import Pair, read_pair
from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.evaluation.scores import rank_correlation
from clairvoy.generative.density.picture_size import CELL, working_size
from clairvoy.generative.density.signs import GOOD_DB, SIGNS, DbMap, fitted, to_db
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.full_resolution import FullResolution
from clairvoy.restoring.planes import as_planes, small

Float = npt.NDArray[np.float32]

FEWEST = 20
"""Pictures from which on a correlation says something."""
ABLATED = ("spread", "discriminator", "residual")
"""The signs that tau is named for; the others are plain facts of the picture."""


class Known(NamedTuple):
    """A picture whose truth is known, at a size that it can be perceived at: multiples of 16."""

    hazy: Float
    """(H, W, 3) in [0, 1]."""
    clear: Float
    """The same without haze."""
    has_haze: bool


class Judged(NamedTuple):
    """What was said of a restoration before its truth was known, and the truth."""

    tau: float
    tau_db: float
    signs: Float
    """(S, h, w), of cells of `CELL` pixels."""
    squared_error: Float
    """(h, w), means over cells and colours."""
    has_haze: bool


@dataclass(frozen=True)
class Agreement:
    """How well a confidence agrees with the truth, over n pictures."""

    rank_correlation: float
    """Spearman's, of the confidence with the true PSNR."""
    mae_db: float
    """Mean absolute error of the PSNR that was predicted."""
    n: int


@dataclass(frozen=True)
class Trust:
    """What `measure_trust` found."""

    predicted: Agreement
    """Of the weights as they are."""
    calibration_error: float
    """Expected calibration error of tau, see `expected_calibration_error`."""
    map_rank_correlation: float
    """Spearman's, of tau with minus the squared error over the cells of one picture; mean over hazy pictures."""
    pooled_map_rank_correlation: float
    """The same over all cells of all pictures at once."""
    ablations: dict[str, Agreement]
    """By what was left out ("nothing": the full map), each fitted on one half of the pictures, measured on the other."""
    mean_db: float
    """Mean true PSNR."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """Give the figures as text."""
        lines = [
            f"{self.predicted.n} pictures, true PSNR {self.mean_db:.2f} dB on average",
            f"{'rank correlation of tau with the PSNR':<52}{self.predicted.rank_correlation:6.3f}",
            f"{'mean absolute error':<52}{self.predicted.mae_db:6.2f} dB",
            f"{f'calibration error of P(PSNR >= {GOOD_DB:g} dB)':<52}{self.calibration_error:6.3f}",
            f"{'map: rank correlation within a hazy picture':<52}{self.map_rank_correlation:6.3f}",
            f"{'map: rank correlation over all cells':<52}{self.pooled_map_rank_correlation:6.3f}",
            "fitted on half of the pictures, measured on the others, without ...",
        ]
        for name, found in self.ablations.items():
            lines.append(f"  {name:<50}{found.rank_correlation:6.3f}  {found.mae_db:.2f} dB")
        return "\n".join(lines)


def measure_trust(
    engine: Engine, pictures: Iterable[Known], *, progress: Callable[[int], None] | None = None
) -> Trust:
    """Compare tau with the truth.

    Parameters
    ----------
    engine
        Trained weights.
    pictures
        At least `FEWEST`, such as `pictures_of_pairs` or `drawn_pictures.draw` gives.
    progress
        Called before each picture with the number of those done.

    Raises
    ------
    SettingsError
        Too few pictures.
    WeightsError
        The graphs of the weights do not tell signs.
    ClairvoyError
        A picture cannot be read.
    """
    judged = []
    for done, known in enumerate(pictures):
        if progress is not None:
            progress(done)
        judged.append(judge(engine, known))
    return compare(engine.released.db_of_cells, judged)


def judge(engine: Engine, known: Known) -> Judged:
    """Perceive and restore a picture, and compare with its truth."""
    seen = engine.perceive(as_planes(known.hazy))
    restored = FullResolution(seen.grid[0], engine.released.guide, seen.airlight[0]).restore(known.hazy)
    error = np.square(restored - known.clear).mean(axis=2)
    rows, columns = (length // CELL for length in error.shape)
    cells = error.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))
    return Judged(float(seen.tau[0]), float(seen.tau_db[0]), seen.signs[0], cells, known.has_haze)


def pictures_of_pairs(pairs: Sequence[Pair]) -> Iterator[Known]:
    """Real pairs, at the size that their hazy pictures are perceived at.

    Raises
    ------
    ClairvoyError
        A picture cannot be read, or a pair is not of one size.
    """
    for pair in pairs:
        planes = [small(rgb, None, working_size(*rgb.shape[:2])) for rgb in read_pair(pair)]
        hazy, clear = (np.ascontiguousarray(one[0].transpose(1, 2, 0)) for one in planes)
        yield Known(hazy, clear, True)


def compare(db_of_cells: DbMap, judged: Sequence[Judged]) -> Trust:
    """Measure agreement.

    Parameters
    ----------
    db_of_cells
        The map from the signs of a cell to its PSNR that the weights come with. It ranks like tau, but does not saturate
        at 0 and 1, where floats would tie.
    judged
        At least `FEWEST` pictures.

    Raises
    ------
    SettingsError
        There are fewer.
    """
    if len(judged) < FEWEST:
        raise SettingsError(
            f"{len(judged)} pictures are too few to tell a correlation; give at least {FEWEST}"
        )
    db = _true_db(judged)
    cells = [db_of_cells(one.signs.reshape(len(SIGNS), -1).T) for one in judged]
    errors = [one.squared_error.ravel() for one in judged]
    within = [rank_correlation(cells[k], -errors[k]) for k in range(len(judged)) if judged[k].has_haze]
    known = [value for value in within if not math.isnan(value)]
    ablations = {"nothing": _refitted(judged, ())}
    for name in ABLATED:
        ablations[name] = _refitted(judged, (name,))
    ablations[" and ".join(ABLATED)] = _refitted(judged, ABLATED)
    return Trust(
        predicted=_agreement(np.array([one.tau_db for one in judged]), db),
        calibration_error=expected_calibration_error([one.tau for one in judged], db >= GOOD_DB),
        map_rank_correlation=float(np.mean(known)) if known else math.nan,
        pooled_map_rank_correlation=rank_correlation(np.concatenate(cells), -np.concatenate(errors)),
        ablations=ablations,
        mean_db=float(db.mean()),
    )


def _true_db(judged: Sequence[Judged]) -> npt.NDArray[np.float64]:
    db: npt.NDArray[np.float64] = to_db(
        np.array([one.squared_error.mean(dtype=np.float64) for one in judged])
    )
    return db


def _agreement(predicted: npt.NDArray[Any], db: npt.NDArray[Any]) -> Agreement:
    return Agreement(rank_correlation(predicted, db), float(np.abs(predicted - db).mean()), len(db))


def _refitted(judged: Sequence[Judged], without: Sequence[str]) -> Agreement:
    """Fit on the even pictures with some signs held constant, measure on the odd ones."""
    kept = np.array([one.signs.mean(axis=(1, 2), dtype=np.float64) for one in judged])
    kept[:, [SIGNS.index(name) for name in without]] = 0
    errors = np.array([one.squared_error.mean(dtype=np.float64) for one in judged])
    db_of_pictures, _ = fitted(kept[::2], errors[::2])
    return _agreement(db_of_pictures(kept[1::2]), to_db(errors[1::2]))
