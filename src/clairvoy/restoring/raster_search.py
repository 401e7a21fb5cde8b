"""A raster as the scene of a search: the agent reads windows of it, and only where it recognises haze is restored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy.imaging.formats.raster import to_eight_bits
from clairvoy.imaging.hidden import shown
from clairvoy.imaging.rasters.levels import Levels, levels_of
from clairvoy.imaging.rasters.raster_file import Part, RasterFile
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.raster import as_pixels, native_values
from clairvoy.restoring.scene import SceneSearcher, SearchedScene, WindowRestorer, sampled

WINDOW_PIXELS = 500_000
"""Of a window that is restored, about: small, so that little beside the recognised haze is read."""
WINDOWS = {True: 24, False: 8}
"""Along the longer side, with a thumbnail and without: blind, the agent gives up early among more than it learnt with."""
_THUMBNAIL = 1600


class RasterScene:
    """A raster that is searched; see `clairvoy.imaging.scenes.Scene`.

    Parameters
    ----------
    raster
        The raster.
    levels
        Values that are black and white; by default found in its reduced copies, else in a few small cuts.
    """

    def __init__(self, raster: RasterFile, levels: Levels | None = None) -> None:
        self.raster = raster
        self.height, self.width = raster.height, raster.width
        self._coarse = raster.coarse(_THUMBNAIL) if raster.has_overviews else None
        self.levels = levels or levels_of(self._sample())
        self.dtype: np.dtype[Any] = raster.dtype if self.levels.fit(raster.dtype) else np.dtype(np.uint16)

    def window(self, top: int, left: int, bottom: int, right: int) -> npt.NDArray[Any]:
        """See `Scene`."""
        return as_pixels(self.raster.values(Part(top, left, bottom - top, right - left)), self.levels)

    def hidden(self, top: int, left: int, bottom: int, right: int) -> npt.NDArray[np.bool_] | None:
        """See `Scene`."""
        part = Part(top, left, bottom - top, right - left)
        return self.raster.hidden(part, self.raster.values(part))

    def thumbnail(self) -> npt.NDArray[np.uint8] | None:
        """See `Scene`; made of the reduced copies, where there are some."""
        if self._coarse is None:
            return None
        values, hidden = self._coarse
        return to_eight_bits(shown(as_pixels(values, self.levels), hidden))

    def _sample(self) -> npt.NDArray[Any]:
        if self._coarse is not None:
            values, hidden = self._coarse
            return values if hidden is None else values[~hidden]
        cuts = [np.empty((0, len(self.raster.colours)), self.raster.dtype)]
        if self.raster.dtype != np.uint8:
            cuts += [values.reshape(-1, values.shape[2]) for values in native_values(self.raster)]
        return np.concatenate(cuts)


@dataclass(frozen=True)
class FoundHaze:
    """What a search of a raster found, ready to be restored."""

    scene: RasterScene
    found: SearchedScene
    restorer: WindowRestorer

    def __call__(self, pixels: npt.NDArray[Any], part: Part) -> npt.NDArray[Any]:
        """See `clairvoy.restoring.raster.WindowRestoring`."""
        return self.restorer(pixels, part.top, part.left)

    def touches(self, part: Part) -> bool:
        """Whether anything of a window is restored; nothing is read for the answer."""
        rows = slice(part.top, part.top + part.height)
        columns = slice(part.left, part.left + part.width)
        return bool(
            (sampled(self.restorer.mask, rows, columns, (self.scene.height, self.scene.width)) > 0).any()
        )

    def stamp(self) -> str:
        """Text that changes with all that the search does to a pixel."""
        digest = hashlib.sha256(repr(self.scene.levels).encode())
        for array in (self.found.grid, self.found.airlight, self.restorer.mask):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def search_raster(
    engine: Engine,
    raster: RasterFile,
    *,
    budget: float = 1.0,
    strength: float = 1.0,
    levels: Levels | None = None,
    grid: Sequence[int] = (),
) -> FoundHaze:
    """Let the agent search a raster for haze.

    Parameters
    ----------
    engine
        Trained weights.
    raster
        Where windows are read from.
    budget
        Part of the windows that may be read, in (0, 1].
    strength
        In [0, 1].
    levels
        See `RasterScene`.
    grid
        Rows and columns of windows; by default `WINDOWS` along the longer side, and about square.
    """
    scene = RasterScene(raster, levels)
    rows, columns = grid or _grid(raster)
    found = SceneSearcher(engine, scene, rows, columns).run(budget)
    return FoundHaze(scene, found, WindowRestorer(engine, found, strength))


def _grid(raster: RasterFile) -> tuple[int, int]:
    longest = max(raster.height, raster.width)
    along = min(WINDOWS[raster.has_overviews], longest)
    rows, columns = (max(1, round(along * side / longest)) for side in (raster.height, raster.width))
    return rows, columns
