"""Parts of a raster that are restored already, kept beside the output until it is whole.

A run that was killed left them there; the same run goes on with them, and its output is the same to the byte. Each part is a
small file that is there whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy.typing as npt

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.raster_file import FAILURES, Part, opened, reason
from clairvoy.storage.atomic import remove_abandoned_parts, replacing

_STAMP = "made-from"


class Unfinished:
    """The restored parts of a raster.

    Parameters
    ----------
    target
        What the output will be called.
    stamp
        Text that tells all that the parts depend on. What was left by a run with another one is removed.

    Attributes
    ----------
    folder
        Where they lie, hidden beside the target.
    resumed
        How many parts were there from an earlier run.
    """

    def __init__(self, target: Path, stamp: str) -> None:
        self.folder = folder_of(target)
        mark = self.folder / _STAMP
        if self.folder.exists() and not (mark.is_file() and mark.read_text() == stamp):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned_parts([self.folder])
        if not mark.exists():
            with replacing(mark) as part:
                part.write_text(stamp)
        self.resumed = sum(1 for entry in os.scandir(self.folder) if entry.name.endswith(".tif"))

    def path(self, part: Part) -> Path:
        """The file of a part."""
        return self.folder / f"{part.top:07}-{part.left:07}.tif"

    def holds(self, part: Part) -> bool:
        """Whether a part is there."""
        return self.path(part).is_file()

    def keep(self, part: Part, values: npt.NDArray[Any]) -> None:
        """Write a part, (height, width, bands).

        Raises
        ------
        FileError
            The disk refuses.
        """
        height, width, count = values.shape
        how = {
            "driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype.name,
            "compress": "zstd", "zstd_level": 1, "predictor": 2 if values.dtype.kind != "f" else 3,
            "interleave": "pixel", "tiled": True, "blockxsize": 512, "blockysize": 512,
        }  # fmt: skip
        try:
            with replacing(self.path(part)) as file, opened(file, "w", **how) as out:
                out.write(values.transpose(2, 0, 1))
        except (*FAILURES, OSError) as error:
            raise FileError(f"{self.folder}: cannot be written ({reason(error)}); make room") from error

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def folder_of(target: Path) -> Path:
    """Where the unfinished parts of an output lie."""
    return target.with_name(f".{target.name}.unfinished")


def check_room(target: Path, needed: int) -> None:
    """Refuse to begin what the disk has no room for.

    Parameters
    ----------
    target
        The output.
    needed
        Bytes, at most, for it and its unfinished parts.

    Raises
    ------
    FileError
        Less is free.
    """
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FileError(
            f"{target}: may need {needed / 1e9:.1f} GB beside it, and {free / 1e9:.1f} GB are free; "
            "make room, or choose another disk with -o"
        )
