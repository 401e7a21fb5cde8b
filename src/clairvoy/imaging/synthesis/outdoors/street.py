"""Streets between rows of houses, and towns seen from above their roofs."""

from __future__ import annotations

import numpy as np

from clairvoy.imaging.synthesis.outdoors.buildings import Bounds, paint_box, paint_building, paint_car
from clairvoy.imaging.synthesis.outdoors.landscape import draw_relief
from clairvoy.imaging.synthesis.outdoors.noise import Floats, sample
from clairvoy.imaging.synthesis.outdoors.place import Place
from clairvoy.imaging.synthesis.outdoors.plants import draw_tree
from clairvoy.imaging.synthesis.outdoors.terrain import draw_cover, paint_land, see_land


def _bar(x0: float, x1: float, y0: float, y1: float) -> Floats:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def paint_street(place: Place, rng: np.random.Generator) -> None:
    """A street to a vanishing point, with houses, cars, trees, lamps and walkers along it."""
    length = float(np.exp(rng.uniform(np.log(80), np.log(900))))
    road, pavement = rng.uniform(2.8, 9), rng.uniform(1.5, 5)
    off = rng.uniform(-0.8, 0.8) * road
    _backdrop(place, 4 * length, rng)
    _road(place, road, pavement, off, rng)
    for side in (-1.0, 1.0):
        if rng.random() < 0.9:
            _row_of_houses(place, side, side * (road + pavement) - off, length, rng)
    _kerbside(place, road, pavement, off, length, rng)


def _backdrop(place: Place, far: float, rng: np.random.Generator) -> None:
    """Land behind the houses: hills now and then, else the plain."""
    tall = far * rng.choice([0.003, 0.06], p=[0.6, 0.4])
    relief = draw_relief(place, rng, near=0.7 * far, far=far, tall=tall)
    start = 0.45 * far

    def behind(x: Floats, z: Floats) -> Floats:
        return np.asarray(np.where(z > start, np.maximum(relief(x, z), 0) + 0.02, -0.5), np.float32)

    land = see_land(place.canvas, behind, start * 0.9, 1.3 * far)
    tiles = place.soft, place.rough, place.structure(rng)
    paint_land(place.canvas, land, draw_cover(rng, place.season), place.season, place.light, tiles, rng)


def _road(place: Place, road: float, pavement: float, off: float, rng: np.random.Generator) -> None:
    """Ground plane: carriageway with markings, kerbs and pavements, yards beyond."""
    canvas, light = place.canvas, place.light
    plane = np.minimum(canvas.level_depth(0.0), 4000)
    below = np.isfinite(canvas.level_depth(0.0))[:, 0]
    if not below.any():
        return
    rows = slice(int(np.argmax(below)), canvas.shape[0])
    z = np.broadcast_to(plane[rows], (int(below.sum()), canvas.shape[1])).astype(np.float32)
    x = (canvas.across() * z + np.float32(off)).astype(np.float32)
    footprint = (z / canvas.focal / np.sqrt(np.clip(canvas.down()[rows], 0.01, 1))).astype(np.float32)
    grey = np.full(3, rng.uniform(0.05, 0.2), np.float32) * rng.normal(1, 0.03, 3).astype(np.float32)
    flags = grey * np.float32(rng.uniform(1.1, 2.4))
    side = np.abs(x)
    wear = 1 + 0.1 * sample(place.soft, x / np.float32(12), z / np.float32(40), footprint / 12)
    grain = 1 + 0.12 * sample(
        place.rough, x / np.float32(1.5), z / np.float32(1.5), footprint / np.float32(1.5)
    )
    colour = np.where((side < road)[..., None], grey, flags)
    yards = place.season.grass if rng.random() < 0.6 else flags * 0.8
    colour = np.where((side > road + pavement)[..., None], yards, colour)
    joints = np.clip(1.5 - 4 * footprint, 0, 1) * ((z % 0.9 < 0.04) | (x % 0.9 < 0.04)) * (side > road)
    colour = colour * (wear * grain * (1 - 0.3 * joints))[..., None]
    if place.season.snowy:
        colour = colour + (0.75 - colour) * (0.3 + 0.65 * (side > 0.8 * road))[..., None]
    kerb = np.abs(side - road) < np.maximum(0.09, 0.5 * footprint)
    colour = np.where(kerb[..., None], flags * 1.4, colour)
    if rng.random() < 0.75:
        dashes = (z % 9 < 4.5) | (rng.random() < 0.2)
        line = np.clip(1.5 - (side - 0.07) / np.maximum(footprint, 0.03), 0, 1) * dashes * (side < 0.5)
        edge = np.clip(1.3 - np.abs(side - road + 0.4) / 0.07, 0, 1) * (rng.random() < 0.4)
        paint = np.maximum(line, edge)[..., None] * np.float32(rng.uniform(0.5, 0.9))
        colour = colour + (0.6 - colour) * paint
    # Wet roads mirror the sky low down.
    wet = np.float32(rng.uniform(0, 0.5) if rng.random() < 0.35 else 0)
    shine = wet * np.clip(1 - canvas.down()[rows] * 3, 0, 1) ** 2 * (side < road)
    lit = colour * light.on(0.0, 1.0, 0.0)
    canvas.paint(z, lit + (light.horizon * 0.7 - lit) * shine[..., None], (rows, slice(None)))


def _row_of_houses(place: Place, side: float, line: float, length: float, rng: np.random.Generator) -> None:
    """Houses along one side, near to far, shoulder to shoulder or with gaps."""
    storeys, gap = rng.uniform(1.5, 7), rng.choice([0.0, 0.0, 5.0, 14.0])
    pitched = rng.random() < 0.6
    z = rng.uniform(-15, 14)
    houses: list[Bounds] = []
    while z < length and len(houses) < 26:
        front = rng.uniform(6, 26) * (1 + z / 250)
        tall = max(2.7, 3.2 * storeys * rng.uniform(0.7, 1.35))
        back = line + side * rng.uniform(0, 2.5 if gap else 0.3)
        deep = back + side * rng.uniform(8, 14)
        houses.append((min(back, deep), max(back, deep), 0.0, tall, z, z + front))
        z += front + gap * rng.random()
    for bounds in houses:
        paint_building(place.canvas, bounds, place.light, place.structure(rng), rng, pitched=pitched)


def _kerbside(
    place: Place, road: float, pavement: float, off: float, length: float, rng: np.random.Generator
) -> None:
    """Cars on the road and parked, trees, lamps and walkers on the pavement."""
    canvas = place.canvas
    parked, trees, lamps = rng.random(2) < 0.55, rng.random(2) < 0.35, rng.random(2) < 0.5
    pictures = [draw_tree(place.season, place.light, place.rough, rng) for _ in range(2)]
    dark = np.full(3, rng.uniform(0.02, 0.15), np.float32) * place.light.on(0.0, 0.2, -0.9)
    for index, side in enumerate((-1.0, 1.0)):
        if trees[index]:
            tall = rng.uniform(4, 11)
            for z in np.arange(rng.uniform(5, 25), min(length, 160), rng.uniform(7, 16))[::-1]:
                x = side * (road + 0.7) - off + rng.normal(0, 0.15)
                canvas.sprite(pictures[index], x, 0.0, float(z), tall * rng.uniform(0.8, 1.2))
        if lamps[index]:
            tall = rng.uniform(5, 9)
            for z in np.arange(rng.uniform(4, 25), min(length, 250), rng.uniform(18, 35))[::-1]:
                x, thick = side * (road + 0.5) - off, max(0.06, 0.3 * z / canvas.focal)
                canvas.card(_bar(x - thick, x + thick, 0, tall), float(z), dark)
                arm = sorted((x, x - side * 1.6))
                canvas.card(_bar(arm[0], arm[1], tall - 0.1, tall + 0.05), float(z), dark)
        if parked[index]:
            for z in np.arange(rng.uniform(3, 20), min(length, 70), rng.uniform(5.5, 9))[::-1]:
                if rng.random() < 0.75:
                    paint_car(canvas, side * (road - 1.0) - off, float(z), place.light, rng)
        for _ in range(int(rng.integers(0, 4))):
            _walker(place, side * (road + rng.uniform(0.5, pavement)) - off, rng.uniform(5, 50), rng)
    for _ in range(int(rng.integers(0, 4))):
        z = float(np.exp(rng.uniform(np.log(9), np.log(min(length, 150)))))
        paint_car(canvas, rng.choice([-0.5, 0.45]) * road * 0.9 - off, z, place.light, rng)
    if rng.random() < 0.25:
        for k in range(int(rng.integers(2, 7))):
            y = rng.uniform(6, 9)
            z = rng.uniform(6, 40)
            sag = np.linspace(-1, 1, 12)
            across = (road + pavement) * sag - off
            wire = y + 0.5 * sag**2
            thick = 0.4 * z / canvas.focal
            points = np.concatenate([np.stack([across, wire], 1), np.stack([across, wire - thick], 1)[::-1]])
            canvas.card(points, z + 0.1 * k, dark)


def _walker(place: Place, x: float, z: float, rng: np.random.Generator) -> None:
    """Somebody on foot."""
    canvas, tall = place.canvas, rng.uniform(1.55, 1.9)
    coat, legs = rng.uniform(0.01, 0.3, 3), np.full(3, rng.uniform(0.01, 0.08))
    lit = place.light.on(0.0, 0.2, -0.9)
    stride = rng.uniform(0.03, 0.25)
    for leg in (-1, 1):
        foot, hip = x + leg * stride, x + 0.1 * leg
        canvas.card(
            np.array([(foot - 0.07, 0), (foot + 0.07, 0), (hip + 0.08, 0.5 * tall), (hip - 0.08, 0.5 * tall)]),
            z, (legs * lit).astype(np.float32),
        )  # fmt: skip
    canvas.card(
        np.array([(x - 0.2, 0.45 * tall), (x + 0.2, 0.45 * tall), (x + 0.25, 0.8 * tall), (x + 0.1, 0.86 * tall),
                  (x - 0.1, 0.86 * tall), (x - 0.25, 0.8 * tall)]), z - 0.01, (coat * lit).astype(np.float32),
    )  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    head = np.stack([x + 0.1 * np.cos(turn), 0.93 * tall + 0.13 * np.sin(turn)], axis=1)
    canvas.card(
        head, z - 0.02, (np.array([0.35, 0.22, 0.16]) * rng.uniform(0.3, 1.2) * lit).astype(np.float32)
    )


def paint_town(place: Place, rng: np.random.Generator) -> None:
    """Roofs and towers seen from a hill or a high window, to hills or the plain behind."""
    far = float(np.exp(rng.uniform(np.log(500), np.log(4000))))
    canvas = place.canvas
    relief = draw_relief(place, rng, near=0.8 * far, far=1.5 * far, tall=far * rng.choice([0.02, 0.12]))
    land = see_land(canvas, relief, 0.5 * canvas.eye, 2 * far)
    tiles = place.soft, place.rough, place.structure(rng)
    paint_land(canvas, land, draw_cover(rng, place.season), place.season, place.light, tiles, rng)
    count = int(rng.integers(70, 190))
    nearest = max(20.0, 1.2 * canvas.eye)
    z = np.sort(np.exp(rng.uniform(np.log(nearest), np.log(far), count)))
    x = (rng.uniform(-0.1, 1.1, count) * canvas.shape[1] - canvas.centre) * z / canvas.focal
    grid = rng.uniform(15, 40)
    towers, pitched = rng.random() * 0.5, rng.random()
    pictures = [draw_tree(place.season, place.light, place.rough, rng) for _ in range(2)]
    for k in range(count):
        if rng.random() < 0.5:
            canvas.sprite(
                pictures[k % 2], float(x[k]), -0.5, float(z[k]), rng.uniform(5, 16), rng.uniform(0.7, 1.2)
            )
            continue
        left = float(np.round(x[k] / grid) * grid)
        tall = rng.uniform(5, 18) * (rng.uniform(1.5, 6) if rng.random() < towers else 1.0)
        wide, deep = rng.uniform(0.4, 0.95) * grid, rng.uniform(0.4, 0.95) * grid
        bounds = (left, left + wide, -3.0, float(tall), float(z[k]), float(z[k] + deep))
        low = tall < 20
        paint_building(
            canvas,
            bounds,
            place.light,
            place.structure(rng),
            rng,
            pitched=bool(low and rng.random() < pitched),
        )
        if not low and rng.random() < 0.4:
            paint_box(canvas, (left + 0.3 * wide, left + 0.5 * wide, tall, tall + 4, float(z[k]) + 2, float(z[k]) + 6),
                      np.full(3, 0.2, np.float32), place.light)  # fmt: skip
