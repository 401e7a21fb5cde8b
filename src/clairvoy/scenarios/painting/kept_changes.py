"""Changes of strokes that the search kept, and climbs as they went: what generator and agent learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from clairvoy.painting.climbing import Climb
from clairvoy.painting.learnt import ChangeGenerator, Learnt
from clairvoy.painting.moves import log_size, moves_of
from clairvoy.painting.painter import (
    LOOK_EVERY,
    LearntClimb,
    Painter,
    PainterSettings,
    climb_state,
    conditions,
    remembered,
    worth,
)
from clairvoy.painting.painting import Painting
from clairvoy.painting.scoring import Scorer
from clairvoy.painting.search import SearchSettings
from clairvoy.painting.shapes import Family
from clairvoy.painting.target import Target

SEARCH = SearchSettings(candidates=128, climbers=2, rounds=24, changes=32, opacity=0.5, sweeps=1)


@dataclass
class KeptChanges:
    """Rows for each change that was kept, of one family.

    Attributes
    ----------
    conditions
        (N, conditions), what was known before; see `painter.conditions`.
    moves
        (N, numbers), see `moves`.
    shares
        (N,), by how much the gain of the stroke grew, in parts of what it was then: how much a row counts.
    """

    conditions: np.ndarray
    moves: np.ndarray
    shares: np.ndarray


@dataclass
class Climbs:
    """How climbs went, look by look.

    Attributes
    ----------
    states
        (N, STATE), see `painter.climb_state`; the price is 1 and is to be set.
    won
        (N,), dB gained until the next look, times `painter.worth` of them then.
    next_states
        (N, STATE), at the next look.
    last
        (N,) bool, whether the climb ended there.
    """

    states: np.ndarray
    won: np.ndarray
    next_states: np.ndarray
    last: np.ndarray


@dataclass
class Recorded:
    """Rows of `KeptChanges` and of `Climbs` while they are gathered."""

    changes: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)
    climbs: list[tuple[np.ndarray, float, np.ndarray, bool]] = field(default_factory=list)

    def kept_changes(self) -> KeptChanges:
        """All changes that have a frame."""
        told, moves, shares = (np.array(column) for column in zip(*self.changes, strict=True))
        sound = np.isfinite(moves).all(axis=1)
        return KeptChanges(told[sound], moves[sound], shares[sound])

    def all_climbs(self) -> Climbs:
        """All looks."""
        states, won, following, last = (np.array(column) for column in zip(*self.climbs, strict=True))
        return Climbs(states, won, following, last)


def paint_and_record(
    targets: Iterable[Target],
    family: Family,
    strokes: int,
    generator: ChangeGenerator | None,
    rng: np.random.Generator,
) -> Recorded:
    """Paint photographs with one family, improve all strokes once, and record it.

    Parameters
    ----------
    targets
        Photographs, reduced to what the search looks at.
    family
        Of shapes.
    strokes
        In each.
    generator
        Of the changes that are tried; by chance if None.
    rng
        Of all randomness.
    """
    record = Recorded()
    for target in targets:
        painter = _RecordingPainter(
            record, generator, target, Painting(target.size, target.mean), SEARCH, rng, (family,)
        )
        for _ in range(strokes):
            painter.add()
        for _ in painter.sweep():
            pass
    return record


class _RecordingPainter(Painter):
    """A `Painter` that climbs for all rounds and writes down what happens."""

    def __init__(
        self, record: Recorded, generator: ChangeGenerator | None, target: Target, painting: Painting,
        settings: SearchSettings, rng: np.random.Generator, families: tuple[Family, ...],
    ) -> None:  # fmt: skip
        looks = PainterSettings(agent=False)
        super().__init__(_nothing_learnt(), looks, target, painting, settings, rng, families)
        self.record, self.generator = record, generator

    def climb(self, residual: Scorer, family: Family, redone: bool) -> Climb:
        return _RecordingClimb(self, float(residual.error.sum()), family, redone, self.generator)


class _RecordingClimb(LearntClimb):
    """Learns nothing from a change that was not kept, and looks at itself as the agent would."""

    painter: _RecordingPainter

    def goes_on(self, shapes: np.ndarray, gains: np.ndarray) -> bool:
        best = float(gains.max())
        ends = self.rounds >= self.painter.settings.rounds
        if self.rounds % LOOK_EVERY == 0:
            if self.rounds:
                state = climb_state(
                    self.redone, self.rounds, (best - self.gained_before) / self.error, best / self.error,
                    float(log_size(self.family.axes(shapes[[int(gains.argmax())]]))[0]),
                    len(self.painter.painting.strokes), 1.0,
                )  # fmt: skip
                if self.state is not None:
                    left = [max(1.0 - gain / self.error, 1e-6) for gain in (self.gained_before, best)]
                    won = (
                        worth(len(self.painter.painting.strokes)) * 10.0 * float(np.log10(left[0] / left[1]))
                    )
                    self.painter.record.climbs.append((self.state, won, state, ends))
                self.state = state
            self.gained_before = best
        self.rounds += 1
        return not ends

    state: np.ndarray | None = None

    def tries(self, shapes: np.ndarray, count: int) -> np.ndarray:
        if not len(self.last):
            self.last, self.slope = np.zeros(shapes.shape), np.zeros(shapes.shape)
        self.known = conditions(
            self.rounds - 1, self.redone, log_size(self.family.axes(shapes)), self.last, self.slope
        )
        new = super().tries(shapes, count)
        if self.generator is None:
            moves = moves_of(self.family, shapes.repeat(count, axis=0), new)
            self.drawn = np.nan_to_num(moves).reshape(len(shapes), count, -1)
            self.sound = np.isfinite(moves).all(axis=1).reshape(len(shapes), count)
        else:
            self.sound = np.ones((len(shapes), count), bool)
        return new

    def told(self, gains: np.ndarray, tried: np.ndarray, better: np.ndarray) -> None:
        best = tried.argmax(axis=1)
        for row in np.flatnonzero(better):
            if self.sound[row, best[row]]:
                share = (tried[row, best[row]] - gains[row]) / max(tried[row, best[row]], 1e-9)
                self.painter.record.changes.append(
                    (self.known[row], self.drawn[row, best[row]], float(np.clip(share, 0.0, 1.0)))
                )
        self.last, self.slope = remembered(self.last, self.slope, self.drawn, gains, tried, better)


def _nothing_learnt() -> Learnt:
    return Learnt({"agent.calibration": np.zeros(2)})
