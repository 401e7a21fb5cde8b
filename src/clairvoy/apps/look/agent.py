"""Where a trained agent looks in a panorama, and what its generator imagines of the rest after each glimpse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from clairvoy.apps.look.page import Glimpse, Imagined, Trusted
from clairvoy.errors import SettingsError
from clairvoy.scenarios.panorama.directions import DIRECTIONS, looks_at
from clairvoy.scenarios.panorama.model import load_model


@torch.no_grad()
def looked_around(
    model: Path, pixels: npt.NDArray[Any], glimpses: int | None = None
) -> tuple[list[Glimpse], list[Imagined]]:
    """Glimpses in their order; what is imagined before the first and after each.

    Parameters
    ----------
    model
        A file of `LookingModel.save`.
    pixels
        A whole panorama, (H, W, 3) uint8 or uint16.
    glimpses
        How many of those that the agent learnt with; all if None.

    Raises
    ------
    WeightsError
        The model is no such file.
    SettingsError
        It learnt with fewer glimpses.
    """
    trained = load_model(model)
    looking = trained.looking
    if glimpses is not None and glimpses > looking.glimpses:
        raise SettingsError(f"{model}: learnt with {looking.glimpses} glimpses; ask for no more than those")
    size = (2 * looking.height, looking.height)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    small = small if small.dtype == np.uint8 else np.right_shift(small, 8).astype(np.uint8)
    shown = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous()
    order = trained.choose(shown)[0, :glimpses].tolist()
    imagined, taken = [], torch.zeros(1, DIRECTIONS, dtype=torch.bool)
    for direction in [None, *order]:
        if direction is not None:
            taken[0, direction] = True
        told = trained.tau(trained.snapshot, shown, taken)
        trusted = [Trusted(*looks_at(d), float(tau)) for d, tau in enumerate(told.directions[0])]
        picture = told.completed[0].permute(1, 2, 0).contiguous().numpy()
        imagined.append(Imagined(picture, np.asarray(told.pixels[0].numpy(), np.float32), trusted))
    return [Glimpse(*looks_at(direction)) for direction in order], imagined
