"""The signs of confidence, and the linear map from them to a PSNR in dB: on tensors, where it is learnt, and on arrays.

The map is fitted by ridge regression on pictures whose truth is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace, device

GOOD_DB = 20.0
"""A restoration at least this near to the truth, in dB PSNR, counts as good; tau is the probability of that."""
SIGNS = (
    "spread", "discriminator", "residual", "haze", "haze squared", "airlight", "brightness", "contrast", "doubt",
    "density",
)  # fmt: skip
"""What tau is computed from, see `perception`."""
RIDGE = 1e-2
"""Strength of the regression's penalty, on signs of deviation 1."""


class DbMap(NamedTuple):
    """PSNR in dB = signs (..., S) @ slope (S,) + offset."""

    slope: Any
    offset: Any

    def __call__(self, signs: Any) -> Any:
        """Expected PSNR in dB, (...), of signs (..., S)."""
        return signs @ self.slope + self.offset


def fitted(signs: Any, squared_error: Any, ridge: float = RIDGE) -> tuple[DbMap, Any]:
    """The map that fits, and the standard deviation of what it leaves, in dB.

    Parameters
    ----------
    signs
        (n, S) float64, tensor or array.
    squared_error
        What they are signs of: mean squared errors (n,) of pictures in [0, 1].
    ridge
        Strength of the penalty.
    """
    xp, count = array_namespace(signs), signs.shape[0]
    db = to_db(squared_error)
    centre, scale = xp.mean(signs, axis=0), xp.clip(_deviation(signs), min=1e-6)
    unit = (signs - centre) / scale
    gram = unit.T @ unit / count + ridge * xp.eye(signs.shape[1], dtype=unit.dtype, device=device(unit))
    slope = xp.linalg.solve(gram, unit.T @ (db - xp.mean(db)) / count) / scale
    found = DbMap(slope, xp.mean(db) - centre @ slope)
    return found, _deviation(db - found(signs))


def to_db(squared_error: Any) -> Any:
    """PSNR in dB of a mean squared error of pictures in [0, 1], at most 60."""
    xp = array_namespace(squared_error)
    return -10 * xp.log10(xp.clip(squared_error, min=1e-6))


def _deviation(numbers: Any) -> Any:
    return array_namespace(numbers).std(numbers, axis=0, correction=1)
