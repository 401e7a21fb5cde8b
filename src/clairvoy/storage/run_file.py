"""The whole state of a training run in one file, to resume from."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from clairvoy._version import __version__
from clairvoy.errors import FileError, WeightsError
from clairvoy.storage.atomic import remove_abandoned_parts, replacing

FORM = 3
"""Of what a checkpoint holds; it rises with every change after which an earlier one could not be gone on with."""


def save_run(path: Path, state: Mapping[str, Any]) -> None:
    """Write the whole state of a training run, whole or not at all.

    Raises
    ------
    FileError
        The disk refuses; what was saved before is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_parts([path.parent])
        with replacing(path) as part:
            torch.save({"version": __version__, "form": FORM, **state}, part)
    except (OSError, RuntimeError) as error:  # torch says of a full disk that its writer failed
        raise FileError(
            f"{path} cannot be written ({error}); make room, or name another folder. What was saved there before is whole"
        ) from error


def load_run(path: Path) -> dict[str, Any]:
    """Read the state of a training run.

    Raises
    ------
    WeightsError
        No such file, a damaged one, or one of another version or form.
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
    if state.get("form", 1) != FORM:
        raise WeightsError(
            f"{path}: a checkpoint of form {state.get('form', 1)}, and this clairvoy goes on with form {FORM} only; "
            "finish the run with the code that began it, or begin a new run"
        )
    return state


class Checkpoint:
    """The file that a run saves itself to, now and then and at its end.

    A disk that refuses costs a checkpoint, and not what was learnt: the run goes on, and a warning says so.

    Parameters
    ----------
    path
        The file; None saves nothing.
    seconds
        Between two.
    """

    def __init__(self, path: Path | None, seconds: float) -> None:
        self.path, self.seconds, self.saved = path, seconds, time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self.path is not None and time.monotonic() - self.saved > self.seconds

    def now_and_then(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save what `state` gives, if it is time."""
        if self.due:
            self._try(state)
            self.saved = time.monotonic()

    def at_the_end(self, state: Callable[[], Mapping[str, Any]], finished: bool) -> None:
        """Save what `state` gives.

        Raises
        ------
        FileError
            The disk refuses, and the run is not finished: there is nothing else to go on from.
        """
        if self.path is None:
            return
        if finished:
            self._try(state)
        else:
            save_run(self.path, state())

    def _try(self, state: Callable[[], Mapping[str, Any]]) -> None:
        assert self.path is not None
        try:
            save_run(self.path, state())
        except FileError as error:
            warnings.warn(f"{error}; the training goes on", stacklevel=3)
