"""What an agent sees of a canvas before it decides where to paint: regions in few numbers, and the whole."""

from __future__ import annotations

import numpy as np

from clairvoy.painting.shapes import FAMILIES

SIDES = (0.05, 0.9)
"""Smallest and largest side of a region, in parts of the longer side."""
REGION_NUMBERS = 2 + 3 + 12 + 2 + len(FAMILIES)
WHOLE_NUMBERS = 3


class Looking:
    """Sums over any box of a canvas, from sums along both sides.

    Parameters
    ----------
    target, canvas
        (H, W, 3) in [0, 1].
    weight
        (H, W), how much each pixel counts.
    """

    def __init__(self, target: np.ndarray, canvas: np.ndarray, weight: np.ndarray) -> None:
        wrong = (target - canvas) * weight[..., None]
        self.height, self.width = weight.shape
        self.scale = max(self.height, self.width)
        self.error = (wrong**2).sum(axis=2)
        terms = np.concatenate([wrong, self.error[..., None]], axis=2)
        self._sums = np.zeros((self.height + 1, self.width + 1, 4))
        self._sums[1:, 1:] = terms.cumsum(axis=0).cumsum(axis=1)
        self.total = float(self._sums[-1, -1, 3])

    def describe(self, centres: np.ndarray, sides: np.ndarray, families: np.ndarray) -> np.ndarray:
        """Regions as (K, REGION_NUMBERS): how wrong they are, in one way or in many, in which quarters; side and family.

        Parameters
        ----------
        centres
            (K, 2), in parts of the longer side.
        sides
            (K,), likewise.
        families
            (K,), which of `FAMILIES` is to be painted there.
        """
        low, high = (
            np.rint((centres + sign * sides[:, None] / 2) * self.scale).astype(int) for sign in (-1, 1)
        )
        edges = [
            np.clip(np.stack([low[:, axis], (low[:, axis] + high[:, axis]) // 2, high[:, axis]]), 0, most)
            for axis, most in enumerate((self.width, self.height))
        ]
        corners = self._sums[edges[1][:, None], edges[0][None]]  # (3, 3, K, 4)
        quarters = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
        area = np.maximum((sides * self.scale) ** 2, 1.0)
        whole = quarters.sum(axis=(0, 1)) / area[:, None]
        mean = 4.0 * quarters[..., :3].reshape(4, -1, 3) / area[None, :, None]
        share = whole[:, 3] * area / max(self.total, 1e-9)
        shown = np.zeros((len(centres), REGION_NUMBERS))
        shown[:, 0] = np.sqrt(np.maximum(whole[:, 3], 0.0))
        shown[:, 1] = np.log(np.maximum(share, 1e-4))
        shown[:, 2:5] = np.abs(whole[:, :3])
        shown[:, 5:17] = mean.transpose(1, 0, 2).reshape(-1, 12)
        shown[:, 17] = np.log(sides)
        # What one flat colour could mend at best, in parts of the whole error.
        shown[:, 18] = np.log(
            np.maximum((whole[:, :3] ** 2).sum(axis=1) * area / max(self.total, 1e-9), 1e-4)
        )
        shown[np.arange(len(centres)), 19 + families] = 1.0
        return shown


def whole_canvas(error: float, painted: int, strokes: int) -> np.ndarray:
    """(WHOLE_NUMBERS,): the error, and how many strokes are painted and left."""
    return np.array(
        [np.log10(max(error, 1e-6)), np.log1p(painted) / 5.0, np.log1p(max(strokes - painted, 0)) / 5.0]
    )
