"""The run: every method over every picture, each result scored and dropped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import InputError, SettingsError
from clairvoy.evaluation.lpips import lpips
from clairvoy.evaluation.pairs import Pair, read_pair, read_unit
from clairvoy.evaluation.restorers import Restored, Restorer
from clairvoy.evaluation.scores import Evaluation, MethodScores
from clairvoy.imaging.quality import niqe, psnr, ssim

Array = NDArray[np.float32]


def evaluate(
    restorers: Mapping[str, Restorer],
    pairs: Sequence[Pair],
    clear_photos: Sequence[Path] | None = None,
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Run every method over every picture, with one picture in memory at a time.

    Parameters
    ----------
    restorers
        Methods by name; see `Restorer`.
    pairs
        Hazy pictures and their truth, for quality and trust. May be empty if there are clear photographs.
    clear_photos
        Pictures without haze, for harm. None: the clear side of the pairs, each once. Empty: no harm.
    progress
        Called before each picture with (pictures done, pictures in all, name).

    Raises
    ------
    FileError
        A picture cannot be read.
    InputError
        The two pictures of a pair differ in size, or a method gives no picture of the size it took.
    SettingsError
        No methods, or no pictures.

    Notes
    -----
    Methods take and give floats, and nothing is rounded to the file's bit depth. A method's time is the wall
    time of its call alone, without reading the file.
    """
    if clear_photos is None:
        clear_photos = sorted({pair.clear for pair in pairs})
    if not restorers or not (pairs or clear_photos):
        raise SettingsError(
            f"nothing to evaluate: {len(restorers)} methods, {len(pairs)} pairs, {len(clear_photos)} clear "
            "photographs; give at least one method and one picture"
        )
    scores = {name: MethodScores() for name in restorers}
    total = len(pairs) + len(clear_photos)
    for done, pair in enumerate(pairs):
        if progress is not None:
            progress(done, total, pair.hazy.name)
        hazy, clear = read_pair(pair)
        for name, restorer in restorers.items():
            restored = _run(name, restorer, hazy, scores[name])
            _score(restored, clear, str(pair.clear), scores[name])
    for done, path in enumerate(clear_photos, start=len(pairs)):
        if progress is not None:
            progress(done, total, path.name)
        clear = read_unit(path)
        for name, restorer in restorers.items():
            restored = _run(name, restorer, clear, scores[name])
            scores[name].harm_db.append(psnr(restored.image, clear))
    return Evaluation(scores, len(pairs), len({pair.clear for pair in pairs}), len(clear_photos))


def _run(name: str, restorer: Restorer, rgb: Array, scores: MethodScores) -> Restored:
    """Call a method on a copy, so that one that works in place cannot spoil the input of the next."""
    copy = rgb.copy()
    began = time.perf_counter()
    returned = restorer(copy)
    seconds = time.perf_counter() - began
    restored = returned if isinstance(returned, Restored) else Restored(returned)
    if restored.image.shape != rgb.shape or not np.isfinite(restored.image).all():
        raise InputError(
            f"method {name!r} gave {restored.image.shape} for {rgb.shape}, or numbers that are not finite; "
            "a restorer gives a picture of the size that it took, in [0, 1]"
        )
    scores.seconds_per_mpx.append(seconds / (rgb.shape[0] * rgb.shape[1] / 1e6))
    return restored


def _score(restored: Restored, clear: Array, scene: str, scores: MethodScores) -> None:
    scores.scenes.append(scene)
    scores.psnr_db.append(psnr(restored.image, clear))
    scores.ssim.append(_or_nan(ssim, restored.image, clear))
    scores.lpips.append(_or_nan(lpips, restored.image, clear))
    scores.niqe.append(_or_nan(niqe, restored.image))
    if restored.tau is not None:
        scores.tau.append(restored.tau)
    if restored.tau_db is not None:
        scores.tau_db.append(restored.tau_db)


def _or_nan(measure: Callable[..., float], *pictures: Array) -> float:
    """NaN where a picture is too small for a measure: the others still count."""
    try:
        return measure(*pictures)
    except InputError:
        return math.nan
