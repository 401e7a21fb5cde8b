"""Writing a trained dehazer, so that it can be trained on and used: tensors, and the graphs of the runtime beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clairvoy.errors import WeightsError
from clairvoy.releasing.export import with_graphs
from clairvoy.releasing.parts import Parts, parts_of
from clairvoy.restoring.released import FORMAT, Released, read_released
from clairvoy.storage.weights_file import write_weights

TOLERANCE = 1e-4
"""Largest difference from torch that a graph may show and still be written; relative, for values beyond 1."""


def save_weights(
    path: Path, parts: Parts, notes: Mapping[str, Any] | None = None, *, graphs: bool = True
) -> None:
    """Write trained parts, in half precision; the calibration stays in single.

    Parameters
    ----------
    path
        The file.
    parts
        On any device.
    notes
        Anything to be kept with them, for JSON.
    graphs
        Whether to put in what the runtime needs. The tensors are written first: what was trained is whole, whatever becomes
        of the graphs.

    Raises
    ------
    FileError
        The disk refuses.
    SettingsError
        The package onnx is not installed.
    WeightsError
        ONNX Runtime does not compute what torch does; the tensors are written all the same.
    """
    write_weights(path, FORMAT, parts.tensors(), parts.header(notes))
    if graphs:
        put_graphs(path, path)


def put_graphs(source: str | Path, target: Path) -> float:
    """Write weights that were trained with the graphs of the runtime in them, and say how far those are from torch.

    Parameters
    ----------
    source
        Weights by released name or path, with or without graphs.
    target
        The file to write; may be the same.

    Returns
    -------
    float
        Largest difference between ONNX Runtime and torch that was seen.

    Raises
    ------
    ClairvoyError
        As of `save_weights`, or the weights cannot be read.
    """
    released = read_released(source)
    tensors = {name: torch.from_numpy(array) for name, array in released.tensors.items()}
    whole, gap = with_graphs(parts_of(released.header, tensors, released.path), released)
    if not gap <= TOLERANCE:
        raise WeightsError(
            f"{released.path}: ONNX Runtime differs from torch by {gap:.2g}, so that its graphs are not written; try other "
            "versions of torch and onnxruntime. The tensors are whole"
        )
    _write(whole, target)
    return gap


def _write(released: Released, path: Path) -> None:
    tensors = {name: torch.from_numpy(array.copy()) for name, array in released.tensors.items()}
    write_weights(path, FORMAT, tensors, {**released.header})
