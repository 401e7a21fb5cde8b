"""Fog that lies in layers, integrated along every ray in closed form: mist over the ground, banks that hang.

Where the extinction coefficient depends on the height alone, beta * p(h), the optical depth of a straight path of
length d from height a to height b is beta * d times the mean of p between them,

    od = beta * d * (P(b) - P(a)) / (b - a),    P' = p,

since height grows evenly along the path. For p = exp(-h / H) it is the fog of Wenzel (2006) and Quilez (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.depth import FloatImage

Array = npt.NDArray[np.float64]


class FogProfile(Protocol):
    """How dense fog is at a height."""

    def density(self, height: Array) -> Array:
        """Relative density at heights in metres, 0 to 1."""
        ...

    def column(self, height: Array) -> Array:
        """Integral of the density from height 0, in metres."""
        ...


@dataclass(frozen=True)
class GroundFog:
    """Density exp(-h / scale) above the ground, and 1 in hollows below its zero.

    Parameters
    ----------
    scale
        Metres in which the density falls to 1 / e; above 0.
    """

    scale: float

    def density(self, height: Array) -> Array:
        """Relative density, 0 to 1."""
        return np.exp(-np.maximum(height, 0) / self.scale)

    def column(self, height: Array) -> Array:
        """Integral of the density from height 0, in metres; negative below."""
        above = -self.scale * np.expm1(-np.maximum(height, 0) / self.scale)
        return above + np.minimum(height, 0)


@dataclass(frozen=True)
class FogBank:
    """A layer with soft upper and lower sides: low cloud on the hills, a sea of fog seen from above.

    Parameters
    ----------
    base, top
        Heights in metres where the density is half of that within; top above base.
    edge
        Softness of both sides in metres, above 0: the width of a logistic function.
    """

    base: float
    top: float
    edge: float

    def density(self, height: Array) -> Array:
        """Relative density, 0 to 1."""
        return _logistic((height - self.base) / self.edge) - _logistic((height - self.top) / self.edge)

    def column(self, height: Array) -> Array:
        """Integral of the density up to a height, from far below, in metres."""
        lower = np.logaddexp(0, (height - self.base) / self.edge)
        return np.asarray(self.edge * (lower - np.logaddexp(0, (height - self.top) / self.edge)))


def _logistic(value: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * value)))


def layered_optical_depth(
    depth: FloatImage | Array,
    height: FloatImage | Array,
    camera_height: float,
    profile: FogProfile,
    beta: float,
) -> FloatImage:
    """Optical depth of fog in layers between the camera and what it sees.

    Parameters
    ----------
    depth
        Length of each ray, or depth where the view is narrow, (H, W), in metres, not negative and finite.
    height
        Height of what each ray ends at, (H, W), in metres above the zero of the profile.
    camera_height
        Height of the camera above the same zero, in metres.
    profile
        How the density changes with height.
    beta
        Extinction coefficient where the density is 1, per metre; not negative.

    Returns
    -------
    optical_depth
        (H, W) float32, not negative.
    """
    end = np.asarray(height, np.float64)
    rise = end - camera_height
    # On a level path the quotient is 0 / 0: there the density halfway is the mean, to second order in the rise.
    level = np.abs(rise) < 1e-3
    start = np.float64(camera_height)
    total = profile.column(end) - profile.column(np.asarray(start))
    mean = np.where(level, profile.density(start + rise / 2), total / np.where(level, 1.0, rise))
    return np.maximum(beta * np.asarray(depth, np.float64) * mean, 0).astype(np.float32)
