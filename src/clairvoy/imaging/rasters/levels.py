"""Values of a raster as brightness in [0, 1], and back.

Sensors use part of their range: reflectances of 0 to 3000 in 16 bits would be perceived as night. So black and white are
found in the picture, like the stretch with which GIS programs show it. What restoring changes is added to the values
themselves: those beyond white keep their distance to it, and what was left as it was stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_QUANTILES = (0.002, 0.998)
_USUAL = (1.0, 255.0, 65535.0)


@dataclass(frozen=True)
class Levels:
    """Values that are black and white."""

    black: float
    white: float

    def fit(self, dtype: np.dtype[Any]) -> bool:
        """Whether samples of a type are brightness already: 8 or 16 bits, all of them used."""
        full = dtype.kind == "u" and dtype.itemsize <= 2 and self.white == np.iinfo(dtype).max
        return bool(full and self.black == 0)

    def brightness(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Values of any shape in [0, 1], what lies beyond black and white cut off; not a number becomes 0."""
        part = (values.astype(np.float32) - np.float32(self.black)) / np.float32(self.white - self.black)
        return np.nan_to_num(np.clip(part, 0, 1), copy=False, nan=0.0)

    def changed(
        self, values: npt.NDArray[Any], before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]
    ) -> npt.NDArray[Any]:
        """Values whose brightness went from `before` to `after`, rounded where they are whole numbers."""
        step = np.float64(self.white - self.black)
        moved = values.astype(np.float64) + (after.astype(np.float64) - before) * step
        if values.dtype.kind != "f":
            limits = np.iinfo(values.dtype)
            moved = np.clip(np.rint(moved), limits.min, limits.max)
        return np.where(after == before, values, moved.astype(values.dtype))


def levels_of(values: npt.NDArray[Any]) -> Levels:
    """Black and white of a raster, from a sample of its values that are no "no data".

    8 bits run to 255. White of other types is 1, 255 or 65535 where nearly all values fill more than half of that, else
    the value that 2 in 1000 exceed; black is 0, or the value that 2 in 1000 fall below where that is negative.
    """
    if values.dtype == np.uint8:
        return Levels(0.0, 255.0)
    seen = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    low, high = (float(value) for value in np.quantile(seen, _QUANTILES)) if seen.size else (0.0, 1.0)
    black = min(0.0, low)
    white = next((usual for usual in _USUAL if usual / 2 < high <= usual), high)
    return Levels(black, white if white > black else black + 1.0)


def keeping_apart(values: npt.NDArray[Any], no_data: float | None) -> npt.NDArray[Any]:
    """Values none of which is the one that stands for "no data": those that were made so move by the smallest step."""
    if no_data is None or not np.isfinite(no_data):
        return values
    kind = values.dtype
    if kind.kind == "f":
        marker = kind.type(no_data)
        return np.where(values == marker, np.nextafter(marker, kind.type(0 if no_data else 1)), values)
    limits = np.iinfo(kind)
    if not limits.min <= no_data <= limits.max or no_data != int(no_data):
        return values
    marker = int(no_data)
    return np.where(values == marker, kind.type(marker + 1 if marker < limits.max else marker - 1), values)
