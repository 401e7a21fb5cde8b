"""How a picture is looked at before it is restored: flat as it is, or as the part of a sphere that it is.

A panorama is looked at in Lambert's cylindrical equal-area projection: each pixel covers the same solid angle, so that
every mean that networks and agent take is one over the sphere. It is turned to its brightest side, so that the same
surroundings are seen the same way however the camera stood, and continues beyond both ends. What is estimated then goes
back to rows of latitude, the more smoothed along a row the closer that is to a pole, where one place fills the whole row.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.generative.density.picture_size import AREA, LEAST, MOST, STRIDE, working_size
from clairvoy.imaging.panorama import Panorama, panorama_of
from clairvoy.restoring.full_resolution import places
from clairvoy.restoring.planes import enlarged, small

Float = npt.NDArray[np.float32]

MARGIN = 16
"""Of what is looked at of a closed panorama, one part in so many on either side repeats the other end."""
_FINER = 4
"""Rows that a row of equal area is made of, where the panorama has so many: near the poles it takes more."""
_ROWS_LOOKED_AT = 64
"""For the brightest side."""


class Projection(Protocol):
    """How a picture is looked at. Planes are (1, C, h, w) float32."""

    start: int | None
    """Column at which what is estimated begins, where the picture closes to a ring; None where it does not."""

    def shown(self, area: int = AREA) -> Float:
        """What networks look at, (1, 3, h, w) in [0, 1], about so many pixels."""
        ...

    def thumbnail(self, side: int) -> npt.NDArray[np.uint8]:
        """What the agent looks at, (1, 3, side, side)."""
        ...

    def inside(self, planes: Float) -> Float:
        """Planes over what was shown, each place once."""
        ...

    def by_latitude(self, planes: Float) -> Float:
        """Planes from `inside`, with rows as the picture has them."""
        ...

    def over_picture(self, plane: Float) -> Float:
        """One plane from `inside`, (h, w), at the picture's own size (H, W)."""
        ...

    def mean_of_seen(self, plane: Float) -> float:
        """Mean of a plane from `inside`, (h, w), over what of the picture is seen; 0 where that is nothing."""
        ...

    def plain(self) -> npt.NDArray[Any]:
        """Part of the picture in which nothing is drawn out or repeated, (h, w, 3)."""
        ...


class Flat:
    """A flat picture; parameters as of `EqualArea`."""

    start: int | None = None

    def __init__(self, pixels: npt.NDArray[Any], hidden: npt.NDArray[np.bool_] | None) -> None:
        self._pixels, self._hidden = pixels, hidden

    def shown(self, area: int = AREA) -> Float:
        """See `Projection`."""
        height, width = self._pixels.shape[:2]
        return small(self._pixels, self._hidden, working_size(height, width, area))

    def thumbnail(self, side: int) -> npt.NDArray[np.uint8]:
        """See `Projection`."""
        return _bytes(small(self._pixels, self._hidden, (side, side)))

    def inside(self, planes: Float) -> Float:
        """See `Projection`."""
        return planes

    def by_latitude(self, planes: Float) -> Float:
        """See `Projection`."""
        return planes

    def over_picture(self, plane: Float) -> Float:
        """See `Projection`."""
        height, width = self._pixels.shape[:2]
        return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    def mean_of_seen(self, plane: Float) -> float:
        """See `Projection`."""
        return _mean_of_seen(plane, None if self._hidden is None else _seen(self._hidden, plane.shape))

    def plain(self) -> npt.NDArray[Any]:
        """See `Projection`."""
        return self._pixels


class EqualArea:
    """A panorama, every pixel of the same solid angle.

    Parameters
    ----------
    panorama
        Part of the sphere that it shows.
    pixels
        (H, W, 3) uint8, uint16 or float32 in [0, 1].
    hidden
        What nobody sees, (H, W); None: all is seen.
    """

    def __init__(
        self, panorama: Panorama, pixels: npt.NDArray[Any], hidden: npt.NDArray[np.bool_] | None
    ) -> None:
        self._panorama, self._pixels, self._hidden = panorama, pixels, hidden
        self.start: int | None = None
        if panorama.closed:
            self.start = (brightest_column(panorama, pixels) - pixels.shape[1] // 2) % pixels.shape[1]

    def shown(self, area: int = AREA) -> Float:
        """See `Projection`."""
        return self._usual if area == AREA else self._shown(area)

    @cached_property
    def _usual(self) -> Float:
        return self._shown(AREA)

    def _shown(self, area: int) -> Float:
        panorama, height = self._panorama, self._pixels.shape[0]
        solid = math.sin(panorama.top) - math.sin(panorama.bottom)
        aspect = panorama.across / solid
        # Margins must be whole cells at every size at which networks answer.
        part = 1 - 2 / MARGIN if panorama.closed else 1.0
        step = STRIDE * MARGIN if panorama.closed else STRIDE
        width = _fitted(math.sqrt(area * aspect) / part, step)
        rows = _fitted(width * part / aspect, STRIDE)
        margin = width // MARGIN if panorama.closed else 0
        fine = min(height, _FINER * rows)
        planes = small(self._turned(self._pixels), self._turned(self._hidden), (fine, width - 2 * margin))
        planes = _equal_rows(panorama, fine, rows) @ planes
        return np.ascontiguousarray(np.pad(planes, ((0, 0),) * 3 + ((margin, margin),), mode="wrap"))

    def thumbnail(self, side: int) -> npt.NDArray[np.uint8]:
        """See `Projection`."""
        return _bytes(enlarged(self.inside(self._usual), (side, side)))

    def inside(self, planes: Float) -> Float:
        """See `Projection`."""
        if not self._panorama.closed:
            return planes
        # What was shown twice was estimated twice: on either side of the seam one estimate fades into the other.
        margin = planes.shape[-1] // MARGIN
        inside = planes[..., margin:-margin].copy()
        other = (0.5 - (np.arange(margin, dtype=np.float32) + 0.5) / (2 * margin)).astype(planes.dtype)
        inside[..., :margin] += other * (planes[..., -margin:] - inside[..., :margin])
        inside[..., -margin:] += other[::-1] * (planes[..., :margin] - inside[..., -margin:])
        return inside

    def by_latitude(self, planes: Float) -> Float:
        """See `Projection`."""
        panorama, given = self._panorama, planes.shape[2]
        solid = math.sin(panorama.top) - math.sin(panorama.bottom)
        rows = max(1, math.ceil(given * (panorama.top - panorama.bottom) / solid))
        latitudes = panorama.latitudes(rows)
        place = (math.sin(panorama.top) - np.sin(latitudes)) / solid * given - 0.5
        place = np.clip(place, 0, given - 1)
        above = np.minimum(place.astype(int), max(0, given - 2))
        below = np.minimum(above + 1, given - 1)
        share = (place - above).astype(np.float32)[:, None]
        even = planes[:, :, above] * (1 - share) + planes[:, :, below] * share
        return smoothed_at_poles(even, latitudes, closed=panorama.closed)

    def over_picture(self, plane: Float) -> Float:
        """See `Projection`."""
        even = self.by_latitude(plane[None, None])[0, 0]
        height, width = self._pixels.shape[:2]
        above, part = places(0, height, height, even.shape[0])
        if self.start is not None:
            even = np.pad(even, ((0, 0), (1, 1)), mode="wrap")
        left, share = places(0, width, width, even.shape[1], start=self.start)
        below, right = (
            np.minimum(at + 1, length - 1) for at, length in zip((above, left), even.shape, strict=True)
        )
        rows = even[above] + part[:, None] * (even[below] - even[above])
        return np.asarray(rows[:, left] + share * (rows[:, right] - rows[:, left]), np.float32)

    def mean_of_seen(self, plane: Float) -> float:
        """See `Projection`."""
        if self._hidden is None:
            return _mean_of_seen(plane, None)
        fine = min(self._hidden.shape[0], _FINER * plane.shape[0])
        seen = _seen(self._turned(self._hidden), (fine, plane.shape[1]))
        return _mean_of_seen(plane, _equal_rows(self._panorama, fine, plane.shape[0]) @ seen)

    def plain(self) -> npt.NDArray[Any]:
        """See `Projection`: what lies within 45 degrees of the horizon, if that is shown."""
        rows = np.abs(self._panorama.latitudes(self._pixels.shape[0])) <= math.pi / 4
        belt = self._pixels[rows] if rows.any() else self._pixels
        return np.asarray(self._turned(belt))

    def _turned(self, plane: Any) -> Any:
        """Pixels (H, W, ...) that begin at `start`."""
        return plane if plane is None or not self.start else np.roll(plane, -self.start, axis=1)


def projection_of(
    pixels: npt.NDArray[Any], hidden: npt.NDArray[np.bool_] | None, xmp: bytes | None, flat: bool
) -> Projection:
    """How to look at a picture: as a panorama if it is one and is not to be taken for `flat`."""
    panorama = None if flat else panorama_of(pixels, xmp)
    return Flat(pixels, hidden) if panorama is None else EqualArea(panorama, pixels, hidden)


def field_of(how: Projection, grid: Float) -> Float:
    """The grid (1, bins, h, w) over what was shown, as the full-resolution pass reads it: (bins, h, w)."""
    return how.by_latitude(how.inside(grid))[0]


def brightest_column(panorama: Panorama, pixels: npt.NDArray[Any]) -> int:
    """Column that the brighter half of a closed panorama has in its middle: the phase of its first harmonic.

    It turns with the picture, by whole columns.
    """
    step = max(1, pixels.shape[0] // _ROWS_LOOKED_AT)
    weight = np.cos(panorama.latitudes(pixels.shape[0]))[::step]
    columns = np.einsum("r,rcx->c", weight, pixels[::step].astype(np.float64))
    angle = float(np.angle(np.fft.rfft(columns)[1]))
    return round(-angle / (2 * math.pi) * len(columns)) % len(columns)


def smoothed_at_poles(planes: Float, latitudes: npt.NDArray[np.float64], *, closed: bool) -> Float:
    """Planes (1, C, h, w) by latitude, smoothed along each row to what a cell at the horizon resolves.

    Parameters
    ----------
    planes
        Cells of equal longitude.
    latitudes
        Of the rows, (h,) in radians.
    closed
        The last column is followed by the first; else what lies beyond an end mirrors it.

    Returns
    -------
    ndarray
        Each row convolved with a Gaussian whose standard deviation is tan(latitude) cells: with that of a cell itself it
        is 1 / cos(latitude) cells, and so one cell of the horizon in angle.
    """
    width = planes.shape[-1]
    wide = planes if closed else np.concatenate([planes, planes[..., ::-1]], axis=-1)
    frequency = 2 * np.pi * np.fft.rfftfreq(wide.shape[-1])
    passed = np.exp(-0.5 * np.square(np.tan(latitudes)[:, None] * frequency))
    return np.fft.irfft(np.fft.rfft(wide) * passed, n=wide.shape[-1])[..., :width].astype(np.float32)


def _equal_rows(panorama: Panorama, given: int, rows: int) -> Float:
    """Weights (rows, given) that make rows of equal solid angle of rows of latitude: means over what they share."""
    fine = np.sin(np.linspace(panorama.top, panorama.bottom, given + 1))
    coarse = np.linspace(fine[0], fine[-1], rows + 1)
    shared = np.minimum(fine[None, :-1], coarse[:-1, None]) - np.maximum(fine[None, 1:], coarse[1:, None])
    shared = np.maximum(shared, 0)
    return (shared / shared.sum(axis=1, keepdims=True)).astype(np.float32)


def _seen(hidden: npt.NDArray[np.bool_], size: tuple[int, ...]) -> Float:
    """How much of each cell is seen, (h, w) in [0, 1]."""
    plane = (~hidden).astype(np.float32)
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _mean_of_seen(plane: Float, seen: Float | None) -> float:
    if seen is None:
        return float(plane.mean())
    return float((plane * seen).sum() / seen.sum()) if seen.any() else 0.0


def _fitted(length: float, step: int) -> int:
    return min(MOST // step * step, max(-(-LEAST // step) * step, round(length / step) * step))


def _bytes(planes: Float) -> npt.NDArray[np.uint8]:
    return np.rint(planes * 255).astype(np.uint8)
