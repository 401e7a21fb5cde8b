"""The whole state of a training run in one file, to resume from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clairvoy._version import __version__
from clairvoy.errors import FileError, WeightsError


def save_run(path: Path, state: Mapping[str, Any]) -> None:
    """Write the whole state of a training run, whole or not at all.

    Raises
    ------
    FileError
        The disk refuses; what was saved before is still there.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.save({"version": __version__, **state}, beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch says of a full disk that its writer failed
        raise FileError(
            f"{path} cannot be written ({error}); make room, or name another folder. What was saved there before is whole"
        ) from error


def load_run(path: Path) -> dict[str, Any]:
    """Read the state of a training run.

    Raises
    ------
    WeightsError
        No such file, a damaged one, or one of another version.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no checkpoint to resume from; leave --resume out to begin a new run")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise WeightsError(f"{path}: a damaged checkpoint ({error}); begin a new run") from error
    if state.get("version") != __version__:
        raise WeightsError(
            f"{path}: a checkpoint of version {state.get('version')}, this is {__version__}; finish it with that"
        )
    return state
