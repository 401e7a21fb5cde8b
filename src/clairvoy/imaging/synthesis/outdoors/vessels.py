"""What stands in the water: boats, ships, rocks, piers, a lighthouse."""

from __future__ import annotations

import numpy as np

from clairvoy.imaging.synthesis.outdoors.buildings import paint_box
from clairvoy.imaging.synthesis.outdoors.canvas import Canvas, Colour
from clairvoy.imaging.synthesis.outdoors.noise import Floats, Tile
from clairvoy.imaging.synthesis.outdoors.season import Season
from clairvoy.imaging.synthesis.outdoors.sky import Light


def _shape(*points: tuple[float, float]) -> Floats:
    return np.array(points, np.float32)


def _box(x0: float, x1: float, y0: float, y1: float) -> Floats:
    return _shape((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _hull_colour(rng: np.random.Generator) -> Colour:
    kind = rng.random()
    if kind < 0.45:
        return np.full(3, rng.uniform(0.5, 0.8), np.float32)
    if kind < 0.7:
        return np.array([0.02, 0.03, 0.05], np.float32) * np.float32(rng.uniform(0.7, 2.5))
    # Paint fades in the sun and the salt.
    return (rng.uniform(0.05, 0.3) * rng.uniform(0.4, 1.6, 3)).astype(np.float32)


def _pair(colour: Colour, light: Light) -> Floats:
    """Colour at the top and at the foot of an upright thing that faces the camera."""
    lit = colour * light.on(0.0, 0.25, -0.95)
    return np.stack([lit * 1.1, lit * 0.75])


def reflect(canvas: Canvas, x: float, z: float, wide: float, tall: float, colour: Colour) -> None:
    """Darken or brighten the water below a thing with its broken image: call it before the thing is painted."""
    left, right = canvas.column(x - wide / 2, z), canvas.column(x + wide / 2, z)
    foot = canvas.row(0.0, z)
    window = canvas.window(
        np.array([left, right]), np.array([foot, foot + 0.8 * canvas.focal * tall / z + 1])
    )
    if window is None:
        return
    onto, depth = canvas.colour[window], canvas.depth[window]
    rows, columns = depth.shape
    v, u = np.linspace(0, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    # Broken up by the waves: dashes that get fewer downwards.
    broken = 0.6 + 0.4 * np.sin(np.arange(rows) * 1.9 + 3 * np.sin(np.arange(rows) * 0.7))[:, None]
    share = 0.65 * (1 - v) ** 1.3 * broken * np.clip(2.5 * (1 - np.abs(u)), 0, 1)
    wet = (depth < z) & (depth > 0.2 * z)
    share = np.where(wet, share, 0).astype(np.float32)[..., None]
    onto += (colour - onto) * share


def paint_boat(canvas: Canvas, x: float, z: float, light: Light, rng: np.random.Generator) -> None:
    """A sailing boat, a motor boat or a rowing boat that floats at x and z."""
    long, turn = rng.uniform(4, 13), float(rng.choice([-1, 1])) * rng.uniform(0.45, 1)
    kind = rng.random()
    free = long * rng.uniform(0.09, 0.14)
    half = long * abs(turn) / 2
    side = np.sign(turn)
    hull = _pair(_hull_colour(rng), light)
    mast = long * rng.uniform(1.1, 1.5)
    reflect(canvas, x, z, 2 * half, mast * 0.6 if kind < 0.5 else 2 * free, hull[1])
    points = _shape(
        (x - side * half * 0.92, 0.0), (x + side * half * 0.8, 0.0), (x + side * half, free * 1.35), (x - side * half, free),
    )  # fmt: skip
    if kind < 0.5:
        at = x + side * 0.1 * half
        thick = max(0.07, 0.5 * z / canvas.focal)
        canvas.card(_box(at - thick, at + thick, free, mast), z + 0.02, np.full(3, 0.25, np.float32))
        if rng.random() < 0.55:
            cloth = np.array([0.85, 0.85, 0.82], np.float32) * light.on(0.4, 0.3, -0.8)
            canvas.card(
                _shape((at - side * 0.1, free + 0.8), (at - side * 0.95 * half, free + 0.9), (at - side * 0.1, mast * 0.97)),
                z + 0.01, cloth,
            )  # fmt: skip
            canvas.card(
                _shape((at + side * 0.1, mast * 0.85), (at + side * 0.9 * half, free), (at + side * 0.12, free)),
                z + 0.015, cloth * 0.92,
            )  # fmt: skip
        canvas.card(
            _box(at - 0.4 * half, at + 0.35 * half, free, free * 1.5),
            z + 0.005,
            _pair(_hull_colour(rng), light),
        )
    elif kind < 0.85:
        cabin = free * rng.uniform(1.8, 3.2)
        canvas.card(
            _shape((x - 0.5 * side * half, free), (x + 0.4 * side * half, free), (x + 0.15 * side * half, cabin),
                   (x - 0.5 * side * half, cabin)), z + 0.01, _pair(np.full(3, 0.6, np.float32), light),
        )  # fmt: skip
        canvas.card(
            _box(x - 0.42 * half, x + 0.1 * half, free * 1.25, cabin * 0.85),
            z,
            light.horizon * np.float32(0.08),
        )
    canvas.card(points, z, hull)


def paint_ship(canvas: Canvas, x: float, z: float, light: Light, rng: np.random.Generator) -> None:
    """A freighter or a ferry."""
    long, free = rng.uniform(40, 180), rng.uniform(4, 11)
    side, half = float(rng.choice([-1, 1])), long / 2
    hull = _pair(_hull_colour(rng), light)
    reflect(canvas, x, z, long, 2 * free, hull[1])
    canvas.card(
        _shape((x - side * half * 0.97, 0.0), (x + side * half * 0.9, 0.0), (x + side * half, free * 1.25),
               (x - side * half, free)),
        z, hull,
    )  # fmt: skip
    white = _pair(np.full(3, rng.uniform(0.5, 0.8), np.float32), light)
    if rng.random() < 0.5:
        tower = free + rng.uniform(8, 20)
        canvas.card(_box(x - side * 0.9 * half, x - side * 0.68 * half, free, tower), z + 0.2, white)
        stack = x - side * 0.75 * half
        canvas.card(_box(stack - 2, stack + 2, tower, tower + 5), z + 0.3, _pair(_hull_colour(rng), light))
        at = -0.6
        while at < 0.8:
            wide = rng.uniform(0.06, 0.2)
            ends = x + side * at * half, x + side * (at + wide) * half
            canvas.card(
                _box(ends[0], ends[1], free, free + rng.uniform(0, 10)), z + 0.1,
                _pair(rng.uniform(0.03, 0.4, 3).astype(np.float32), light),
            )  # fmt: skip
            at += wide + 0.01
    else:
        for deck in range(int(rng.integers(2, 6))):
            low = free + 2.8 * deck
            ends = x - half * (0.85 - 0.06 * deck), x + half * (0.7 - 0.1 * deck)
            canvas.card(_box(ends[0], ends[1], low, low + 2.8), z + 0.1, white)
            canvas.card(
                _box(ends[0] + 2, ends[1] - 2, low + 0.9, low + 1.9),
                z + 0.05,
                light.horizon * np.float32(0.12),
            )


def paint_rock(
    canvas: Canvas, x: float, z: float, wide: float, tall: float, season: Season, light: Light, rough: Tile,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A rock or a small island with a ragged top."""
    count = 40
    t = np.linspace(-1, 1, count)
    line = rough[0][int(rng.integers(256)), :count]
    top = tall * np.clip((1 - t**2) ** rng.uniform(0.4, 1.2) * (1 + 0.13 * line), 0, None)
    reflect(canvas, x, z, 1.6 * wide, tall, season.rock * light.ambient * 0.4)
    points = np.concatenate(
        [np.stack([x + t * wide / 2, top], 1), [[x + wide / 2, 0.0], [x - wide / 2, 0.0]]]
    )
    found = canvas.outline(
        canvas.centre + canvas.focal * points[:, 0] / z, canvas.horizon - canvas.focal * (points[:, 1] - canvas.eye) / z
    )  # fmt: skip
    if found is None:
        return
    window, inside = found
    rows, columns = inside.shape
    u = np.linspace(0, 120, columns, dtype=np.int64) + int(rng.integers(100))
    v = (np.linspace(0, 120 * min(1.0, tall / wide * 2), rows, dtype=np.int64) + int(rng.integers(100)))[
        :, None
    ]
    grain = rough[0][v % 256, u % 256] - 0.8 * rough[0][(v - 2) % 256, (u + 2) % 256]
    shade = np.clip(0.85 + 0.7 * grain, 0.2, 2)[..., None]
    wet = np.linspace(1.15, 0.35, rows, dtype=np.float32)[:, None, None] ** 1.2
    colour = season.rock * shade * wet * light.on(0.2, 0.5, -0.8)
    canvas.paint(np.where(inside, np.float32(z), np.float32(np.inf)), colour, window)


def paint_pier(canvas: Canvas, light: Light, rng: np.random.Generator) -> None:
    """A quay, or a pier on posts, that runs away from the camera or across the view."""
    level, stone = float(rng.uniform(0.6, 2.2)), np.full(3, rng.uniform(0.12, 0.4), np.float32)
    stone = stone * np.array([1.0, 0.95, 0.87], np.float32)
    side = float(rng.choice([-1, 1]))
    if rng.random() < 0.5:
        near, far = rng.uniform(2, 15), rng.uniform(40, 300)
        inner = rng.uniform(1, 8)
        ends = sorted((side * inner, side * (inner + rng.uniform(2, 12))))
    else:
        near = rng.uniform(25, 200)
        far = near + rng.uniform(3, 10)
        ends = sorted((side * rng.uniform(-0.1, 0.3) * near, side * 1.5 * near))
    paint_box(canvas, (ends[0], ends[1], 0.0, level, near, far), stone, light)
    for z in np.linspace(near + 1, far, int(rng.integers(3, 14)))[::-1]:
        x = ends[0] + 0.5 if side > 0 else ends[1] - 0.5
        canvas.card(
            _box(x - 0.15, x + 0.15, level, level + rng.uniform(0.5, 1.0)),
            float(z),
            np.full(3, 0.03, np.float32),
        )
        if rng.random() < 0.3:
            canvas.card(_box(x - 0.08, x + 0.08, level, level + 6), float(z), np.full(3, 0.06, np.float32))
            canvas.card(
                _box(x - 0.4, x + 0.4, level + 5.8, level + 6.1), float(z), np.full(3, 0.1, np.float32)
            )


def paint_lighthouse(
    canvas: Canvas, x: float, z: float, foot: float, light: Light, rng: np.random.Generator
) -> None:
    """A round tower with a lantern, white or striped."""
    tall, wide = rng.uniform(8, 30), rng.uniform(1.2, 2.5)
    stripes = rng.random() < 0.5
    red = np.array([0.4, 0.04, 0.03], np.float32)
    for k in range(5):
        low, high = foot + tall * k / 5, foot + tall * (k + 1) / 5
        a, b = wide * (1 - 0.08 * k), wide * (1 - 0.08 * (k + 1))
        colour = red if stripes and k % 2 else np.full(3, 0.75, np.float32)
        canvas.card(_shape((x - a, low), (x + a, low), (x + b, high), (x - b, high)), z, _pair(colour, light))
    canvas.card(
        _box(x - wide * 0.75, x + wide * 0.75, foot + tall, foot + tall * 1.02),
        z,
        np.full(3, 0.1, np.float32),
    )
    canvas.card(
        _box(x - wide * 0.4, x + wide * 0.4, foot + tall, foot + tall * 1.12),
        z,
        light.horizon * np.float32(0.3),
    )
    canvas.card(
        _shape((x - wide * 0.5, foot + tall * 1.12), (x + wide * 0.5, foot + tall * 1.12), (x, foot + tall * 1.2)), z,
        _pair(red, light),
    )  # fmt: skip
