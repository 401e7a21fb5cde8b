"""Panoramas: whether a picture is one, and which part of the sphere it shows.

An equirectangular picture has one column for each longitude and one row for each latitude. Files say so in XMP (Google's
Photo Sphere metadata, prefix GPano), also of panoramas that lack sky or floor, or that go only part of the way around.
Without that, a picture twice as wide as high is taken for one if its left and right ends fit together, and if its first and
last rows hardly change along the row: each of them shows one place, straight up or straight down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.formats import xmp

_GPANO = b"http://ns.google.com/photos/1.0/panorama/"
_LEAST_WIDTH = 256
"""Of a picture, in pixels, that may be a panorama without saying so."""
_CLOSES = 2.0
"""Multiple of the median step between neighbouring columns up to which the step from the last to the first is one of
them: 18 panoramas had 0.4 to 1.7, nine of ten photographs cut to 2:1 have more."""
_NARROWS = 2.5
"""Multiple of the step from row to row up to which a row next to a pole may vary along itself, as a standard deviation.
There a row goes around a circle whose radius is half a row, so that both are of one size: light that slopes evenly across
the pole gives 0.55, what varies at random from row to row 0.9, and 97 of 100 rendered panoramas less than this."""
_CAP = 3
"""Steps from row to row that are looked at next to a pole."""
_FINE = 6
"""Waves along a row from which on they are fine: a circle so small holds hardly any, whatever light or haze is across it."""
_MOST_FINE = 0.25
"""Part of what rows near the horizon have of them up to which a row next to a pole has hardly any."""
_FULL = 0.999
"""Part of the way around from which there is no gap."""
_ASPECT = 0.01
"""How much the shape of a picture may differ from what its file says and still be that picture, made smaller."""


@dataclass(frozen=True)
class Panorama:
    """Part of the sphere that an equirectangular picture shows; angles in radians."""

    top: float
    """Latitude of the upper edge; pi / 2 is straight up."""
    bottom: float
    """Latitude of the lower edge; -pi / 2 is straight down."""
    across: float
    """Longitudes that it spans, in (0, 2 pi]."""

    @property
    def closed(self) -> bool:
        """Tell whether it goes all the way around: its first column follows its last."""
        return self.across >= _FULL * 2 * math.pi

    def latitudes(self, rows: int) -> npt.NDArray[np.float64]:
        """Latitude of the middle of each of so many rows, (rows,)."""
        return self.top - (np.arange(rows) + 0.5) * (self.top - self.bottom) / rows


@dataclass(frozen=True)
class Viewpoint:
    """How a panorama's camera stood, and where a viewer is to look first; angles in radians."""

    heading: float = 0.0
    """Of the first look, to the right of the picture's middle."""
    pitch: float = 0.0
    """Of the first look, above the horizon."""
    tilt: float = 0.0
    """Height of the picture's middle above the true horizon: how far the camera was tilted up."""
    roll: float = 0.0
    """By how much the true horizon is turned in the picture's middle, counterclockwise."""


WHOLE = Panorama(math.pi / 2, -math.pi / 2, 2 * math.pi)
"""The whole sphere."""


def panorama_of(pixels: npt.NDArray[Any], packet: bytes | None = None) -> Panorama | None:
    """Part of the sphere that a picture shows; None if it is no panorama.

    Parameters
    ----------
    pixels
        (H, W, 3) of any type.
    packet
        XMP of its file. What it says counts, as long as it fits the picture's shape.
    """
    height, width = pixels.shape[:2]
    said = xmp.values(packet, _GPANO) if packet else {}
    if said:
        return _as_said(said, height, width)
    if width == 2 * height and width >= _LEAST_WIDTH:
        seen = cv2.resize(pixels, (256, 128), interpolation=cv2.INTER_AREA).astype(np.float32)
        fine = _fine(seen)
        if _closes(seen) and _narrows(seen, fine) and _narrows(seen[::-1], fine[::-1]):
            return WHOLE
    return None


def viewpoint_of(packet: bytes | None) -> Viewpoint:
    """What a file's XMP says of the camera's pose and of the first look (GPano); what is not said or no number is 0.

    Restoring needs none of it: estimates are means over the sphere and turn with it.
    """
    said = xmp.values(packet, _GPANO) if packet else {}

    def angle(name: str) -> float:
        try:
            degrees = float(said.get(name, 0))
        except ValueError:
            return 0.0
        return math.radians(degrees) if math.isfinite(degrees) else 0.0

    first, north = angle("InitialViewHeadingDegrees"), angle("PoseHeadingDegrees")
    heading = first - north if "InitialViewHeadingDegrees" in said else 0.0
    return Viewpoint(
        heading, angle("InitialViewPitchDegrees"), angle("PosePitchDegrees"), angle("PoseRollDegrees")
    )


def _as_said(said: dict[str, str], height: int, width: int) -> Panorama | None:
    """What GPano says; None where that is another projection, incomplete, or not of this picture."""
    if said.get("ProjectionType", "equirectangular").lower() != "equirectangular":
        return None
    names = (
        "FullPanoWidthPixels", "FullPanoHeightPixels", "CroppedAreaImageWidthPixels", "CroppedAreaImageHeightPixels",
        "CroppedAreaLeftPixels", "CroppedAreaTopPixels",
    )  # fmt: skip
    try:
        full_width, full_height, wide, high, left, top = (float(said[name]) for name in names)
    except (KeyError, ValueError):
        # Only that it is a panorama: then it is a whole one, or it cannot be told which part.
        return WHOLE if width == 2 * height and not set(names) & set(said) else None
    fits = (
        0 < wide <= full_width < math.inf
        and high > 0
        and top >= 0
        and left >= 0
        and top + high <= full_height < math.inf
    )
    if not fits or abs(wide / high * height / width - 1) > _ASPECT:
        return None
    row = math.pi / full_height
    return Panorama(
        math.pi / 2 - top * row, math.pi / 2 - (top + high) * row, 2 * math.pi * wide / full_width
    )


def _closes(seen: npt.NDArray[np.float32]) -> bool:
    """Whether the first column follows the last one as other columns follow each other."""
    steps = np.abs(seen - np.roll(seen, 1, axis=1)).mean(axis=(0, 2))
    return bool(steps[0] < _CLOSES * (float(np.median(steps[1:])) + _faint(seen)))


def _narrows(seen: npt.NDArray[np.float32], fine: npt.NDArray[np.float32]) -> bool:
    """Whether the first row shows hardly more than one place: it hardly varies, or in long waves alone."""
    along = float(seen[0].std(axis=0).mean())
    down = float(np.abs(np.diff(seen[: _CAP + 1], axis=0)).mean())
    level = float(np.median(fine[len(fine) // 4 : -len(fine) // 4]))
    return along < _NARROWS * (down + _faint(seen)) or fine[0] < _MOST_FINE * (level + _faint(seen))


def _fine(seen: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Root of the mean square of the fine waves along each row, (rows,)."""
    waves = np.fft.rfft(seen, axis=1)[:, _FINE:] / seen.shape[1]
    return np.sqrt(2 * np.square(np.abs(waves)).sum(axis=1).mean(axis=1)).astype(np.float32)


def _faint(seen: npt.NDArray[np.float32]) -> float:
    """A step that nobody sees; without it nothing could be said of a picture without any."""
    return 0.002 * max(1.0, float(seen.max()))
