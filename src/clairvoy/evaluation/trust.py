"""Is the confidence tau right? Predicted before the truth is known, compared with it on pictures whose haze was drawn.

Scenes of mixed densities, clear ones among them, are made of photographs that the weights have not seen; each is
restored whether or not haze is recognised. Measured are the rank correlation of tau with the true PSNR, the mean
absolute error in dB, the expected calibration error of tau as a probability, and how the map of tau goes with the map
of the true error. Each sign is ablated: left out, and the map from signs to dB fitted anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.evaluation.scores import rank_correlation
from clairvoy.generative.density.calibration import GOOD_DB, SIGNS, Calibration, to_db
from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.picture_size import CELL
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker, ViewPool

BATCH = 16
ABLATED = ("spread", "discriminator", "residual")
"""The signs that tau is named for; the others are plain facts of the picture."""


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
    perceiver: Perceiver,
    photographs: Sequence[Path],
    *,
    pictures: int = 240,
    rooms: float = 0.3,
    clear: float = 0.25,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Trust:
    """Compare tau with the truth on pictures whose haze is drawn.

    Parameters
    ----------
    perceiver
        Trained weights, on the CPU.
    photographs
        Clear ones, not among those that the weights were trained on.
    pictures
        How many, at least 20.
    rooms
        Part of them that are rendered rooms, in [0, 1].
    clear
        Part of them without haze, in [0, 1].
    seed
        Of pictures and haze.
    progress
        Called before each batch with (pictures done, in all, what).

    Raises
    ------
    FileError
        A photograph cannot be read, or there is none.
    SettingsError
        Too few pictures, or a part outside [0, 1].
    """
    if pictures < 20:
        raise SettingsError(f"{pictures} pictures are too few to tell a correlation; give at least 20")
    for name, part in (("rooms", rooms), ("clear", clear)):
        if not 0 <= part <= 1:
            raise SettingsError(f"{name} is {part}; it must lie in [0, 1]")
    pool = ViewPool(ViewMaker(Photographs(photographs), seed=seed, rooms=rooms), BATCH)
    rng = torch.Generator().manual_seed(seed)
    settings = HazeSettings(clear=clear)
    signs, errors, hazy = [], [], []
    for done in range(0, pictures, BATCH):
        if progress is not None:
            progress(done, pictures, f"pictures {done + 1} to {min(done + BATCH, pictures)}")
        pool.extend(BATCH)
        drawn = pool.draw(min(BATCH, pictures - done), rng, settings)
        seen = perceiver.perceive(drawn.hazy, rng)
        restored = perceiver.restore(drawn.hazy, seen)
        signs.append(seen.signs)
        errors.append(F.avg_pool2d((restored - drawn.clear).square().mean(dim=1, keepdim=True), CELL))
        hazy.append(drawn.optical_depth.mean(dim=(1, 2, 3)) > 0)
    return compare(perceiver.calibration, torch.cat(signs), torch.cat(errors), torch.cat(hazy))


def compare(calibration: Calibration, signs: Tensor, squared_error: Tensor, hazy: Tensor) -> Trust:
    """Measure agreement from signs (n, S, h, w), true squared errors (n, 1, h, w) and which pictures are hazy (n,)."""
    db = to_db(squared_error.mean(dim=(1, 2, 3)))
    tau, predicted = calibration.of_picture(signs)
    # The predicted PSNR ranks like tau, but does not saturate at 0 and 1, where floats would tie.
    _, cells = calibration.of_cells(signs)
    within = [
        rank_correlation(cells[k].flatten(), -squared_error[k].flatten()) for k in hazy.nonzero().flatten()
    ]
    known = [value for value in within if not math.isnan(value)]
    ablations = {"nothing": _refitted(signs, squared_error, ())}
    for name in ABLATED:
        ablations[name] = _refitted(signs, squared_error, (name,))
    ablations[" and ".join(ABLATED)] = _refitted(signs, squared_error, ABLATED)
    return Trust(
        predicted=_agreement(predicted, db),
        calibration_error=expected_calibration_error(tau, db >= GOOD_DB),
        map_rank_correlation=float(np.mean(known)) if known else math.nan,
        pooled_map_rank_correlation=rank_correlation(cells.flatten(), -squared_error.flatten()),
        ablations=ablations,
        mean_db=float(db.mean()),
    )


def _agreement(predicted: Tensor, db: Tensor) -> Agreement:
    return Agreement(rank_correlation(predicted, db), float((predicted - db).abs().mean()), len(db))


def _refitted(signs: Tensor, squared_error: Tensor, without: Sequence[str]) -> Agreement:
    """Fit on the even pictures with some signs held constant, measure on the odd ones."""
    kept = signs.clone()
    for name in without:
        kept[:, SIGNS.index(name)] = 0
    fitted = Calibration()
    fitted.fit(kept[::2], squared_error[::2])
    _, predicted = fitted.of_picture(kept[1::2])
    return _agreement(predicted, to_db(squared_error[1::2].mean(dim=(1, 2, 3))))
