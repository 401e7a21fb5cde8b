"""Pictures whose truth is known because their haze was drawn, as it is for training: in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from clairvoy.errors import SettingsError
from clairvoy.evaluation.trust import FEWEST, Known
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker, ViewPool

BATCH = 16
"""Pictures that are drawn together: with another number, others are drawn."""


def draw(
    photographs: Sequence[Path],
    *,
    pictures: int = 240,
    rooms: float = 0.3,
    clear: float = 0.25,
    seed: int = 0,
) -> Iterator[Known]:
    """Scenes of mixed densities, clear ones among them.

    Parameters
    ----------
    photographs
        Clear ones, not among those that the weights were trained on.
    pictures
        How many, at least `FEWEST`.
    rooms
        Part of them that are rendered rooms, in [0, 1].
    clear
        Part of them without haze, in [0, 1].
    seed
        Of pictures and haze.

    Raises
    ------
    FileError
        A photograph cannot be read, or there is none.
    SettingsError
        Too few pictures, or a part outside [0, 1].
    """
    if pictures < FEWEST:
        raise SettingsError(f"{pictures} pictures are too few to tell a correlation; give at least {FEWEST}")
    for name, part in (("rooms", rooms), ("clear", clear)):
        if not 0 <= part <= 1:
            raise SettingsError(f"{name} is {part}; it must lie in [0, 1]")
    return _drawn(ViewMaker(Photographs(photographs), seed=seed, rooms=rooms), pictures, clear, seed)


def _drawn(maker: ViewMaker, pictures: int, clear: float, seed: int) -> Iterator[Known]:
    pool, rng = ViewPool(maker, BATCH), torch.Generator().manual_seed(seed)
    for done in range(0, pictures, BATCH):
        pool.extend(BATCH)
        drawn = pool.draw(min(BATCH, pictures - done), rng, HazeSettings(clear=clear))
        has_haze = drawn.optical_depth.mean(dim=(1, 2, 3)) > 0
        hazy, truth = (
            np.ascontiguousarray(part.permute(0, 2, 3, 1).numpy()) for part in (drawn.hazy, drawn.clear)
        )
        yield from map(Known, hazy, truth, has_haze.tolist())
