"""The search with what was learnt: a generator draws the changes that are tried, an agent says when it is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clairvoy.errors import above, at_least
from clairvoy.painting.climbing import Climb, RandomClimb
from clairvoy.painting.learnt import ChangeGenerator, Learnt
from clairvoy.painting.moves import log_size, moved
from clairvoy.painting.scoring import Scorer
from clairvoy.painting.search import Search
from clairvoy.painting.shapes import Family

LOOK_EVERY = 3
"""Rounds from one decision of the agent to the next."""
STATE = 7
_LEAST_SHARE = 1e-8


@dataclass(frozen=True)
class PainterSettings:
    """What the learnt parts do; each may be left out, to see what it is good for."""

    generator: bool = True
    """Changes are drawn by the generator; else by chance."""
    agent: bool = True
    """The agent says when a climb ends; else it has the rounds of the search's settings."""
    price: float = 4e-4
    """Of a round of climbing [dB]: what it must be expected to gain when 100 strokes are there, see `worth`."""
    longest: int = 36
    """Rounds that the agent may have at most."""

    def __post_init__(self) -> None:
        above(self, 0.0, "price")
        at_least(self, 1, "longest")


class Painter(Search):
    """A `Search` that climbs as was learnt.

    Parameters
    ----------
    learnt
        Generators and agent. Families that it holds no generator of are painted as `Search` paints them.
    looks
        See `PainterSettings`.
    search, named
        Arguments of `Search`.
    """

    def __init__(self, learnt: Learnt, looks: PainterSettings, *search: Any, **named: Any) -> None:
        super().__init__(*search, **named)
        self.learnt, self.looks = learnt, looks

    def climb(self, residual: Scorer, family: Family, redone: bool) -> Climb:
        """By generator and agent, as far as they are asked for and there."""
        generator = self.learnt.generators.get(family.name)
        if generator is None or not (self.looks.generator or self.looks.agent):
            return super().climb(residual, family, redone)
        if not self.looks.generator:
            generator = None
        return LearntClimb(self, float(residual.error.sum()), family, redone, generator)

    def expected_gain(self, state: np.ndarray) -> float:
        """See `Learnt.expected_gain`."""
        return self.learnt.expected_gain(state)


class LearntClimb:
    """A climb of a `Painter`.

    Parameters
    ----------
    painter
        Whose settings and randomness are used.
    error
        Squared error that there is, summed up.
    family
        Of the shapes.
    redone
        Whether the shape is a stroke that is there already.
    generator
        Of changes; None for changes by chance.
    """

    def __init__(
        self, painter: Painter, error: float, family: Family, redone: bool, generator: ChangeGenerator | None
    ) -> None:
        self.painter, self.error, self.family, self.redone = painter, error, family, redone
        self.generator = generator
        self.chance = RandomClimb(family, painter.settings.rounds, painter.rng)
        self.rounds = 0
        self.gained_before = 0.0
        self.last = self.slope = self.drawn = np.zeros((0, 0))

    def goes_on(self, shapes: np.ndarray, gains: np.ndarray) -> bool:
        """The agent is asked every few rounds: as long as tau, the expected gain, is above nothing."""
        looks, best = self.painter.looks, float(gains.max())
        goes = self.rounds < (looks.longest if looks.agent else self.painter.settings.rounds)
        if goes and looks.agent and self.rounds % LOOK_EVERY == 0:
            if self.rounds:
                state = climb_state(
                    self.redone, self.rounds, (best - self.gained_before) / self.error, best / self.error,
                    float(log_size(self.family.axes(shapes[[int(gains.argmax())]]))[0]),
                    len(self.painter.painting.strokes), looks.price,
                )  # fmt: skip
                goes = self.painter.expected_gain(state) > 0.0
            self.gained_before = best
        self.rounds += 1
        return goes

    def tries(self, shapes: np.ndarray, count: int) -> np.ndarray:
        """Changes from the generator, or by chance."""
        if self.generator is None:
            return self.chance.tries(shapes, count)
        if not len(self.last):
            self.last, self.slope = np.zeros(shapes.shape), np.zeros(shapes.shape)
        axes = self.family.axes(shapes)
        known = conditions(self.rounds - 1, self.redone, log_size(axes), self.last, self.slope)
        self.drawn = self.generator(known, count, self.painter.rng)
        return moved(self.family, shapes, axes, self.drawn)

    def told(self, gains: np.ndarray, tried: np.ndarray, better: np.ndarray) -> None:
        """Remember the last move that helped, and which way was uphill."""
        if self.generator is not None:
            self.last, self.slope = remembered(self.last, self.slope, self.drawn, gains, tried, better)


def conditions(
    number: int, redone: bool, sizes: np.ndarray, last: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """What a generator of changes is told of N climbers, (N, 4 + 2 numbers).

    Parameters
    ----------
    number
        Of the round, from 0.
    redone
        Whether a stroke that is there is improved.
    sizes
        (N,), see `moves.log_size`.
    last
        (N, numbers), the last move that helped; 0 where none has yet.
    slope
        (N, numbers), see `remembered`.
    """
    told = np.empty((len(sizes), 4))
    told[:, 0], told[:, 1], told[:, 2] = min(number, 16) / 8.0, redone, sizes
    told[:, 3] = last.any(axis=1)
    return np.concatenate([told, last, slope], axis=1)


def remembered(
    last: np.ndarray,
    slope: np.ndarray,
    moves: np.ndarray,
    gains: np.ndarray,
    tried: np.ndarray,
    better: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Last helpful move and slope after a round of N climbers with `count` tries each.

    The slope is the mean of the moves, each weighted by the root of what it won or lost, as evolution strategies estimate
    one; half of the slope before is kept.

    Parameters
    ----------
    last, slope
        (N, numbers) before.
    moves
        (N, count, numbers), what was tried.
    gains, tried, better
        See `Climb.told`.
    """
    won = tried - gains[:, None]
    won = np.sign(won) * np.sqrt(np.abs(won))
    won /= np.maximum(np.abs(won).max(axis=1, keepdims=True), 1e-12)
    best = moves[np.arange(len(moves)), tried.argmax(axis=1)]
    return (
        np.where(better[:, None], best, last),
        0.5 * slope + (won[:, None, :] @ moves)[:, 0] / moves.shape[1],
    )


def worth(painted: int) -> float:
    """What a dB counts when so many strokes are there: the n-th gains about 1/n, so early ones are dear for nothing."""
    return (painted + 1) / 100.0


def climb_state(
    redone: bool, rounds: int, just_won: float, won: float, size: float, painted: int, price: float
) -> np.ndarray:
    """(STATE,), what the agent is shown: where a climb stands.

    Parameters
    ----------
    redone, rounds
        Whether a stroke that is there is improved; rounds so far.
    just_won, won
        Gain since the last look and in all, over the whole error.
    size
        See `moves.log_size`.
    painted
        Strokes that are there.
    price
        See `PainterSettings.price`.
    """
    return np.array(
        [
            float(redone), rounds / 12.0, np.log10(max(just_won, 0.0) + _LEAST_SHARE) / 2.0 + 2.0,
            np.log10(max(won, 0.0) + _LEAST_SHARE) / 2.0 + 2.0, size / 2.0 + 1.0, np.log1p(painted) / 5.0,
            np.log10(price) + 3.0,
        ]
    )  # fmt: skip
