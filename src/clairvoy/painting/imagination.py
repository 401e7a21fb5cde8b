"""Pictures of a set, painted with no target: a generator proposes strokes, an agent chooses.

The task is that of SPIRAL (Ganin et al., ICML 2018). Here the agent is Q-learning: it is shown what the canvas would be
after each of the strokes that are proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clairvoy.painting.coverage import coverages
from clairvoy.painting.layers import Layers
from clairvoy.painting.painting import Painting, Stroke
from clairvoy.painting.proposals import held
from clairvoy.painting.shapes import FAMILIES
from clairvoy.storage.weights_file import read_weights

FORMAT = "clairvoy-imagination-1"
BRUSH = FAMILIES["brush"]
NUMBERS = len(BRUSH.meanings) + 3
"""Of a row: the brush's, widths by their logarithm, and red, green, blue."""
PROPOSALS = 12
"""Strokes that the agent chooses from."""
_WIDTHS = BRUSH.columns("width")
_POINTS = 16


class Imagination:
    """Generator and agent that have learnt a set of pictures.

    Parameters
    ----------
    weights
        Arrays by name, as `scenarios.painting.imagination_training` exports them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        weights = {name: value.astype(np.float32) for name, value in weights.items()}
        self.pixels, self.strokes = int(weights["pixels"]), int(weights["strokes"])
        self.ground = weights["ground"].astype(np.float64)
        self._see, self._decode = Layers(weights, "see"), Layers(weights, "decode")
        self._value, self._noise = Layers(weights, "value"), weights["noise"]
        self._latents = int(weights["latents"])

    @classmethod
    def load(cls, path: Path) -> Imagination:
        """Read what `clairvoy train imagine` wrote.

        Raises
        ------
        WeightsError
            The file is not there, damaged, or of another kind.
        """
        return cls(
            read_weights(path, FORMAT, "give a file that `clairvoy train imagine` wrote", arrays=True).tensors
        )

    def blank(self, count: int) -> np.ndarray:
        """(N, pixels, pixels, 3), empty canvases."""
        return np.broadcast_to(self.ground, (count, self.pixels, self.pixels, 3)).copy()

    def propose(self, canvases: np.ndarray, painted: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """(N, count, NUMBERS): strokes drawn from the generator for each canvas (N, pixels, pixels, 3)."""
        seen = np.maximum(self._see(self.shown(canvases, painted)), 0.0)
        drawn = rng.standard_normal((len(canvases), count, self._latents + NUMBERS), dtype=np.float32)
        known = np.repeat(seen[:, None], count, axis=1)
        rows = self._decode(np.concatenate([known, drawn[..., : self._latents]], axis=2))
        return (rows + drawn[..., self._latents :] @ self._noise).astype(np.float64)

    def values(self, canvases: np.ndarray, painted: int) -> np.ndarray:
        """(N,), the belief that canvases with so many strokes are expected to earn when they are finished."""
        values: np.ndarray = self._value(self.shown(canvases, painted))[:, 0]
        return values

    def shown(self, canvases: np.ndarray, painted: int) -> np.ndarray:
        """(N, features) float32, what the networks see."""
        flat = (canvases - self.ground).reshape(len(canvases), -1)
        part = np.full((len(canvases), 1), painted / self.strokes)
        return np.concatenate([flat, part], axis=1).astype(np.float32)

    def imagine(
        self, count: int, rng: np.random.Generator, *, size: int = 256, agent: bool = True
    ) -> list[Painting]:
        """Paint pictures.

        Parameters
        ----------
        count
            How many, side by side.
        rng
            Of all randomness.
        size
            Pixels across that each says it has; it may be drawn at any.
        agent
            Whether it chooses; else the first stroke that is proposed is painted.
        """
        canvases = self.blank(count)
        paintings = [Painting((size, size), self.ground) for _ in range(count)]
        for painted in range(self.strokes):
            proposed = PROPOSALS if agent else 1
            rows = self.propose(canvases, painted, proposed, rng)
            after = with_strokes(canvases, rows)
            chosen = np.zeros(count, int)
            if agent:
                flat = after.reshape(count * proposed, *after.shape[2:])
                chosen = self.values(flat, painted + 1).reshape(count, proposed).argmax(axis=1)
            canvases = after[np.arange(count), chosen]
            for number, painting in enumerate(paintings):
                painting.strokes.append(stroke_of(rows[number, chosen[number]]))
        return paintings


def stroke_of(row: np.ndarray) -> Stroke:
    """The stroke that a row (NUMBERS,) describes."""
    shapes, colours = _parts(row[None])
    return Stroke(BRUSH, shapes[0], np.round(colours[0] * 255.0) / 255.0, 1.0)


def row_of(stroke: Stroke) -> np.ndarray:
    """(NUMBERS,), the reverse; a brush runs to the right."""
    shape = stroke.shape.copy()
    if shape[4] < shape[0]:
        shape[[0, 1, 4, 5]] = shape[[4, 5, 0, 1]]
        shape[[6, 8]] = shape[[8, 6]]
    shape[_WIDTHS] = np.log(shape[_WIDTHS])
    return np.concatenate([shape, stroke.colour])


def with_strokes(canvases: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Canvases (N, H, H, 3) after each of the strokes (N, K, NUMBERS): (N, K, H, H, 3)."""
    count, proposed, _ = rows.shape
    shapes, colours = _parts(rows.reshape(-1, NUMBERS))
    side = canvases.shape[1]
    cover = coverages(BRUSH.outline(shapes, _POINTS) * side, side, side).reshape(
        count, proposed, side, side, 1
    )
    under = canvases[:, None]
    painted: np.ndarray = under + cover * (colours.reshape(count, proposed, 1, 1, 3) - under)
    return painted


def _parts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shapes = np.clip(rows[:, :-3], -8.0, 8.0)
    shapes[:, _WIDTHS] = np.exp(shapes[:, _WIDTHS])
    return held(BRUSH, shapes), np.clip(rows[:, -3:], 0.0, 1.0)
