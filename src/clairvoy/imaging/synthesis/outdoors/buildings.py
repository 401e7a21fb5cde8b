"""Boxes with fronts: houses with windows and roofs, cars, walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Canvas, Colour, Face
from clairvoy.imaging.synthesis.outdoors.noise import Floats, Tile, sample
from clairvoy.imaging.synthesis.outdoors.sky import Light

Bounds = tuple[float, float, float, float, float, float]
"""Of a box in metres: left, right, foot, top, near, far."""


def box_faces(bounds: Bounds) -> list[Floats]:
    """Front, left, right and top (4, 3), counter-clockwise from outside."""
    x0, x1, y0, y1, z0, z1 = bounds
    return [
        np.array([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)], np.float32),
        np.array([(x0, y0, z1), (x0, y0, z0), (x0, y1, z0), (x0, y1, z1)], np.float32),
        np.array([(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)], np.float32),
        np.array([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], np.float32),
    ]


def paint_box(canvas: Canvas, bounds: Bounds, colour: Colour, light: Light) -> None:
    """A plain box."""
    for corners in box_faces(bounds):
        face = canvas.face(corners)
        if face is not None:
            canvas.paint(face.depth, colour * light.on(*face.normal), face.window)


@dataclass(frozen=True)
class Facade:
    """How the fronts of one house look: metres from window to window and floor to floor, and what windows take up."""

    wall: Colour
    trim: Colour
    glass: Colour
    shop: Colour
    bay: float
    storey: float
    wide: float
    tall: float
    offset: float


def draw_facade(rng: np.random.Generator, light: Light) -> Facade:
    """Plaster, brick, stone or glass."""
    kind = rng.random()
    if kind < 0.4:
        wall = np.array([0.5, 0.47, 0.42]) * rng.uniform(0.5, 1.5) * rng.normal(1, 0.08, 3)
    elif kind < 0.65:
        wall = np.array([0.28, 0.15, 0.1]) * rng.uniform(0.6, 1.5) * rng.normal(1, 0.1, 3)
    elif kind < 0.85:
        wall = np.full(3, rng.uniform(0.08, 0.5)) * rng.normal(1, 0.03, 3)
    else:
        wall = rng.uniform(0.1, 0.6) + 0.35 * rng.uniform(-0.3, 0.3, 3)
    modern = rng.random() < 0.25
    glass = (light.horizon * rng.uniform(0.03, 0.25) + 0.01) * rng.uniform(0.5, 1.2)
    return Facade(
        wall=np.clip(wall, 0.03, 0.85).astype(np.float32),
        trim=np.full(3, rng.uniform(0.1, 0.75), np.float32),
        glass=np.asarray(glass, np.float32),
        shop=(rng.uniform(0.02, 0.4) * rng.uniform(0.5, 1.2, 3)).astype(np.float32),
        bay=float(rng.uniform(1.3, 3.6)),
        storey=float(rng.uniform(2.7, 3.8)),
        wide=float(rng.uniform(0.7, 0.92) if modern else rng.uniform(0.28, 0.6)),
        tall=float(rng.uniform(0.55, 0.85) if modern else rng.uniform(0.35, 0.62)),
        offset=float(rng.random()),
    )


def facade_colour(
    facade: Facade, face: Face, foot: float, light: Light, structure: Tile, z_run: bool
) -> Floats:
    """Lit colour (h, w, 3) of a front: wall, rows of windows that blend into it far away, a darker ground floor."""
    along = (np.where(np.isfinite(face.depth), face.depth, 1) if z_run else face.x).astype(np.float32)
    up = face.y - np.float32(foot)
    stretch = face.footprint
    if z_run:
        # Seen along the wall a pixel covers many metres of it.
        stretch = stretch * np.maximum(1, along / np.maximum(np.abs(face.x), 0.5)).astype(np.float32)
    sharp = np.clip(2.2 - 3.5 * stretch / facade.bay, 0, 1)
    bay, storey = along / facade.bay + facade.offset, up / facade.storey
    across, within = np.abs(bay - np.floor(bay) - 0.5) * 2, np.abs(storey - np.floor(storey) - 0.55) * 2
    window = (across < facade.wide) & (within < facade.tall) & (up > 0.25)
    frame = (across < facade.wide + 0.1) & (within < facade.tall + 0.07) & ~window & (up > 0.25)
    share = facade.wide * facade.tall
    lit = light.on(*face.normal)
    if not sharp.any():
        # Too far for windows.
        plain = facade.wall * lit * (1 - share) + facade.glass * share
        return np.broadcast_to(np.asarray(plain, np.float32), (*up.shape, 3))
    wall = facade.wall * (0.55 + 0.45 * sample(structure, along / 9, up / 9, stretch / 9))
    wall = wall * (0.86 + 0.14 * np.clip(up / 8, 0, 1))[..., None] * lit
    number = (np.floor(bay).astype(np.int64) * 73 + np.floor(storey).astype(np.int64) * 151) % 11
    glass = facade.glass * (0.45 + 0.11 * number)[..., None]
    blurred = wall * (1 - share) + facade.glass * share
    drawn = np.where(window[..., None], glass, np.where(frame[..., None], facade.trim * lit, wall))
    colour = blurred + (drawn - blurred) * sharp[..., None]
    shop = (up < 0.9 * facade.storey) & (up > 0.78 * facade.storey)
    return np.asarray(np.where((shop & (stretch < 1))[..., None], facade.shop * lit, colour), np.float32)


def paint_building(
    canvas: Canvas, bounds: Bounds, light: Light, structure: Tile, rng: np.random.Generator, *, pitched: bool
) -> None:
    """A house: its fronts with windows, and a flat roof or one with a ridge along the street."""
    facade = draw_facade(rng, light)
    roof = np.array([0.16, 0.1, 0.08] if rng.random() < 0.5 else [0.09, 0.09, 0.1]) * rng.uniform(0.6, 1.6)
    for index, corners in enumerate(box_faces(bounds)):
        face = canvas.face(corners)
        # Painted near to far, most of a town hides behind its first houses.
        if face is None or not (face.depth < canvas.depth[face.window]).any():
            continue
        if index == 3:
            canvas.paint(face.depth, 0.2 * light.on(*face.normal), face.window)
        else:
            canvas.paint(
                face.depth, facade_colour(facade, face, bounds[2], light, structure, index > 0), face.window
            )
    if pitched:
        _roof(canvas, bounds, roof.astype(np.float32), facade, light, rng)


def _roof(
    canvas: Canvas, bounds: Bounds, colour: Colour, facade: Facade, light: Light, rng: np.random.Generator
) -> None:
    x0, x1, _, y1, z0, z1 = bounds
    eaves = 0.4
    if rng.random() < 0.5:
        middle, ridge = (x0 + x1) / 2, y1 + (x1 - x0) * rng.uniform(0.25, 0.5)
        gable = [(x0, y1, z0), (x1, y1, z0), (middle, ridge, z0)]
        slopes = [
            [(x0 - eaves, y1 - eaves / 2, z1), (x0 - eaves, y1 - eaves / 2, z0 - eaves),
             (middle, ridge, z0 - eaves), (middle, ridge, z1)],
            [(x1 + eaves, y1 - eaves / 2, z0 - eaves), (x1 + eaves, y1 - eaves / 2, z1),
             (middle, ridge, z1), (middle, ridge, z0 - eaves)],
        ]  # fmt: skip
        face = canvas.face(np.array(gable))
        if face is not None:
            canvas.paint(face.depth, facade.wall * light.on(*face.normal), face.window)
    else:
        middle, ridge = (z0 + z1) / 2, y1 + min(5.0, (z1 - z0) * rng.uniform(0.25, 0.5))
        slopes = [[(x0 - eaves, y1 - eaves / 2, z0 - eaves), (x1 + eaves, y1 - eaves / 2, z0 - eaves),
                   (x1 + eaves, ridge, middle), (x0 - eaves, ridge, middle)]]  # fmt: skip
        for x, turn in ((x0, -1), (x1, 1)):
            gable = [(x, y1, z0), (x, y1, z1), (x, ridge, middle)]
            face = canvas.face(np.array(gable[::turn]))
            if face is not None:
                canvas.paint(face.depth, facade.wall * light.on(*face.normal), face.window)
    for corners in slopes:
        face = canvas.face(np.array(corners))
        if face is not None:
            row = (face.y * 3.3) % 1
            tiles = (0.8 + 0.35 * row * np.clip(1.5 - 6 * face.footprint, 0, 1))[..., None]
            canvas.paint(face.depth, colour * tiles * light.on(*face.normal), face.window)


def paint_car(canvas: Canvas, x: float, z: float, light: Light, rng: np.random.Generator) -> None:
    """A car that points along the street, its middle at x and its near end at z; a van or bus now and then."""
    if rng.random() < 0.2:
        wide, body, tall, long = 2.0, 1.2, rng.uniform(2.0, 3.1), rng.uniform(4.5, 11)
    else:
        wide, body, tall, long = 1.8, rng.uniform(0.85, 1.05), rng.uniform(1.35, 1.75), rng.uniform(3.8, 4.8)
    paint = np.full(3, rng.choice([0.015, 0.06, 0.2, 0.4, 0.75]))
    if rng.random() < 0.35:
        paint = rng.uniform(0.01, 0.1, 3)
        paint[int(rng.integers(3))] = rng.uniform(0.15, 0.5)
    paint32 = paint.astype(np.float32)
    x0, x1 = x - wide / 2, x + wide / 2
    shadow = np.array([(x0, 0.03, z - 0.1), (x1, 0.03, z - 0.1), (x1, 0.03, z + long), (x0, 0.03, z + long)])
    face = canvas.face(shadow)
    if face is not None:
        canvas.paint(face.depth, np.full(3, 0.015, np.float32), face.window)
    dark = np.full(3, 0.015, np.float32)
    for end in (0.55, long - 1.1):
        for side in (x0, x1 - 0.2):
            paint_box(canvas, (side - 0.01, side + 0.21, 0.0, 0.62, z + end, z + end + 0.6), dark, light)
    paint_box(canvas, (x0, x1, 0.28, body, z, z + long), paint32, light)
    slope, glass = 0.18 * (tall - body), light.horizon * np.float32(rng.uniform(0.05, 0.4))
    back, front = z + 0.05 * long, z + long * (0.95 if wide == 2.0 else 0.7)
    lower = [(x0, body, back), (x1, body, back), (x1, body, front), (x0, body, front)]
    upper = [(x0 + slope, tall, back + 2 * slope), (x1 - slope, tall, back + 2 * slope),
             (x1 - slope, tall, front - 2 * slope), (x0 + slope, tall, front - 2 * slope)]  # fmt: skip
    for k in (0, 1, 3):
        n = (k + 1) % 4
        face = canvas.face(np.array([lower[k], lower[n], upper[n], upper[k]]))
        if face is not None:
            pane = (face.y > body + 0.08) & (face.y < tall - 0.12)
            shade = np.where(pane[..., None], glass, paint32 * light.on(*face.normal))
            canvas.paint(face.depth, shade, face.window)
    top = canvas.face(np.array(upper))
    if top is not None:
        canvas.paint(top.depth, paint32 * light.on(*top.normal), top.window)
    lamp = np.array([0.5, 0.03, 0.02] if rng.random() < 0.6 else [0.8, 0.8, 0.7], np.float32)
    for side in (x0 + 0.05, x1 - 0.4):
        canvas.card(_rectangle(side, side + 0.35, 0.6, 0.75), z - 0.01, lamp)
    canvas.card(_rectangle(x - 0.26, x + 0.26, 0.42, 0.54), z - 0.01, np.full(3, 0.6, np.float32))


def _rectangle(x0: float, x1: float, y0: float, y1: float) -> Floats:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
