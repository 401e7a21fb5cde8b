"""Furnished rooms, ray-traced, with their exact depth: what photographs of landscapes cannot teach about haze indoors.

A photograph with drawn depth teaches how *any* depth shows through haze, but not that a pale wall is a far wall and
no haze. Here colour and depth belong together: a box-shaped room with plain or textured walls, pictures and windows on
them, tables, cupboards and seats on the floor, lit by one lamp. Textures are cut from the photographs at hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage, camera_rays
from clairvoy.imaging.synthesis.lighting import expose, light_of_a_room, occlusion

Array = npt.NDArray[np.float64]

FARTHEST = 14.0
"""No wall is further from the camera, in metres."""
LOOKS_DOWN = 0.28
"""How far the camera looks down on the mean, in radians: photographs of rooms show the floor, not the ceiling."""
HIDES = 0.4
"""No cupboard takes more than this part of the view: who photographs a room does not stand before one."""


@dataclass
class _Canvas:
    """What the rays have hit so far: distance along the optical axis and colour, (H, W) and (H, W, 3) in [0, 1]."""

    rays: Array
    depth: Array
    colour: Array

    def window(self, low: Array, high: Array) -> _Canvas | None:
        """The part of the view that a box between two corners may cover, sharing memory; None if it is out of view.

        A ray is linear in its pixel's column and row, so a point's pixel solves three linear equations. A box that
        reaches behind the camera has no such outline: it gets the whole view.
        """
        first, height, width = self.rays[0, 0], *self.depth.shape
        along, down = self.rays[0, -1] - first, self.rays[-1, 0] - first
        corners = np.array(list(itertools.product(*zip(low, high, strict=True))))
        solved = np.linalg.solve(np.stack([first, along, down], axis=1), corners.T)
        if solved[0].min() < 0.05:
            return self
        column, row = solved[1] / solved[0] * (width - 1), solved[2] / solved[0] * (height - 1)
        left, right = max(0, int(column.min())), min(width, int(column.max()) + 2)
        top, bottom = max(0, int(row.min())), min(height, int(row.max()) + 2)
        if left >= right or top >= bottom:
            return None
        seen = slice(top, bottom), slice(left, right)
        return _Canvas(self.rays[seen], self.depth[seen], self.colour[seen])

    def paint(self, distance: Array, colour: Array) -> None:
        """Let a surface hide what is further away; `distance` is infinite where rays miss it."""
        nearer = distance < self.depth
        self.depth[nearer] = distance[nearer]
        self.colour[nearer] = colour[nearer]


def render_room(
    textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator
) -> tuple[ByteImage, FloatImage]:
    """Draw a room and photograph it.

    Parameters
    ----------
    textures
        Photographs (H, W, 3) uint8 that pictures, windows, floors and furniture are covered with; at least one.
    height, width
        Of the view, in pixels.
    rng
        The source of all randomness.

    Returns
    -------
    rgb
        (height, width, 3) uint8.
    depth
        (height, width) float32, distance along the optical axis in metres, above 0.
    """
    rays = camera_rays(height, width, rng, LOOKS_DOWN)
    canvas = _Canvas(rays, np.full((height, width), np.inf), np.zeros((height, width, 3)))
    left, right = rng.uniform(0.8, 3.5, 2)
    down, up, far = rng.uniform(1.0, 1.7), rng.uniform(0.9, 1.8), rng.uniform(2.0, 7.5)
    wall = _paint_colour(rng)
    for axis, offset in ((0, right), (0, -left), (2, far)):
        # Most rooms have walls of one colour.
        _plane(
            canvas,
            axis,
            offset,
            wall if rng.random() < 0.75 else _paint_colour(rng),
            textures,
            rng,
            hung=True,
        )
    _plane(canvas, 1, down, _wood_colour(rng), textures, rng, hung=False)
    _plane(canvas, 1, -up, _pale(rng), textures, rng, hung=False, plain=0.95)
    for _ in range(int(rng.integers(3, 20))):
        _furniture(canvas, (left, right, down, far), textures, rng)
    canvas.depth = np.minimum(canvas.depth, FARTHEST)
    light = light_of_a_room(canvas.rays, canvas.depth, (left, right, up, far), rng)
    light = light * occlusion(canvas.depth, rng)[..., None]
    lit = canvas.colour * light
    # A lens is never as sharp as a ray.
    lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.35, 0.8)), dtype=np.float64)
    lit = expose(lit, rng)
    grain = rng.normal(0, rng.uniform(0, 0.012), lit.shape)
    rgb = (np.clip(lit + grain, 0, 1) * 255).round().astype(np.uint8)
    return rgb, np.maximum(canvas.depth, 0.05).astype(np.float32)


def _pale(rng: np.random.Generator) -> Array:
    return np.clip(rng.uniform(0.7, 1.0) + rng.normal(0, 0.03, 3), 0, 1)


def _paint_colour(rng: np.random.Generator) -> Array:
    """Wall paint: pale in most rooms, any colour in the others."""
    return _pale(rng) if rng.random() < 0.65 else _muted(rng.uniform(0.15, 0.85, 3), rng)


def _muted(colour: Array, rng: np.random.Generator) -> Array:
    """Nearer to grey: few things in a home are of a pure colour."""
    grey = colour.mean()
    return np.asarray(grey + (colour - grey) * rng.beta(1.2, 2.0))


def _wood_colour(rng: np.random.Generator) -> Array:
    """Floors and furniture: browns from dark to light, sometimes black, white or painted."""
    kind = rng.random()
    if kind < 0.6:
        # Squared: furniture is dark more often than not.
        tone = 0.08 + 1.1 * rng.random() ** 2
        return np.clip(np.array([0.75, 0.5, 0.32]) * tone + rng.normal(0, 0.03, 3), 0, 1)
    return np.full(3, rng.uniform(0.02, 0.95)) if kind < 0.85 else _muted(rng.uniform(0.05, 0.9, 3), rng)


def _texture(u: Array, v: Array, photograph: ByteImage, metres: float) -> Array:
    """Colour (H, W, 3) of a photograph that covers `metres` of a surface and is mirrored beyond its border."""
    width = photograph.shape[1]
    x = np.nan_to_num(u / metres * width, posinf=0, neginf=0).clip(-3e4, 3e4).astype(np.float32)
    y = np.nan_to_num(v / metres * width, posinf=0, neginf=0).clip(-3e4, 3e4).astype(np.float32)
    seen = cv2.remap(photograph, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen / 255.0, dtype=np.float64)


def _any(textures: Sequence[ByteImage], rng: np.random.Generator) -> ByteImage:
    return textures[int(rng.integers(len(textures)))]


def _surface(
    u: Array, v: Array, paint: Array, textures: Sequence[ByteImage], rng: np.random.Generator, plain: float
) -> Array:
    """Paint, boards or tiles, or the structure of a photograph in the colour of the paint."""
    colour = np.broadcast_to(paint, (*u.shape, 3)).copy()
    kind = rng.random()
    if kind < plain:
        return colour
    if kind < plain + 0.5 * (1 - plain):
        size, groove = rng.uniform(0.08, 0.6), rng.uniform(0.01, 0.06)
        joint = np.mod(u / size, 1) < groove
        if rng.random() < 0.5:
            joint |= np.mod(v / size, 1) < groove
        return np.where(joint[..., None], colour * rng.uniform(0.3, 0.9), colour)
    seen = _texture(u, v, _any(textures, rng), rng.uniform(0.4, 4.0))
    return colour * (1 - rng.uniform(0.3, 1.0) * (1 - seen))


def _plane(
    canvas: _Canvas, axis: int, offset: float, paint: Array, textures: Sequence[ByteImage],
    rng: np.random.Generator, *, hung: bool, plain: float = 0.5,
) -> None:  # fmt: skip
    """One wall, floor or ceiling at `offset` along an axis, with pictures and windows on it if `hung`."""
    along = canvas.rays[..., axis]
    ahead = along * offset > 1e-6
    distance = np.where(ahead, offset / np.where(ahead, along, 1.0), np.inf)
    first, second = (a for a in range(3) if a != axis)
    reach = np.where(ahead, distance, 0.0)
    u, v = canvas.rays[..., first] * reach, canvas.rays[..., second] * reach
    if axis == 0:
        u, v = v, u
    colour = _surface(u, v, paint, textures, rng, plain)
    for _ in range(int(rng.integers(0, 5)) if hung else 0):
        centre_u, centre_v = (
            rng.uniform(-2.5, 2.5) if axis == 2 else rng.uniform(0, 5),
            rng.uniform(-1.0, 0.5),
        )
        half_u, half_v = rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.9)
        inside = (np.abs(u - centre_u) < half_u) & (np.abs(v - centre_v) < half_v)
        if not inside.any():
            continue
        kind = rng.random()
        if kind < 0.25:
            shown = np.broadcast_to(rng.uniform(0.9, 1.6), colour.shape)
        elif kind < 0.45:
            shown = np.broadcast_to(_wood_colour(rng), colour.shape)
        else:
            shown = _texture(u - centre_u, v - centre_v, _any(textures, rng), 2 * half_u) * rng.uniform(
                0.6, 1.3
            )
        frame = (np.abs(u - centre_u) > 0.92 * half_u) | (np.abs(v - centre_v) > 0.92 * half_v)
        shown = np.where((frame & (rng.random() < 0.7))[..., None], rng.uniform(0, 1), shown)
        colour = np.where(inside[..., None], shown, colour)
    canvas.paint(distance, colour)


def _box(
    canvas: _Canvas,
    low: Array,
    high: Array,
    paint: Array,
    textures: Sequence[ByteImage],
    rng: np.random.Generator,
) -> None:
    """A solid box between two corners, by the slab method (Kay and Kajiya 1986)."""
    part = canvas.window(low, high)
    if part is None:
        return
    canvas = part
    rays = np.where(np.abs(canvas.rays) < 1e-9, 1e-9, canvas.rays)
    enter, leave = np.minimum(low / rays, high / rays), np.maximum(low / rays, high / rays)
    face, near = enter.argmax(axis=-1), enter.max(axis=-1)
    distance = np.where((near < leave.min(axis=-1)) & (near > 0.05), near, np.inf)
    if not np.isfinite(distance).any():
        return
    point = canvas.rays * np.where(np.isfinite(distance), distance, 0.0)[..., None]
    u, v = (
        np.where(face == 0, point[..., 2], point[..., 0]),
        np.where(face == 1, point[..., 2], point[..., 1]),
    )
    # Each face turns another way to the light.
    shade = rng.uniform(0.55, 1.0, 3)[face]
    canvas.paint(distance, _surface(u, v, paint, textures, rng, plain=0.6) * shade[..., None])


Room = tuple[float, float, float, float]
"""How far the walls are to the left and right, the floor down and the far wall ahead, in metres."""


def _furniture(canvas: _Canvas, room: Room, textures: Sequence[ByteImage], rng: np.random.Generator) -> None:
    """One thing somewhere on the floor: a cupboard, open shelves, a table with what stands on and around it, a seat."""
    left, right, down, far = room
    width, length = rng.uniform(0.3, 1.8), rng.uniform(0.3, 1.4)
    x = rng.uniform(-left, max(right - width, -left + 0.1))
    # Few things stand right before the camera: who takes a picture steps back.
    z = rng.uniform(0.8, 1.6) + max(far - length - 1.2, 0.2) * rng.random()
    kind, wood = rng.random(), _wood_colour(rng)
    if kind < 0.25:
        tall = rng.uniform(0.3, 2.0)
        low, high = np.array([x, down - tall, z]), np.array([x + width, down, z + length])
        hides = canvas.window(low, high)
        if hides is not None and hides.depth.size > HIDES * canvas.depth.size:
            return
        _box(canvas, low, high, wood, textures, rng)
        _things(canvas, low, high, textures, rng, int(rng.integers(0, 6)))
    elif kind < 0.45:
        _shelves(canvas, np.array([x, down, min(z + 1.0, far - 0.35)]), wood, textures, rng)
    elif kind < 0.75:
        low, high = np.array([x, down - rng.uniform(0.5, 1.0), z]), np.array([x + width, down, z + length])
        _table(canvas, low, high, wood, textures, rng)
        _things(canvas, low, high, textures, rng, int(rng.integers(0, 10)))
        for _ in range(int(rng.integers(0, 5))):
            beside = np.array(
                [rng.uniform(x - 0.5, x + width), down, rng.uniform(max(0.7, z - 0.5), z + length)]
            )
            _chair(canvas, beside, wood, textures, rng)
    else:
        _chair(canvas, np.array([x, down, z]), wood, textures, rng)


def _table(
    canvas: _Canvas,
    low: Array,
    high: Array,
    paint: Array,
    textures: Sequence[ByteImage],
    rng: np.random.Generator,
) -> None:
    """A board on four legs, all within the box between two corners (y points down: the board is at `low`)."""
    thick, leg = rng.uniform(0.03, 0.1), rng.uniform(0.03, 0.08)
    for x in (low[0], high[0] - leg):
        for z in (low[2], high[2] - leg):
            _box(
                canvas, np.array([x, low[1], z]), np.array([x + leg, high[1], z + leg]), paint, textures, rng
            )
    _box(canvas, low, np.array([high[0], low[1] + thick, high[2]]), paint, textures, rng)


def _chair(
    canvas: _Canvas, foot: Array, paint: Array, textures: Sequence[ByteImage], rng: np.random.Generator
) -> None:
    """A seat on four legs with a back, of slats or of one board, on one of its four sides; `foot` is on the floor."""
    side, seat, back = rng.uniform(0.35, 0.55), rng.uniform(0.4, 0.5), rng.uniform(0.35, 0.6)
    low, high = foot - np.array([0, seat, 0]), foot + np.array([side, 0, side])
    _table(canvas, low, high, paint, textures, rng)
    across, behind = (0, 2) if rng.random() < 0.5 else (2, 0)
    edge = low[behind] if rng.random() < 0.5 else high[behind] - 0.05
    slats = int(rng.choice([1, 3, 5]))
    for k in range(slats):
        start, end = low.copy(), high.copy()
        start[1], end[1] = low[1] - back, low[1]
        start[behind], end[behind] = edge, edge + 0.05
        start[across] = low[across] + side * k / slats
        end[across] = start[across] + side / slats * (1.0 if slats == 1 else 0.45)
        _box(canvas, start, end, paint, textures, rng)


def _shelves(
    canvas: _Canvas, foot: Array, paint: Array, textures: Sequence[ByteImage], rng: np.random.Generator
) -> None:
    """Open shelves: a dark back, boards, and rows of books and boxes between them."""
    width, deep, tall = rng.uniform(0.6, 1.6), rng.uniform(0.2, 0.35), rng.uniform(0.8, 2.1)
    boards = int(rng.integers(2, 6))
    _box(
        canvas,
        foot + np.array([0, -tall, deep - 0.03]),
        foot + np.array([width, 0, deep]),
        paint * rng.uniform(0.1, 0.8),
        textures,
        rng,
    )
    for k in range(boards + 1):
        level = foot[1] - tall * k / boards
        low = np.array([foot[0], level - 0.03, foot[2]])
        _box(canvas, low, low + np.array([width, 0.03, deep]), paint, textures, rng)
        if k == boards:
            break
        x = foot[0]
        while x < foot[0] + width - 0.05 and rng.random() < 0.93:
            thick, high = rng.uniform(0.03, 0.15), tall / boards * rng.uniform(0.3, 0.85)
            if rng.random() < 0.8:
                corner = np.array([x, level - 0.03 - high, foot[2] + rng.uniform(0, 0.4) * deep])
                _box(canvas, corner, np.array([x + thick, level - 0.03, foot[2] + deep - 0.03]),
                     _muted(rng.uniform(0.02, 0.95, 3), rng), textures, rng)  # fmt: skip
            x += thick


def _things(
    canvas: _Canvas,
    low: Array,
    high: Array,
    textures: Sequence[ByteImage],
    rng: np.random.Generator,
    count: int,
) -> None:
    """Small boxes on top of the box between two corners."""
    for _ in range(count):
        side = rng.uniform(0.04, 0.35)
        x, z = rng.uniform(low[0], high[0]), rng.uniform(low[2], high[2])
        corner = np.array([x, low[1] - side * rng.uniform(0.2, 2.0), z])
        _box(canvas, corner, np.array([x + side, low[1], z + side * rng.uniform(0.4, 1.0)]),
             _muted(rng.uniform(0, 1, 3), rng), textures, rng)  # fmt: skip
