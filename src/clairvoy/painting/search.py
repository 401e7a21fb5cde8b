"""The search for strokes: the best of many, made better by small changes; then each stroke again, the others being there.

The first half is what Fogleman's `primitive` (2016) does. The second is coordinate descent over the whole painting: what
later strokes do to a pixel is linear in what lies under them, so an earlier stroke is scored as exactly as a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clairvoy.errors import at_least, between
from clairvoy.painting.climbing import Climb, RandomClimb
from clairvoy.painting.coverage import coverage
from clairvoy.painting.painting import PAPER, Painting, Stroke
from clairvoy.painting.proposals import new_shapes, places
from clairvoy.painting.scoring import Residual, Scorer
from clairvoy.painting.shapes import FAMILIES, Family
from clairvoy.painting.target import Target

LEAST_GAIN = 1e-9
"""A stroke that gains no more is none: sums have rounding errors."""
_POINTS = 20
"""Points of a round outline while it is scored."""


@dataclass(frozen=True)
class SearchSettings:
    """How hard is looked for each stroke."""

    opacity: float = 0.5
    """Of each stroke, above 0 and at most 1."""
    candidates: int = 256
    """New shapes tried for each stroke, shared by the families."""
    climbers: int = 4
    """The best of them are improved."""
    rounds: int = 24
    """Rounds of improvement."""
    changes: int = 16
    """Changes of each climber that are tried in a round."""
    sweeps: int = 1
    """Times that each stroke is improved again when all are there."""

    def __post_init__(self) -> None:
        between(self, 0.01, 1.0, "opacity")
        at_least(self, 1, "candidates", "climbers", "changes")
        at_least(self, 0, "rounds", "sweeps")


@dataclass
class Found:
    """A stroke that was found, and by how much it lowers the squared error."""

    stroke: Stroke
    gain: float


class Search:
    """Paints one target.

    Parameters
    ----------
    target
        What is to be painted.
    painting
        Where strokes are added; its canvas is followed.
    settings
        See `SearchSettings`.
    rng
        Source of all randomness.
    families
        Of the shapes that may be used.
    palette
        (colours, 3) in [0, 1], the only colours that there are; any if None.
    """

    def __init__(
        self,
        target: Target,
        painting: Painting,
        settings: SearchSettings,
        rng: np.random.Generator,
        families: tuple[Family, ...] = (FAMILIES["triangles"],),
        palette: np.ndarray | None = None,
    ) -> None:
        self.target, self.painting, self.settings = target, painting, settings
        self.rng, self.families, self.palette = rng, families, palette
        self.height, self.width = target.weight.shape
        self.scale = max(self.height, self.width)
        self._ground = np.array(PAPER) if painting.ground is None else np.asarray(painting.ground)
        self._covers = [self._cover(stroke) for stroke in painting.strokes]
        self.canvas = self._painted(len(painting.strokes))
        self.tried = 0
        """Shapes scored so far."""

    @property
    def error(self) -> float:
        """Mean squared error of what is seen, in [0, 1]."""
        weight = self.target.weight[..., None]
        return float((weight * (self.target.pixels - self.canvas) ** 2).sum() / (3.0 * weight.sum()))

    def residual(self) -> Scorer:
        """What is wrong now, for a stroke on top."""
        return Residual(
            self.target.pixels, self.canvas, self.settings.opacity,
            weight=self.target.weight, palette=self.palette,
        )  # fmt: skip

    def add(self) -> Found | None:
        """Find one more stroke and paint it; None, and nothing is painted, where no shape makes the picture better."""
        found = self.find(self.residual())
        if found.gain <= LEAST_GAIN:
            return None
        self.paint(found.stroke)
        return found

    def paint(self, stroke: Stroke) -> None:
        """Put a stroke on top."""
        cover = self._cover(stroke)
        self.painting.strokes.append(stroke)
        self._covers.append(cover)
        self.canvas = self._blended(self.canvas, cover, stroke)

    def find(self, residual: Scorer) -> Found:
        """The best stroke that is found, whether or not it gains anything."""
        each = max(1, self.settings.candidates // len(self.families))
        starts = [
            (family, new_shapes(family, places(residual.error, each, self.rng), self.rng))
            for family in self.families
        ]
        return self.best_of(residual, starts)

    def best_of(self, residual: Scorer, starts: list[tuple[Family, np.ndarray]]) -> Found:
        """Score shapes of several families, improve the best ones, and keep one."""
        gains = [self.score(residual, family, shapes)[0] for family, shapes in starts]
        bar = np.sort(np.concatenate(gains))[-min(self.settings.climbers, sum(map(len, gains)))]
        return max(
            (
                self.improve(residual, family, shapes[gain >= bar])
                for (family, shapes), gain in zip(starts, gains, strict=True)
                if (gain >= bar).any()
            ),
            key=lambda found: found.gain,
        )

    def improve(self, residual: Scorer, family: Family, shapes: np.ndarray, *, redone: bool = False) -> Found:
        """Climb from each of the shapes (N, numbers) by small changes, and give the best that was reached.

        `redone` says that the shape is a stroke that is there already.
        """
        gains, colours = self.score(residual, family, shapes)
        several, changes = np.arange(len(shapes)), self.settings.changes
        climb = self.climb(residual, family, redone)
        while climb.goes_on(shapes, gains):
            tries = climb.tries(shapes, changes)
            tried_gains, tried_colours = self.score(residual, family, tries)
            best = tried_gains.reshape(-1, changes).argmax(axis=1) + several * changes
            better = tried_gains[best] > gains
            climb.told(gains, tried_gains.reshape(-1, changes), better)
            chosen = best[better]
            shapes, gains, colours = shapes.copy(), gains.copy(), colours.copy()
            shapes[better], gains[better], colours[better] = (
                tries[chosen],
                tried_gains[chosen],
                tried_colours[chosen],
            )
        top = int(gains.argmax())
        return Found(Stroke(family, shapes[top], colours[top], self.settings.opacity), float(gains[top]))

    def climb(self, residual: Scorer, family: Family, redone: bool) -> Climb:
        """How shapes are changed, and for how long: by chance, for the rounds of the settings."""
        return RandomClimb(family, self.settings.rounds, self.rng)

    def score(self, residual: Scorer, family: Family, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gains (N,) and colours (N, 3) of shapes; see `Residual.score`."""
        self.tried += len(shapes)
        return residual.score(family.outline(shapes, _POINTS) * self.scale)

    def sweep(self, begin: int = 0, end: int | None = None) -> Iterator[int]:
        """Improve each stroke once, from the bottom to the top, the others being as they are; yields their numbers.

        Between two steps the painting and the canvas are whole, so one may stop at any; new strokes end a sweep.

        Parameters
        ----------
        begin, end
            Strokes from the first to before the second only; None is all.
        """
        throughs, overs = self._seen_through()
        under = np.broadcast_to(self._ground, self.canvas.shape).astype(np.float64)
        for number, stroke in enumerate(self.painting.strokes[:end]):
            if number < begin:
                under = self._blended(under, self._covers[number], stroke)
                continue
            through, over = throughs[number], overs[number]
            stroke = self.redone(number, under, through, over)
            self.painting.strokes[number] = stroke
            self._covers[number] = self._cover(stroke)
            under = self._blended(under, self._covers[number], stroke)
            self.canvas = through[..., None] * under + over
            yield number

    def redone(self, number: int, under: np.ndarray, through: np.ndarray, over: np.ndarray) -> Stroke:
        """Stroke `number`, improved; as it was where nothing better is found."""
        stroke = self.painting.strokes[number]
        residual = Residual(
            self.target.pixels, under, stroke.opacity,
            weight=self.target.weight, through=through, over=over, palette=self.palette,
        )  # fmt: skip
        found = self.improve(residual, stroke.family, stroke.shape[None], redone=True)
        return self._really_better(found.stroke, stroke, under, through, over)

    def _really_better(
        self, new: Stroke, old: Stroke, under: np.ndarray, through: np.ndarray, over: np.ndarray
    ) -> Stroke:
        """Of two strokes the one that leaves the smaller error when it is drawn: a score counts no smoothed edges."""
        errors = []
        for stroke in (new, old):
            seen = through[..., None] * self._blended(under, self._cover(stroke), stroke) + over
            errors.append((self.target.weight[..., None] * (self.target.pixels - seen) ** 2).sum())
        return new if errors[0] < errors[1] else old

    def _seen_through(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each stroke the part (H, W) that later ones let through, and what (H, W, 3) they add."""
        through = np.ones((self.height, self.width))
        over = np.zeros((self.height, self.width, 3))
        throughs, overs = [], []
        for stroke, cover in zip(reversed(self.painting.strokes), reversed(self._covers), strict=True):
            throughs.append(through)
            overs.append(over)
            over = over + (through * cover)[..., None] * stroke.colour
            through = through * (1.0 - cover)
        return throughs[::-1], overs[::-1]

    def _painted(self, count: int) -> np.ndarray:
        canvas = np.broadcast_to(self._ground, (self.height, self.width, 3)).astype(np.float64)
        for stroke, cover in zip(self.painting.strokes[:count], self._covers[:count], strict=True):
            canvas = self._blended(canvas, cover, stroke)
        return canvas

    def _cover(self, stroke: Stroke) -> np.ndarray:
        """(H, W), opacity times cover."""
        return stroke.opacity * coverage(stroke.outline(self.scale), self.height, self.width)

    def _blended(self, canvas: np.ndarray, cover: np.ndarray, stroke: Stroke) -> np.ndarray:
        """The canvas with one more stroke; `cover` holds its opacity already."""
        return canvas + cover[..., None] * (stroke.colour - canvas)
