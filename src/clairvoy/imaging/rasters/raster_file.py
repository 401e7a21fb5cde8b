"""A raster that is read by windows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.colour_bands import colour_bands
from clairvoy.imaging.rasters.recognition import check_whole

CACHE_MB = 128
"""Of decoded strips and tiles that GDAL keeps."""
LARGEST_BLOCK = 64_000_000
"""Pixels of a strip or tile, which must fit into memory whole."""
FAILURES = (RasterioError, CPLE_BaseError)
"""What rasterio raises where GDAL fails; the second is hidden behind the first, but for copies."""
_DAMAGED = "is truncated or damaged ({}); get the file again"


@dataclass(frozen=True)
class Part:
    """A rectangle of a raster, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def window(self) -> Window:
        """As rasterio names it."""
        return Window(self.left, self.top, self.width, self.height)


class RasterFile:
    """A raster, open for reading; a context manager.

    Parameters
    ----------
    path
        The file.
    bands
        Numbers of the bands that are red, green and blue, or grey; none: as the file says.

    Attributes
    ----------
    colours
        The numbers, from 1 on, of the bands that are restored: three, or one.
    notes
        What the user should know.

    Raises
    ------
    FileError
        It cannot be read; the message says why.
    SettingsError
        `bands` are not there.
    """

    def __init__(self, path: Path, bands: Sequence[int] = ()) -> None:
        self.path = path
        check_whole(path)
        self._environment = rasterio.Env(GDAL_CACHEMAX=CACHE_MB, GDAL_TIFF_INTERNAL_MASK=True)
        self._environment.__enter__()
        try:
            self.dataset = opened(path)
            data = self.dataset
            self.height, self.width, self.dtype = data.height, data.width, np.dtype(data.dtypes[0])
            if len(set(data.dtypes)) > 1 or self.dtype.kind not in "uif":
                raise FileError(
                    f"{path}: has samples of {', '.join(sorted(set(data.dtypes)))}; give one real type"
                )
            try:
                found = colour_bands(
                    [kind.name for kind in data.colorinterp], data.descriptions, data.dtypes[0], bands
                )
            except FileError as error:
                raise FileError(f"{path}: {error}") from error
            self.colours, note = found
            self.notes = (note,) if note else ()
            self.block = data.block_shapes[self.colours[0] - 1]
            if self.block[0] * self.block[1] > LARGEST_BLOCK:
                raise FileError(
                    f"{path}: is stored in strips of {self.block[1]} x {self.block[0]} pixels, too large to be read alone; "
                    "store it in tiles first: gdal_translate -co TILED=YES IN OUT"
                )
            self.touched = np.zeros(
                (-(-self.height // self.block[0]), -(-self.width // self.block[1])), np.bool_
            )
            """Strips or tiles that were decoded."""
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RasterFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "dataset"):
            self.dataset.close()
        self._environment.__exit__(None, None, None)

    @property
    def no_data(self) -> float | None:
        """The value that stands for "no data" in the colours."""
        value = self.dataset.nodatavals[self.colours[0] - 1]
        return None if value is None else float(value)

    @cached_property
    def has_overviews(self) -> bool:
        """Whether reduced copies are there."""
        return bool(self.dataset.overviews(self.colours[0]))

    @property
    def bytes(self) -> int:
        """Of all colours, uncompressed."""
        return self.height * self.width * len(self.colours) * self.dtype.itemsize

    def values(self, part: Part) -> npt.NDArray[Any]:
        """Samples of the colours, (height, width, 1 or 3) in the file's own type."""
        rows, columns = self.block
        self.touched[
            part.top // rows : -(-(part.top + part.height) // rows),
            part.left // columns : -(-(part.left + part.width) // columns),
        ] = True
        planes = self._read(self.dataset.read, self.colours, window=part.window)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))

    def hidden(self, part: Part, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
        """Pixels of a part that nobody sees ("no data", alpha 0, not a number), (height, width); None: all are seen."""
        return self._hidden(values, window=part.window)

    def coarse(self, longest: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """The whole raster at a small size: means over areas, from reduced copies where they are there.

        Parameters
        ----------
        longest
            Pixels of the longer side, at most.

        Returns
        -------
        tuple
            Samples (h, w, 1 or 3), and what nobody sees of them as in `hidden`.
        """
        scale = min(1.0, longest / max(self.height, self.width))
        shape = tuple(max(1, round(side * scale)) for side in (self.height, self.width))
        if not self.has_overviews:
            self.touched[:] = True
        out = (len(self.colours), *shape)
        planes = self._read(self.dataset.read, self.colours, out_shape=out, resampling=Resampling.average)
        values = np.ascontiguousarray(planes.transpose(1, 2, 0))
        return values, self._hidden(values, out_shape=out)

    def parts(self, pixels: int) -> list[Part]:
        """Parts of about so many pixels that cover the raster, row by row, cut where its strips or tiles end."""
        rows, columns = self.block
        wide = min(self.width, max(1, pixels // rows // columns) * columns)
        tall = min(self.height, max(1, pixels // wide // rows) * rows)
        return [
            Part(top, left, min(tall, self.height - top), min(wide, self.width - left))
            for top in range(0, self.height, tall)
            for left in range(0, self.width, wide)
        ]

    def _hidden(self, values: npt.NDArray[Any], **where: Any) -> npt.NDArray[np.bool_] | None:
        flags = {flag for number in self.colours for flag in self.dataset.mask_flag_enums[number - 1]}
        hidden = np.zeros(values.shape[:2], np.bool_)
        if flags != {MaskFlags.all_valid}:
            hidden = (self._read(self.dataset.read_masks, self.colours, **where) == 0).all(axis=0)
        if values.dtype.kind == "f":
            hidden |= ~np.isfinite(values).all(axis=2)
        return hidden if hidden.any() else None

    def _read(self, how: Any, *arguments: Any, **named: Any) -> npt.NDArray[Any]:
        try:
            samples: npt.NDArray[Any] = how(*arguments, **named)
        except FAILURES as error:
            raise FileError(f"{self.path}: {_DAMAGED.format(reason(error))}") from error
        return samples


def opened(path: Path | str, mode: str = "r", **how: Any) -> Any:
    """Open a data set with rasterio, for reading or in another mode; that it has no georeference is no reason to warn.

    Raises
    ------
    FileError
        It cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path, mode, **how)
    except FAILURES as error:
        raise FileError(
            f"{path}: cannot be read ({reason(error)}); convert it with gdal_translate"
        ) from error


def reason(error: BaseException) -> str:
    """What GDAL said at first: rasterio's own errors often only point to that."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).rstrip(".")
