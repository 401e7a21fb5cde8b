"""A climb: shapes are changed a little, round after round, and the best change of each is kept."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from clairvoy.painting.proposals import changed
from clairvoy.painting.shapes import Family


class Climb(Protocol):
    """Which changes are tried, and when it is enough. One climb begins with N shapes of one family."""

    def goes_on(self, shapes: np.ndarray, gains: np.ndarray) -> bool:
        """Whether one more round is to be had, from shapes (N, numbers) with gains (N,)."""
        ...

    def tries(self, shapes: np.ndarray, count: int) -> np.ndarray:
        """(N * count, numbers), so many changes of each shape, those of one shape together."""
        ...

    def told(self, gains: np.ndarray, tried: np.ndarray, better: np.ndarray) -> None:
        """What came of the tries: gains before (N,), of each try (N, count), and where the best one is kept (N,)."""
        ...


class RandomClimb:
    """Changes by chance, as primitive makes them, for a number of rounds."""

    def __init__(self, family: Family, rounds: int, rng: np.random.Generator) -> None:
        self.family, self.left, self.rng = family, rounds, rng

    def goes_on(self, shapes: np.ndarray, gains: np.ndarray) -> bool:
        """As long as there are rounds left."""
        self.left -= 1
        return self.left >= 0

    def tries(self, shapes: np.ndarray, count: int) -> np.ndarray:
        """See `proposals.changed`."""
        return changed(self.family, shapes.repeat(count, axis=0), self.rng)

    def told(self, gains: np.ndarray, tried: np.ndarray, better: np.ndarray) -> None:
        """Nothing is learnt of it."""
