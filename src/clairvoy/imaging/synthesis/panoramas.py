"""Panoramas of rooms and of open places, ray-traced on the whole sphere, with their exact distances.

Any number of them, and no photograph is needed. A room is a box with things in it; an open place has a sky with its sun and
clouds, hills all around, a ground with a way, houses and trees. What they teach is how one part of a sphere goes with the
others: what the sky is like from the light on the ground, a wall from its beginning, the floor from a corner of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage

Array = npt.NDArray[np.float64]

FARTHEST = 1000.0
"""Distance of the sky, in metres."""
FINER = 2
"""Rays along each side of a pixel."""
ROOMS = 0.4
"""Part of the panoramas that show a room."""


def sphere_rays(height: int) -> Array:
    """Directions (height, 2 height, 3) of unit length, x right, y down, z ahead, of the equirectangular projection.

    The column in the middle looks ahead; the first row is next to the zenith.
    """
    latitude = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    longitude = (np.arange(2 * height) + 0.5) / height * np.pi - np.pi
    flat = np.cos(latitude)[:, None]
    return np.stack(
        np.broadcast_arrays(flat * np.sin(longitude), -np.sin(latitude)[:, None], flat * np.cos(longitude)),
        axis=-1,
    )


def render_panorama(height: int, rng: np.random.Generator) -> tuple[ByteImage, FloatImage]:
    """Draw a room or an open place as it is seen from one point in it.

    Parameters
    ----------
    height
        Of the panorama, in pixels; it is twice as wide.
    rng
        The source of all randomness.

    Returns
    -------
    rgb
        (height, 2 height, 3) uint8.
    distance
        (height, 2 height) float32, in metres from the eye, above 0; the sky's is `FARTHEST`.
    """
    rays = sphere_rays(FINER * height)
    colour, distance = (_room if rng.random() < ROOMS else _open_place)(rays, rng)
    turn = int(rng.integers(2 * FINER * height))
    colour, distance = np.roll(colour, turn, axis=1), np.roll(distance, turn, axis=1)
    exposed = _exposed(colour, rng)
    cells = (height, FINER, 2 * height, FINER)
    # Of a pixel's distances the median's neighbour: their mean would lie between things, where nothing is.
    nearest = distance.reshape(cells).transpose(0, 2, 1, 3).reshape(height, 2 * height, -1)
    rgb = exposed.reshape(*cells, 3).mean(axis=(1, 3))
    chosen = np.sort(nearest, axis=-1)[..., FINER]
    return (rgb * 255).round().astype(np.uint8), chosen.astype(np.float32)


def _exposed(light: Array, rng: np.random.Generator) -> Array:
    """What a camera makes of it: a mean brightness, a curve, a tint, in [0, 1]."""
    mean = np.clip(rng.normal(0.42, 0.12), 0.12, 0.75)
    light = light * (1 + rng.normal(0, 0.05, 3)) * mean / max(float(light.mean()), 1e-3)
    return np.asarray(np.clip(1 - np.exp(-1.3 * light), 0, 1) ** rng.uniform(0.8, 1.3))


def _waves(points: Array, wavelength: float, rng: np.random.Generator, count: int = 12) -> Array:
    """Smooth noise (...) of points (..., 3), of mean 0 and deviation about 1."""
    total = np.zeros(points.shape[:-1])
    for _ in range(count):
        along = rng.normal(0, 1 / wavelength, 3)
        total += np.cos(2 * np.pi * points @ along + rng.uniform(0, 2 * np.pi))
    return total * np.sqrt(2 / count)


def _room(rays: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A box seen from inside, with windows and pictures on its walls and boxes on its floor."""
    low = np.array([-rng.uniform(1, 7), -rng.uniform(1, 4), -rng.uniform(1, 7)])
    high = np.array([rng.uniform(1, 7), rng.uniform(1, 1.8), rng.uniform(1, 7)])
    safe = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    reach = np.where(safe > 0, high / safe, low / safe)
    axis, distance = reach.argmin(axis=-1), reach.min(axis=-1)
    point = rays * distance[..., None]
    wall = rng.uniform(0.35, 1.0) * (1 + rng.normal(0, 0.08, 3))
    colour = np.broadcast_to(wall, point.shape).copy()
    down = (axis == 1) & (rays[..., 1] > 0)
    up = (axis == 1) & (rays[..., 1] < 0)
    colour[up] = rng.uniform(0.6, 1.0)
    colour[down] = rng.uniform(0.1, 0.8) * np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.5, 1.0)])
    for _ in range(int(rng.integers(0, 12))):
        along = int(rng.choice([0, 2]))
        side = rng.choice([-1, 1])
        u, v = point[..., 2 - along], point[..., 1]
        centre = rng.uniform(low[2 - along], high[2 - along]), rng.uniform(low[1], 0.3)
        half = rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.0)
        inside = (axis == along) & (np.sign(rays[..., along]) == side)
        inside &= (np.abs(u - centre[0]) < half[0]) & (np.abs(v - centre[1]) < half[1])
        # Daylight in a window is many times as light as a wall.
        colour[inside] = rng.uniform(2, 6) if rng.random() < 0.4 else rng.uniform(0, 1, 3)
    for _ in range(int(rng.integers(2, 14))):
        size = np.array([rng.uniform(0.2, 1.2), rng.uniform(0.2, high[1] + 0.6), rng.uniform(0.2, 1.2)])
        away, turn = rng.uniform(0.9, 5.0), rng.uniform(0, 2 * np.pi)
        foot = np.array([away * np.sin(turn), high[1], away * np.cos(turn)])
        inner = np.clip(foot, low + 0.1, high - 0.1)
        corner = np.array([inner[0], high[1] - size[1], inner[2]])
        colour, distance = _box(rays, corner, corner + size, rng.uniform(0.05, 0.9, 3), colour, distance, rng)
    lamp = np.array([rng.uniform(low[0], high[0]), low[1] * 0.9, rng.uniform(low[2], high[2])])
    square = ((rays * distance[..., None] - lamp) ** 2).sum(axis=-1)
    light = rng.uniform(0.3, 0.8) + rng.uniform(0.5, 3) / (1 + square / rng.uniform(1, 8))
    texture = 1 + 0.05 * _waves(rays * distance[..., None], rng.uniform(0.2, 1), rng)
    return colour * (light * texture)[..., None], distance


def _open_place(rays: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sky, hills, ground, and what stands on it."""
    day = rng.random() < 0.85
    sun = np.array([0.0, -np.sin(rng.uniform(0.02, 1.2)), 0.0])
    turn = rng.uniform(0, 2 * np.pi)
    sun[[0, 2]] = np.sqrt(1 - sun[1] ** 2) * np.array([np.sin(turn), np.cos(turn)])
    low_sun = np.exp(-6 * -sun[1])
    colour = _sky(rays, sun, low_sun, rng)
    distance = np.full(rays.shape[:-1], FARTHEST)
    longitude = np.arctan2(rays[..., 0], rays[..., 2])
    edge = np.abs(sum(
        rng.normal(0, rng.uniform(0, 0.15) / k) * np.cos(k * longitude + rng.uniform(0, 2 * np.pi)) for k in range(1, 9)
    ))  # fmt: skip
    hill = (-rays[..., 1] < edge) & (-rays[..., 1] >= 0)
    green = np.array([0.25, 0.35, 0.15]) * rng.uniform(0.4, 1.5)
    colour[hill] = 0.5 * green + 0.5 * np.array([0.5, 0.6, 0.75]) * rng.uniform(0.3, 1)
    distance[hill] = rng.uniform(150, 800)
    eye = rng.uniform(1.2, 6)
    below = rays[..., 1] > 1e-3
    ground = np.where(below, eye / np.maximum(rays[..., 1], 1e-3), FARTHEST)
    point = rays * np.minimum(ground, 300)[..., None]
    base = green if rng.random() < 0.5 else rng.uniform(0.15, 0.7) * (1 + rng.normal(0, 0.1, 3))
    shade = base * (1 + rng.uniform(0.02, 0.3) * _waves(point, rng.uniform(1, 8), rng))[..., None]
    if rng.random() < 0.6:
        across = np.array([np.cos(turn + 1), 0, np.sin(turn + 1)])
        way = np.abs(point @ across + rng.normal(0, 2)) < rng.uniform(1, 5)
        shade = np.where(way[..., None], rng.uniform(0.15, 0.7), shade)
    far = np.exp(-np.minimum(ground, 300) / rng.uniform(60, 400))[..., None]
    horizon = colour[rays.shape[0] // 2 - 1][None]
    colour = np.where(below[..., None], shade * far + (1 - far) * horizon, colour)
    distance = np.where(below, np.minimum(ground, FARTHEST), distance)
    for _ in range(int(rng.integers(0, 16))):
        away, about = np.exp(rng.uniform(np.log(4), np.log(60))), rng.uniform(0, 2 * np.pi)
        foot = np.array([away * np.sin(about), eye, away * np.cos(about)])
        if rng.random() < 0.5:
            size = np.array([rng.uniform(2, 20), rng.uniform(2, 15), rng.uniform(2, 20)])
            corner = foot - np.array([size[0] / 2, size[1], size[2] / 2])
            if np.all(corner[[0, 2]] < 0.5) and np.all((corner + size)[[0, 2]] > -0.5):
                continue  # one would stand inside
            paint = rng.uniform(0.2, 0.9) * (1 + rng.normal(0, 0.15, 3))
            colour, distance = _box(rays, corner, corner + size, paint, colour, distance, rng)
        else:
            tall = rng.uniform(2, 8)
            leaves = green * rng.uniform(0.4, 1.6) * (1 + rng.normal(0, 0.15, 3))
            centre = foot - np.array([0, tall * 0.8, 0])
            colour, distance = _ball(
                rays, centre, tall * rng.uniform(0.3, 0.6), leaves, colour, distance, rng
            )
    warm = 1 + low_sun * np.array([0.25, 0.0, -0.25])
    if not day:
        lights = np.maximum(_waves(rays, 0.15, rng), 1.6) - 1.6
        colour = colour * 0.2 + lights[..., None] * np.array([1.5, 1.1, 0.6]) * (np.abs(rays[..., 1:2]) < 0.3)
    return np.maximum(colour * warm, 0), distance


def _sky(rays: Array, sun: Array, low_sun: float, rng: np.random.Generator) -> Array:
    """Light of the sky: bluer upwards, lighter towards the sun, with clouds or overcast."""
    up = np.clip(-rays[..., 1], 0, 1)[..., None]
    zenith = np.array([0.2, 0.4, 0.85]) * rng.uniform(0.4, 1.3)
    rim = np.array([0.85, 0.85, 0.9]) * rng.uniform(0.6, 1.4) + low_sun * np.array([0.5, 0.1, -0.3])
    light = zenith + (rim - zenith) * np.exp(-up * rng.uniform(2, 6))
    towards = np.clip(rays @ sun, 0, 1)[..., None]
    light = light + rng.uniform(0.2, 1.5) * towards ** rng.uniform(3, 12) + 4 * towards**400
    cover = rng.uniform(-2.5, 1.5)
    stretched = rays / (0.15 + up)
    noise = _waves(stretched, rng.uniform(0.6, 2.5), rng) + 0.5 * _waves(stretched, 0.4, rng)
    cloud = (1 / (1 + np.exp(-3 * (noise + cover))))[..., None]
    return np.asarray(light + cloud * (rng.uniform(0.5, 1.2) - light) * 0.9)


def _box(
    rays: Array,
    low: Array,
    high: Array,
    paint: Array,
    colour: Array,
    distance: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """A solid box between two corners, by the slab method (Kay and Kajiya 1986), each face lit in its own way."""
    safe = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    enter, leave = np.minimum(low / safe, high / safe), np.maximum(low / safe, high / safe)
    near = enter.max(axis=-1)
    hit = (near < leave.min(axis=-1)) & (near > 0.2) & (near < distance)
    shade = rng.uniform(0.4, 1.2, 3)[enter.argmax(axis=-1)]
    if rng.random() < 0.5:
        point = rays * near[..., None]
        rows = np.mod(point[..., 1] / rng.uniform(0.5, 3), 1) < 0.5
        shade = shade * np.where(
            rows & (np.mod(point[..., 0] + point[..., 2], 2) < 1), rng.uniform(0.3, 1.3), 1
        )
    lit: Any = paint * shade[..., None]
    return np.where(hit[..., None], lit, colour), np.where(hit, near, distance)


def _ball(
    rays: Array,
    centre: Array,
    radius: float,
    paint: Array,
    colour: Array,
    distance: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """A rough ball, lighter above than below: the crown of a tree."""
    along = rays @ centre
    rough = radius * (1 + 0.15 * _waves(rays, 0.1, rng))
    square = along**2 - centre @ centre + rough**2
    near = along - np.sqrt(np.maximum(square, 0))
    hit = (square > 0) & (near > 0.5) & (near < distance)
    upper = np.clip((centre[1] - rays[..., 1] * near) / np.maximum(rough, 1e-3), -1, 1)
    lit = paint * (0.7 + 0.5 * upper + 0.15 * _waves(rays, 0.05, rng))[..., None]
    return np.where(hit[..., None], lit, colour), np.where(hit, near, distance)
