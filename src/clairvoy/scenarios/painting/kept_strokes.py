"""Strokes that the search found good, each with what was seen where it was painted: what the generator learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clairvoy.painting.painting import Painting
from clairvoy.painting.proposals import new_shapes
from clairvoy.painting.regions import to_region, view
from clairvoy.painting.search import Search, SearchSettings
from clairvoy.painting.shapes import FAMILIES, Family
from clairvoy.painting.target import Target

SEARCH = SearchSettings(candidates=128, climbers=2, rounds=12, sweeps=0)
NEGATIVES = 4
"""Shapes that were not kept, for each one that was."""
_ROOM = (1.2, 2.5)
"""Side of a region over the extent of the stroke in it."""


@dataclass
class KeptStrokes:
    """Rows for each stroke.

    Attributes
    ----------
    views
        (N, SIDE, SIDE, CHANNELS) float16.
    families
        (N,) which of `FAMILIES`.
    rows
        (N, NUMBERS), see `regions.to_region`.
    others
        (N, NEGATIVES, NUMBERS), of shapes tried in the same region.
    shares
        (N, NEGATIVES), their gain over that of the kept one, at most 1.
    gains
        (N,), drop of the squared error over the number of pixels.
    """

    views: np.ndarray
    families: np.ndarray
    rows: np.ndarray
    others: np.ndarray
    shares: np.ndarray
    gains: np.ndarray

    def save(self, path: Any) -> None:
        """Write as NumPy's npz."""
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Any) -> KeptStrokes:
        """Read what `save` wrote."""
        with np.load(path) as file:
            return cls(**{name: file[name] for name in file.files})


def strokes_of(targets: Iterable[Target], strokes: int, rng: np.random.Generator) -> KeptStrokes:
    """Paint photographs, each with two families of shapes, and keep what was found."""
    names = list(FAMILIES)
    records: list[tuple[Any, ...]] = []
    for target in targets:
        for number in rng.permutation(len(names))[:2]:
            family = FAMILIES[names[number]]
            search = Search(target, Painting(target.size, target.mean), SEARCH, rng, (family,))
            for _ in range(strokes):
                record = _one(search, family, rng)
                if record is None:
                    break
                records.append((record[0], number, *record[1:]))
    columns = [np.stack([np.asarray(record[k]) for record in records]) for k in range(6)]
    return KeptStrokes(columns[0].astype(np.float16), *columns[1:])


def _one(search: Search, family: Family, rng: np.random.Generator) -> tuple[Any, ...] | None:
    """Paint one stroke: view, row, others, shares, gain."""
    residual = search.residual()
    found = search.find(residual)
    if found.gain <= 0:
        return None
    shape = found.stroke.shape
    outline = found.stroke.family.outline(shape[None], 20)[0]
    extent = float(np.ptp(outline, axis=0).max())
    # A point of the stroke, as the places that proposals are made for lie where the picture is wrong.
    weights = rng.dirichlet(np.ones(len(outline)))
    centre, side = weights @ outline, max(0.02, extent * float(rng.uniform(*_ROOM)))
    seen = view(search.target.pixels, search.canvas, centre, side)
    others = new_shapes(family, np.repeat(centre[None], NEGATIVES, axis=0), rng, (0.15 * side, 0.6 * side))
    shares = np.clip(search.score(residual, family, others)[0] / found.gain, -1.0, 1.0)
    search.paint(found.stroke)
    row = to_region(family, shape[None], centre, side)[0]
    return seen, row, to_region(family, others, centre, side), shares, found.gain / search.canvas[..., 0].size
