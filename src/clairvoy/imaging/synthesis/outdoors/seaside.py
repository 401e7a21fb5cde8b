"""The sea to the horizon: coasts, islands, harbours, boats and ships."""

from __future__ import annotations

import numpy as np

from clairvoy.imaging.synthesis.outdoors.buildings import paint_building
from clairvoy.imaging.synthesis.outdoors.landscape import ground_at
from clairvoy.imaging.synthesis.outdoors.noise import Floats, sample, smoothstep
from clairvoy.imaging.synthesis.outdoors.place import Place
from clairvoy.imaging.synthesis.outdoors.plants import draw_tree
from clairvoy.imaging.synthesis.outdoors.terrain import Relief, draw_cover, paint_land, see_land
from clairvoy.imaging.synthesis.outdoors.vessels import (
    paint_boat,
    paint_lighthouse,
    paint_pier,
    paint_rock,
    paint_ship,
)
from clairvoy.imaging.synthesis.outdoors.water import paint_water


def draw_coast(place: Place, rng: np.random.Generator) -> Relief:
    """Land that rises out of the sea: a beach or rocks at the camera's side, a cape, islands, a coast behind."""
    far = float(np.exp(rng.uniform(np.log(800), np.log(9000))))
    tall = far * rng.uniform(0.02, 0.12)
    shift, slant = rng.random(4).astype(np.float32), rng.normal(0, 0.4)
    has_coast, has_beach = rng.random() < 0.75, rng.random() < 0.45
    begin = rng.uniform(-0.6, 0.5)
    side = float(rng.choice([-1, 1]))
    beach = rng.uniform(5, 60)
    steep = rng.uniform(0.03, 0.4)

    def relief(x: Floats, z: Floats) -> Floats:
        height = np.full_like(z, -3)
        scale = np.float32(1.6 * far)
        broad = sample(place.soft, x / scale + shift[0], z / scale + shift[1])
        rough = sample(place.soft, x / (scale / 5) + shift[2], z / (scale / 5) + shift[3])
        if has_coast:
            inland = (z - far * (0.75 + 0.25 * broad) - slant * x) / np.float32(0.3 * far)
            inland = inland - 2 * smoothstep(begin + 0.25, begin, side * x / z)
            height = np.maximum(
                height,
                np.float32(tall)
                * np.clip(inland, -1, 1.2)
                * np.clip(0.8 + 0.35 * broad + 0.14 * rough, 0.1, 2),
            )
        if has_beach:
            wobble = sample(place.soft, x / np.float32(300) + shift[1], z / np.float32(300) + shift[2])
            out = side * x - 0.25 * z + np.float32(beach * 0.4) * wobble
            height = np.maximum(
                height, np.minimum(steep * (out - 0.3 * beach), 12 + 2 * wobble) + 0.6 * wobble - 0.2
            )
        # The camera stands on the beach, not in it.
        return np.asarray(np.minimum(height, 0.5 * place.canvas.eye + 0.12 * z), np.float32)

    return relief


def paint_seaside(place: Place, rng: np.random.Generator) -> None:
    """Sea with what floats and stands on it."""
    canvas, light = place.canvas, place.light
    relief = draw_coast(place, rng)
    land = see_land(canvas, relief, min(2.0, 0.5 * canvas.eye), 14_000.0)
    tiles = place.soft, place.rough, place.structure(rng)
    paint_land(canvas, land, draw_cover(rng, place.season), place.season, light, tiles, rng)
    _settlement(place, relief, rng)
    paint_water(canvas, light, place.rough, rng, calm=float(rng.uniform(0, 1)))
    if rng.random() < 0.4:
        paint_pier(canvas, light, rng)
    things = [
        (float(np.exp(rng.uniform(np.log(22), np.log(1200)))), "boat") for _ in range(int(rng.integers(0, 9)))
    ]
    if rng.random() < 0.3:
        # A harbour full of masts.
        row = rng.uniform(40, 150)
        things += [(row * rng.uniform(0.9, 1.5), "boat") for _ in range(int(rng.integers(6, 20)))]
    things += [(rng.uniform(400, 4000), "ship") for _ in range(int(rng.integers(0, 3)))]
    things += [
        (float(np.exp(rng.uniform(np.log(8), np.log(900)))), "rock") for _ in range(int(rng.integers(0, 6)))
    ]
    for z, kind in sorted(things, reverse=True):
        x = (rng.uniform(-0.1, 1.1) * canvas.shape[1] - canvas.centre) * z / canvas.focal
        if float(ground_at(relief, np.array([x]), np.array([z]))[0]) > -0.5:
            continue
        if kind == "boat":
            paint_boat(canvas, x, z, light, rng)
        elif kind == "ship":
            paint_ship(canvas, x, z, light, rng)
        else:
            wide = z * rng.uniform(0.03, 0.3)
            paint_rock(
                canvas, x, z, wide, wide * rng.uniform(0.06, 0.35), place.season, light, place.rough, rng
            )
            if z > 60 and rng.random() < 0.25:
                paint_lighthouse(canvas, x, z + 0.5, 0.05 * wide, light, rng)


def _settlement(place: Place, relief: Relief, rng: np.random.Generator) -> None:
    """Houses and trees along the shore, where there is one."""
    canvas = place.canvas
    count = int(rng.choice([0, 0, 12, 30]))
    if count == 0:
        return
    trees = [draw_tree(place.season, place.light, place.rough, rng) for _ in range(2)]
    z = np.exp(rng.uniform(np.log(40), np.log(3000), 6 * count))
    x = (rng.uniform(-0.1, 1.1, 6 * count) * canvas.shape[1] - canvas.centre) * z / canvas.focal
    height = ground_at(relief, x, z)
    standing = np.flatnonzero((height > 0.7) & (height < 40))[:count]
    for k in standing[np.argsort(-z[standing])]:
        if rng.random() < 0.5:
            canvas.sprite(
                trees[int(rng.integers(2))], float(x[k]), float(height[k]), float(z[k]), rng.uniform(4, 14)
            )
            continue
        wide, tall = rng.uniform(7, 20), rng.uniform(4, 14)
        bounds = (
            float(x[k]),
            float(x[k] + wide),
            float(height[k] - 3),
            float(height[k] + tall),
            float(z[k]),
            float(z[k] + 10),
        )
        paint_building(canvas, bounds, place.light, place.structure(rng), rng, pitched=rng.random() < 0.7)
