"""Land to the horizon: mountains ridge behind ridge, valleys with lakes, fields with trees."""

from __future__ import annotations

import numpy as np

from clairvoy.imaging.synthesis.outdoors.buildings import paint_building
from clairvoy.imaging.synthesis.outdoors.noise import Floats, sample, smoothstep
from clairvoy.imaging.synthesis.outdoors.place import Place
from clairvoy.imaging.synthesis.outdoors.plants import draw_tree
from clairvoy.imaging.synthesis.outdoors.terrain import Relief, draw_cover, paint_land, see_land
from clairvoy.imaging.synthesis.outdoors.water import paint_water


def draw_relief(place: Place, rng: np.random.Generator, *, near: float, far: float, tall: float) -> Relief:
    """Ground that is nearly level at the camera and rises to ridges further away.

    Parameters
    ----------
    near, far
        Depths in metres where the ridges begin and end.
    tall
        Height of the furthest ridges in metres; nearer ones are lower.
    """
    grand, small = rng.uniform(0.8, 2.5) * far * 0.5, rng.uniform(60, 300)
    shift = rng.random(4).astype(np.float32)
    count = int(rng.integers(2, 7))
    ridges = np.sort(np.exp(rng.uniform(np.log(near), np.log(far), count)))
    crests = tall * (ridges / far) ** rng.uniform(0.6, 1.1) * rng.uniform(0.4, 1.1, count)
    slant = rng.normal(0, 0.25, count).astype(np.float32)
    valley, bend = rng.normal(0, 0.15), rng.uniform(0, 0.8)
    rolling = rng.uniform(0.2, 4) * min(1.0, place.canvas.eye / 4)

    def relief(x: Floats, z: Floats) -> Floats:
        u, v = x / np.float32(grand), z / np.float32(grand)
        broad = sample(place.soft, u + shift[0], v + shift[1])
        height = np.zeros_like(z)
        for k in range(count):
            distance, crest = np.float32(ridges[k]), np.float32(crests[k])
            line = sample(
                place.soft, x / np.float32(2.2 * distance) + shift[2] + np.float32(0.37 * k), 0 * x + shift[3]
            )
            middle = distance * (1 + 0.12 * line) + slant[k] * x
            bump = np.exp(-(((z - middle) / (0.3 * distance)) ** 2))
            height = np.maximum(height, crest * bump * np.clip(0.62 + 0.4 * line + 0.25 * broad, 0, 2))
        # A valley runs away from the camera now and then.
        open_ground = 1 - bend * np.exp(-(((x - valley * z) / (0.12 * z + 20)) ** 2))
        height = height * open_ground
        # Rough where high: erosion cuts the slopes, not the valley floor.
        detail = sample(
            place.soft, x / np.float32(grand / 4) + shift[1], z / np.float32(grand / 4) + shift[0]
        )
        height = height * np.clip(1 + 0.2 * detail, 0.3, 2)
        low = sample(place.soft, x / np.float32(8 * small) + shift[3], z / np.float32(8 * small) + shift[2])
        height = height + rolling * low * smoothstep(2, 60, z)
        return np.asarray(height, np.float32)

    return relief


def paint_mountains(place: Place, rng: np.random.Generator) -> None:
    """Ridges from forest to snow, with a lake at their foot in a part of the pictures."""
    far = float(np.exp(rng.uniform(np.log(2500), np.log(12000))))
    near = far * rng.uniform(0.03, 0.25)
    relief = draw_relief(
        place, rng, near=near, far=far, tall=far * float(np.exp(rng.uniform(np.log(0.05), np.log(0.22))))
    )
    lake = rng.random() < 0.4
    sunk = rng.uniform(1.5, 4) if lake else 0.0
    shore = rng.uniform(4, 40)

    def land(x: Floats, z: Floats) -> Floats:
        height = relief(x, z)
        if lake:
            bank = smoothstep(shore, 0.4 * shore, z + 0.2 * x * np.float32(np.sign(place.light.sun[0])))
            height = height - np.float32(sunk) + np.float32(1.5 * sunk) * bank
        return np.asarray(height, np.float32)

    _paint_ground(place, land, 1.3 * far, rng)
    if lake:
        paint_water(place.canvas, place.light, place.rough, rng, calm=float(rng.uniform(0.3, 1)))
    _scatter_trees(place, land, rng, int(rng.integers(0, 50)), (8, 0.3 * far))
    if rng.random() < 0.3:
        _scatter_houses(place, land, rng, (60, 0.2 * far))


def paint_wood(place: Place, rng: np.random.Generator) -> None:
    """Between trees: a wood, or an avenue that a path runs through, trunk behind trunk."""
    season, light, canvas = place.season, place.light, place.canvas
    far = float(np.exp(rng.uniform(np.log(60), np.log(400))))
    relief = draw_relief(place, rng, near=far, far=4 * far, tall=far * rng.uniform(0.05, 0.5))
    _paint_ground(place, relief, 5 * far, rng)
    trees = [draw_tree(season, light, place.rough, rng) for _ in range(4)]
    tall, path = rng.uniform(7, 22), rng.uniform(2, 7)
    if rng.random() < 0.5:
        z = np.repeat(np.arange(rng.uniform(4, 9), far, rng.uniform(4, 9) * (1 + far / 300)), 2)[:70]
        x = (
            np.where(np.arange(len(z)) % 2, 1, -1) * path
            + rng.normal(0, 0.4, len(z))
            + rng.uniform(-0.4, 0.4) * path
        )
        z = z + rng.normal(0, 0.7, len(z))
    else:
        z = np.exp(rng.uniform(np.log(0.5 * tall), np.log(far), int(rng.integers(25, 90))))
        x = (rng.uniform(-0.15, 1.15, len(z)) * canvas.shape[1] - canvas.centre) * z / canvas.focal
        z = z[np.abs(x) > 0.4 * path]
        x = x[np.abs(x) > 0.4 * path]
    heights = ground_at(relief, x, z)
    for k in np.argsort(-z):
        canvas.sprite(
            trees[int(rng.integers(4))], float(x[k]), float(heights[k]) - 0.2, float(z[k]),
            tall * rng.uniform(0.7, 1.25), rng.uniform(0.75, 1.2),
        )  # fmt: skip


def paint_fields(place: Place, rng: np.random.Generator) -> None:
    """Level or rolling fields with hedges, single trees and low hills behind."""
    far = float(np.exp(rng.uniform(np.log(600), np.log(5000))))
    relief = draw_relief(place, rng, near=0.3 * far, far=far, tall=far * rng.uniform(0.01, 0.09))
    _paint_ground(place, relief, 1.4 * far, rng)
    if rng.random() < 0.15:
        paint_water(place.canvas, place.light, place.rough, rng, calm=0.9)
    for _ in range(int(rng.integers(0, 4))):
        _tree_line(place, relief, rng, float(np.exp(rng.uniform(np.log(60), np.log(0.8 * far)))))
    _scatter_trees(place, relief, rng, int(rng.integers(2, 40)), (10, 0.6 * far))
    if rng.random() < 0.35:
        _scatter_houses(place, relief, rng, (40, 0.3 * far))


def _paint_ground(place: Place, relief: Relief, far: float, rng: np.random.Generator) -> None:
    canvas = place.canvas
    land = see_land(canvas, relief, min(2.0, 0.5 * canvas.eye), far)
    cover = draw_cover(rng, place.season)
    paint_land(
        canvas, land, cover, place.season, place.light, (place.soft, place.rough, place.structure(rng)), rng
    )


def ground_at(relief: Relief, x: Floats, z: Floats) -> Floats:
    """Height of the ground at some points (N,)."""
    return relief(x[None].astype(np.float32), z[None].astype(np.float32))[0]


def _scatter(
    place: Place, relief: Relief, rng: np.random.Generator, count: int, reach: tuple[float, float]
) -> Floats:
    """Places (N, 3) on dry ground within the view, far to near."""
    canvas = place.canvas
    z = np.exp(rng.uniform(np.log(reach[0]), np.log(reach[1]), count))
    column = rng.uniform(-0.1, 1.1, count) * canvas.shape[1]
    x = (column - canvas.centre) * z / canvas.focal
    height = ground_at(relief, x, z) if count else x
    order = np.argsort(-z)
    found = np.stack([x, height, z], axis=1)[order]
    return np.asarray(found[found[:, 1] > -0.3], np.float32)


def _scatter_trees(
    place: Place, relief: Relief, rng: np.random.Generator, count: int, reach: tuple[float, float]
) -> None:
    trees = [draw_tree(place.season, place.light, place.rough, rng) for _ in range(3)]
    # Mostly far ones: a near tree fills the view.
    for x, height, z in _scatter(
        place, relief, rng, count, (max(reach[0], 0.15 * reach[1] ** 0.7), reach[1])
    ):
        picture = trees[int(rng.integers(3))]
        place.canvas.sprite(
            picture, float(x), float(height) - 0.2, float(z), rng.uniform(3, 16), rng.uniform(0.75, 1.2)
        )


def _tree_line(place: Place, relief: Relief, rng: np.random.Generator, z: float) -> None:
    """A row or an edge of a wood across the view."""
    canvas = place.canvas
    trees = [draw_tree(place.season, place.light, place.rough, rng) for _ in range(2)]
    tall = rng.uniform(2, 15)
    left, right = np.sort(rng.uniform(-0.2, 1.2, 2)) * canvas.shape[1]
    count = int(np.clip((right - left) / (0.4 * tall * canvas.focal / z), 3, 40))
    x = (np.linspace(left, right, count) - canvas.centre) * z / canvas.focal
    depths = z * (1 + 0.06 * rng.standard_normal(count)) + rng.normal(0, 0.2) * (x - x.mean())
    depths = np.clip(depths, 0.5 * z, 2 * z)
    heights = ground_at(relief, x, depths)
    for k in np.argsort(-depths):
        canvas.sprite(
            trees[int(rng.integers(2))], float(x[k]), float(heights[k]) - 0.3, float(depths[k]),
            tall * rng.uniform(0.6, 1.2), rng.uniform(0.8, 1.15),
        )  # fmt: skip


def _scatter_houses(
    place: Place, relief: Relief, rng: np.random.Generator, reach: tuple[float, float]
) -> None:
    for x, height, z in _scatter(place, relief, rng, int(rng.integers(1, 9)), reach):
        wide, tall = rng.uniform(6, 14), rng.uniform(2.8, 7)
        paint_building(
            place.canvas,
            (float(x), float(x + wide), float(height) - 2, float(height) + tall, float(z), float(z + rng.uniform(6, 14))),
            place.light, place.structure(rng), rng, pitched=True,
        )  # fmt: skip
