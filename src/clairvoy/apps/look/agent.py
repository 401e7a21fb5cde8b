"""Where a trained agent looks in a panorama, and what its generator imagines of the rest after each glimpse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from clairvoy.apps.look.page import Glimpse, Imagined
from clairvoy.errors import SettingsError
from clairvoy.scenarios.panorama.completion import complete, uncertainty
from clairvoy.scenarios.panorama.directions import looks_at, seen_from
from clairvoy.scenarios.panorama.training import by_agent, load_looking

DRAWS = 8
"""Completions whose spread says how sure the imagined is."""
_DOUBT = 0.15
"""Standard deviation, in a range of 1, at which nothing is sure."""


@torch.no_grad()
def looked_around(
    model: Path, pixels: npt.NDArray[Any], glimpses: int | None = None
) -> tuple[list[Glimpse], list[Imagined]]:
    """Glimpses in their order; what is imagined before the first and after each.

    Parameters
    ----------
    model
        A file of `save_looking`.
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
    scenario, looking = load_looking(model)
    if glimpses is not None and glimpses > looking.glimpses:
        raise SettingsError(f"{model}: learnt with {looking.glimpses} glimpses; ask for no more than those")
    size = (2 * looking.height, looking.height)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    small = small if small.dtype == np.uint8 else np.right_shift(small, 8).astype(np.uint8)
    shown = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous()
    snapshot = scenario.snapshot
    order = by_agent(scenario, looking, shown)[0, :glimpses].tolist()
    imagined, taken = [], torch.zeros(1, looking.views.shape[0], dtype=torch.bool)
    for direction in [None, *order]:
        if direction is not None:
            taken[0, direction] = True
        seen = seen_from(looking.views, taken)
        picture = complete(snapshot, shown, seen)[0].permute(1, 2, 0).contiguous().numpy()
        doubt = uncertainty(snapshot, shown, seen, DRAWS, 0)[0].sqrt() / _DOUBT
        imagined.append(Imagined(picture, np.asarray((1 - doubt).clamp(0, 1).numpy(), np.float32)))
    return [Glimpse(*looks_at(direction)) for direction in order], imagined
