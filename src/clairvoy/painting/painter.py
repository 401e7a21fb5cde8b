"""The agent that paints: it decides where, how large and with which shapes; the generator proposes; the score decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clairvoy.errors import at_least, between
from clairvoy.painting.learnt import Learnt
from clairvoy.painting.looking import SIDES, Looking, whole_canvas
from clairvoy.painting.proposals import new_shapes, places
from clairvoy.painting.regions import from_region, view
from clairvoy.painting.scoring import Scorer
from clairvoy.painting.search import Found, Search
from clairvoy.painting.shapes import FAMILIES, Family


@dataclass(frozen=True)
class PainterSettings:
    """What the learnt parts do; each may be left out, to see what it is good for."""

    choices: int = 16
    """Regions that the agent chooses from."""
    regions: int = 2
    """Regions that it looks at for each stroke."""
    proposals: int = 32
    """Strokes that are proposed in each."""
    generator: bool = True
    """Proposals come from the generator; else they are drawn around the region's centre."""
    agent: bool = True
    """Regions of the highest Q-values; else the first that were drawn."""
    gate: float = 0.0
    """Proposals that the discriminator believes in less are not scored; 0 scores all."""

    def __post_init__(self) -> None:
        at_least(self, 1, "choices", "regions", "proposals")
        between(self, 0.0, 1.0, "gate")


@dataclass
class Regions:
    """Places to look at: (K, 2) centres, (K,) sides and (K,) numbers of `FAMILIES`."""

    centres: np.ndarray
    sides: np.ndarray
    families: np.ndarray


class Painter(Search):
    """A `Search` whose new strokes are proposed where an agent looks.

    Parameters
    ----------
    learnt
        Generator, discriminator, agent.
    looks
        See `PainterSettings`.
    strokes
        How many there will be; the agent is told.
    search
        Arguments of `Search`.
    """

    def __init__(
        self, learnt: Learnt, looks: PainterSettings, strokes: int, *search: Any, **named: Any
    ) -> None:
        super().__init__(*search, **named)
        self.learnt, self.looks, self.strokes = learnt, looks, strokes
        names = list(FAMILIES)
        self._numbers = np.array([names.index(family.name) for family in self.families])
        self._all = tuple(FAMILIES.values())

    def find(self, residual: Scorer) -> Found:
        """The best stroke among what is proposed in the regions that the agent looks at."""
        regions = self.drawn_regions(residual.error)
        return self.find_in(residual, regions, self.chosen(regions))

    def drawn_regions(self, error: np.ndarray) -> Regions:
        """Regions to choose from: where the picture is wrong, of any size and family."""
        count = self.looks.choices
        low, high = np.log(SIDES)
        return Regions(
            places(error, count, self.rng),
            np.exp(self.rng.uniform(low, high, count)),
            self.rng.choice(self._numbers, count),
        )

    def chosen(self, regions: Regions) -> np.ndarray:
        """Numbers of the regions that are looked at."""
        if not self.looks.agent:
            return np.arange(min(self.looks.regions, len(regions.sides)))
        looking = Looking(self.target.pixels, self.canvas, self.target.weight)
        described = looking.describe(regions.centres, regions.sides, regions.families)
        whole = whole_canvas(self.error, len(self.painting.strokes), self.strokes)
        q = self.learnt.q_values(described, whole)[: len(regions.sides)]
        return np.argsort(-q, kind="stable")[: self.looks.regions]

    def find_in(self, residual: Scorer, regions: Regions, chosen: np.ndarray) -> Found:
        """The best stroke among what is proposed in some of the regions."""
        starts = [self.proposed(regions, int(number)) for number in chosen]
        return self.best_of(residual, starts)

    def proposed(self, regions: Regions, number: int) -> tuple[Family, np.ndarray]:
        """A family, and shapes of it for one region."""
        centre, side = regions.centres[number], float(regions.sides[number])
        which, count = int(regions.families[number]), self.looks.proposals
        family = self._all[which]
        if not self.looks.generator:
            around = np.repeat(centre[None], count, axis=0)
            return family, new_shapes(family, around, self.rng, (0.15 * side, 0.6 * side))
        features = self.learnt.features(view(self.target.pixels, self.canvas, centre, side), which)
        rows = self.learnt.propose(features, which, count, self.rng)
        if self.looks.gate > 0.0:
            belief = self.learnt.belief(features, rows)
            rows = rows[(belief >= self.looks.gate) | (belief == belief.max())]
        return family, from_region(family, rows, centre, side)


def without(looks: PainterSettings, part: str) -> PainterSettings:
    """The same settings with one part, ``generator`` or ``agent``, left out."""
    return replace(looks, **{part: False})
