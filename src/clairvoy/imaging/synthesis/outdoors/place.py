"""What all kinds of views start from: weather, season, textures, and a camera under a sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clairvoy.imaging.synthesis.depth import ByteImage
from clairvoy.imaging.synthesis.outdoors.canvas import Canvas
from clairvoy.imaging.synthesis.outdoors.noise import Tile, fractal_tile, photograph_tile
from clairvoy.imaging.synthesis.outdoors.season import Season, draw_season
from clairvoy.imaging.synthesis.outdoors.sky import Light, draw_light, paint_sky


@dataclass(frozen=True)
class Place:
    """A view under a sky, with the light, the season and the textures of its place.

    `soft` and `rough` are noise; `structures` are parts of photographs.
    """

    canvas: Canvas
    light: Light
    season: Season
    soft: Tile
    rough: Tile
    structures: tuple[Tile, ...]

    def structure(self, rng: np.random.Generator) -> Tile:
        """One of the textures."""
        return self.structures[int(rng.integers(len(self.structures)))]


def draw_place(
    textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator, *,
    eye: float, focal: tuple[float, float], horizon: tuple[float, float],
) -> Place:  # fmt: skip
    """An empty view under a sky.

    Parameters
    ----------
    textures
        Photographs to cut structure from.
    eye
        Height of the camera in metres.
    focal
        Range of the focal length, in longer sides of the view; drawn log-uniformly.
    horizon
        Range of the row of the horizon, in heights of the view.
    """
    length = np.exp(rng.uniform(*np.log(focal))) * max(height, width)
    canvas = Canvas.empty(
        height, width, focal=float(length), centre=float(width * rng.normal(0.5, 0.15)),
        horizon=float(height * rng.uniform(*horizon)), eye=eye,
    )  # fmt: skip
    light, zenith, cover = draw_light(rng)
    season = draw_season(rng)
    soft, rough = fractal_tile(rng, rng.uniform(1.9, 2.3)), fractal_tile(rng, rng.uniform(0.9, 1.3))
    paint_sky(canvas, light, zenith, cover, soft, rng)
    cut = [textures[int(k)] for k in rng.integers(len(textures), size=2)]
    return Place(
        canvas,
        light,
        season,
        soft,
        rough,
        tuple(photograph_tile(photograph, rng) for photograph in cut),
    )
