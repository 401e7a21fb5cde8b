"""The best colour of a shape and what it would gain, for thousands of shapes at once and without drawing one.

A stroke of opacity a and colour k turns what lies under it, u, into (1 - a) u + a k. Later strokes let a part t of
that through and add r. With m = target - r - t (1 - a) u the error of a pixel becomes (m - a t k)^2, so over a shape

    k = S(t m) / (a S(t^2)),    gain = S(d^2 - m^2) + 2 a k S(t m) - a^2 k^2 S(t^2),

where S is the sum over what the shape covers and d the error as it is. S needs no drawing: sums along each row are kept,
and a polygon takes their values where its edges cross the row (Green's theorem). A pixel that is covered in part counts
by its part, as in a picture that is painted larger. Drawn on these very pixels the gain is never less, since the square
is convex.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

import numpy as np

from clairvoy.painting.coverage import crossings

SUBLINES = 2
"""Lines looked at in each row of pixels."""
_TERMS = 5


class Scorer(Protocol):
    """What is still wrong with a canvas, and what a shape would gain."""

    error: np.ndarray

    def score(self, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gains (N,) and best colours (N, 3) of polygons (N, corners, 2) in pixels."""
        ...


class Residual:
    """What is still wrong with a canvas, ready to score strokes.

    Parameters
    ----------
    target
        (H, W, 3) in [0, 1].
    under
        (H, W, 3), what lies under the stroke that is looked for.
    opacity
        Of that stroke, in (0, 1].
    weight
        (H, W), how much each pixel counts; all the same if None.
    through, over
        (H, W) and (H, W, 3): the part that later strokes let through, and what they add. None where there are none.
    palette
        (colours, 3), the only colours that there are; any if None.
    """

    def __init__(
        self,
        target: np.ndarray,
        under: np.ndarray,
        opacity: float,
        *,
        weight: np.ndarray | None = None,
        through: np.ndarray | None = None,
        over: np.ndarray | None = None,
        palette: np.ndarray | None = None,
    ) -> None:
        height, width, _ = target.shape
        t = np.ones((height, width, 1)) if through is None else through[..., None]
        w = np.ones((height, width, 1)) if weight is None else weight[..., None]
        beyond = target if over is None else target - over
        wrong = beyond - t * under
        m = wrong + opacity * t * under
        self.opacity, self.palette = opacity, palette
        self.error = w[..., 0] * (wrong**2).sum(axis=2)
        """(H, W), squared error of each pixel as it is, summed over the colours."""
        terms = np.concatenate(
            [w * t**2, w * t * m, w * (wrong**2 - m**2).sum(axis=2, keepdims=True)], axis=2
        )
        self._until = np.zeros((height, width + 1, _TERMS))
        np.cumsum(terms, axis=1, out=self._until[:, 1:])

    def score(self, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Best colours and gains of shapes.

        Parameters
        ----------
        polygons
            (N, corners, 2) in pixels.

        Returns
        -------
        gains, colours
            (N,) drop of the squared error, summed over pixels and colours; (N, 3) in [0, 1], in steps of 1/255 or of the
            palette.
        """
        sums = sums_over(self._until, polygons)
        # The first term is never negative: where it is, the polygon turns the other way.
        sums *= np.where(sums[:, :1] < 0, -1.0, 1.0)
        mass, moments, rest = sums[:, 0], sums[:, 1:4], sums[:, 4]
        a = self.opacity
        free = moments / (a * np.maximum(mass, 1e-12))[:, None]
        if self.palette is None:
            colours = np.round(np.clip(free, 0.0, 1.0) * 255.0) / 255.0
        else:
            # The gain is a parabola in the colour, equally bent all around: the nearest colour is the best one.
            far = ((free[:, None] - self.palette[None]) ** 2).sum(axis=2)
            colours = self.palette[far.argmin(axis=1)]
        gains = rest + 2 * a * (colours * moments).sum(axis=1) - a**2 * (colours**2).sum(axis=1) * mass
        return gains, colours


def sums_over(until: np.ndarray, polygons: np.ndarray, sublines: int = SUBLINES) -> np.ndarray:
    """Integrals of pictures over polygons, with the sign of the way that each turns.

    Parameters
    ----------
    until
        (H, W + 1, channels) float64, sums of the pixels to the left of each column's left edge.
    polygons
        (N, corners, 2) in pixels.

    Returns
    -------
    np.ndarray
        (N, channels).
    """
    polygons = np.ascontiguousarray(polygons, dtype=np.float64)
    if not _COMPILED:
        return sums_of_lines(until, polygons, sublines)
    from clairvoy.painting import compiled

    out = np.empty((len(polygons), until.shape[2]))
    compiled.sums(until, polygons, sublines, out)
    return out


def sums_of_lines(until: np.ndarray, polygons: np.ndarray, sublines: int = SUBLINES) -> np.ndarray:
    """The same as `sums_over`, by NumPy alone."""
    height, across, channels = until.shape
    which, line, x, sign = crossings(polygons, height, sublines)
    x = np.clip(x, 0.0, across - 1)
    cell = np.minimum(x.astype(np.int64), across - 2)
    part = (x - cell)[:, None]
    flat = until.reshape(-1, channels)
    at = line // sublines * across + cell
    values = (flat[at] * (1.0 - part) + flat[at + 1] * part) * (sign / sublines)[:, None]
    return np.stack(
        [np.bincount(which, values[:, k], len(polygons)) for k in range(channels)],
        axis=1,
    )


_COMPILED = find_spec("numba") is not None
