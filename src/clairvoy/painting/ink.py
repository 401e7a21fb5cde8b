"""Ink on white paper: what is drawn only darkens, and the order does not matter.

A stroke of density a in a pen's colour k multiplies what is there by 1 - a (1 - k). So all strokes but one leave a factor
u of the paper, and with d = target - u and q = 1 - k that one gains, over what it covers,

    gain = -2 a q S(d u) - a^2 q^2 S(u^2),    summed over the colours,

which is asked of each pen; sums as in `scoring`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clairvoy.painting.painting import Stroke, with_ink
from clairvoy.painting.scoring import sums_over
from clairvoy.painting.search import Search


class InkResidual:
    """What is still wrong with a drawing, ready to score strokes of pens.

    Parameters
    ----------
    target, under
        (H, W, 3) in [0, 1]; what is wanted, and what all other strokes make.
    opacity
        Density of the stroke that is looked for, in (0, 1].
    weight
        (H, W), how much each pixel counts.
    pens
        (pens, 3), their colours.
    """

    def __init__(
        self, target: np.ndarray, under: np.ndarray, opacity: float, weight: np.ndarray, pens: np.ndarray
    ) -> None:
        wrong = target - under
        self.opacity, self.pens = opacity, pens
        self.error = weight * (wrong**2).sum(axis=2)
        """(H, W), squared error of each pixel as it is, summed over the colours."""
        height, width = weight.shape
        terms = np.concatenate([wrong * under, under**2], axis=2) * weight[..., None]
        # Edges alone do not say which way a polygon turns where the sums may be negative.
        terms = np.concatenate([np.ones((height, width, 1)), terms], axis=2)
        self._until = np.zeros((height, width + 1, 7))
        np.cumsum(terms, axis=1, out=self._until[:, 1:])

    def score(self, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gains (N,) and best pens (N, 3) of shapes (N, corners, 2); as `Residual.score`."""
        sums = sums_over(self._until, polygons)
        sums *= np.where(sums[:, :1] < 0, -1.0, 1.0)
        taken = self.opacity * (1.0 - self.pens)
        gains = -2.0 * sums[:, 1:4] @ taken.T - sums[:, 4:7] @ (taken**2).T
        best = gains.argmax(axis=1)
        return gains[np.arange(len(gains)), best], self.pens[best]


class InkSearch(Search):
    """A `Search` whose strokes are ink; its painting has a white ground, `Painting.ink`, and a palette of pens."""

    def residual(self) -> InkResidual:
        """What is wrong now, for one more stroke."""
        return self._residual(self.canvas)

    def sweep(self, begin: int = 0, end: int | None = None) -> Iterator[int]:
        """As `Search.sweep`; each stroke is seen through all others."""
        for number in list(range(len(self.painting.strokes)))[begin:end]:
            under = np.ones_like(self.canvas)
            for other, stroke in enumerate(self.painting.strokes):
                if other != number:
                    under = with_ink(under, self._covers[other], stroke.colour)
            stroke = self.painting.strokes[number]
            found = self.improve(self._residual(under), stroke.family, stroke.shape[None], redone=True)
            drawn = [(new, with_ink(under, self._cover(new), new.colour)) for new in (found.stroke, stroke)]
            errors = [
                (self.target.weight[..., None] * (self.target.pixels - seen) ** 2).sum() for _, seen in drawn
            ]
            chosen, self.canvas = drawn[0] if errors[0] < errors[1] else drawn[1]
            self.painting.strokes[number] = chosen
            self._covers[number] = self._cover(chosen)
            yield number

    def _residual(self, under: np.ndarray) -> InkResidual:
        assert self.palette is not None
        return InkResidual(self.target.pixels, under, self.settings.opacity, self.target.weight, self.palette)

    def _blended(self, canvas: np.ndarray, cover: np.ndarray, stroke: Stroke) -> np.ndarray:
        return with_ink(canvas, cover, stroke.colour)
