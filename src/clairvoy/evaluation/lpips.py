"""LPIPS: how different two pictures look to a network (Zhang et al., CVPR 2018), by the graph kept with its weights.

What it computes is said in `generative.perceptual`, where it is a loss; this is for those who only measure.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy.errors import InputError
from clairvoy.restoring.model_bytes import with_weights
from clairvoy.restoring.released import GRAPH, WEIGHTS_FOLDER
from clairvoy.restoring.sessions import session
from clairvoy.storage.weights_file import read_weights

FORMAT = "clairvoy-lpips-1"
WEIGHTS = WEIGHTS_FOLDER / "squeezenet1_1.safetensors"
MIN_SIDE = 17
"""Smallest height and width in pixels for which the deepest layer still has one cell."""

Float = npt.NDArray[np.float32]


def lpips(first: Float, second: Float) -> float:
    """LPIPS (squeeze, lin, v0.1) of two pictures: 0 for equal ones, larger the more they differ.

    Parameters
    ----------
    first, second
        (H, W, 3) in [0, 1].

    Raises
    ------
    InputError
        The shapes differ, are not (H, W, 3), or a side is shorter than `MIN_SIDE`.
    """
    if first.shape != second.shape:
        raise InputError(f"pictures to compare differ in shape: {first.shape} and {second.shape}")
    if first.ndim != 3 or first.shape[2] != 3 or min(first.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"LPIPS needs (H, W, 3) with sides of at least {MIN_SIDE} pixels, got {first.shape}: enlarge the picture first"
        )
    planes = (np.ascontiguousarray(p.transpose(2, 0, 1)[None], np.float32) for p in (first, second))
    return float(_session().run(None, dict(zip(("first", "second"), planes, strict=True)))[0][0])


@lru_cache(maxsize=1)
def _session() -> Any:
    header, tensors = read_weights(WEIGHTS, FORMAT, "install clairvoy again", arrays=True)
    weights = {name: tensors[name] for name in json.loads(header["graphs"])["lpips"]}
    return session(with_weights(tensors[f"{GRAPH}lpips"].tobytes(), weights), "cpu")
