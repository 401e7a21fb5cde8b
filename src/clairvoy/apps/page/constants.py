"""What the page must know of the dehazer: every constant of the runtime, so that none is written a second time."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from clairvoy import __version__
from clairvoy.generative.density import picture_size, recognition
from clairvoy.restoring import cast, dehazer, noise
from clairvoy.restoring.released import Released
from clairvoy.searching import beliefs, explore, glimpse, guidance

COLOURS = {"haze": cv2.COLORMAP_BONE, "confidence": cv2.COLORMAP_VIRIDIS}
"""Of the layers, as in ``clairvoy clear --comparison``."""


def constants_of(released: Released) -> dict[str, Any]:
    """Constants by the module that they stand in, and the numbers of the weights that are used outside of graphs.

    Parameters
    ----------
    released
        The weights of the page.

    Returns
    -------
    dict
        Of numbers, text and lists, for JSON.
    """
    guide = released.guide
    return {
        "version": __version__,
        "weights": released.path.stem,
        "bins": released.bins,
        "recognition": list(released.recognition),
        "guide": {
            "hidden": guide.hidden.tolist(),
            "hiddenBias": guide.hidden_bias.tolist(),
            "spread": guide.spread.tolist(),
            "spreadBias": guide.spread_bias,
        },
        "pictureSize": _named(picture_size, "STRIDE", "AREA", "LEAST", "MOST"),
        "dehazer": {"RESTORE_FROM": recognition.RESTORE_FROM, **_named(dehazer, "SURE_FROM")},
        "cast": _named(cast, "DENSEST", "LARGEST"),
        "noise": _named(
            noise, "VISIBLE", "FAINT", "TILE", "TILES", "FLATTEST", "KNEE", "LEAST_LIMIT", "CELL"
        ),
        "beliefs": _named(beliefs, "FULL_SPREAD"),
        "explore": _named(explore, "GRID", "PHOTOGRAPH_BUDGET"),
        "glimpse": _named(
            glimpse, "RIGHT", "LEFT", "UP", "DOWN", "STAY", "ROW_STEP", "COLUMN_STEP", "WINDOW", "CROP",
        ),
        "guidance": _named(
            guidance, "EXPECTED_FROM", "SPREAD_OF_COVER", "REACHES", "NEAR", "FAR", "CLOSED"
        ),
        "colours": {name: _ramp(colours) for name, colours in COLOURS.items()},
    }  # fmt: skip


def _named(module: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names}


def _ramp(colours: int) -> list[list[int]]:
    """RGB of 256 values from 0 to 1."""
    values = np.arange(256, dtype=np.uint8)[:, None]
    ramp: list[list[int]] = cv2.cvtColor(cv2.applyColorMap(values, colours), cv2.COLOR_BGR2RGB)[:, 0].tolist()
    return ramp
