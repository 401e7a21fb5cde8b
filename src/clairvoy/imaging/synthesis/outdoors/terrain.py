"""Hills and mountains as a height field, seen ridge behind ridge, with meadow, forest, rock and snow on them.

The height field is cut along rays of equal depth, near to far, and each column of the view keeps the highest line
so far: the "voxel space" way of drawing (Freeman 1992), here for all columns at once and exact between the cuts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Canvas
from clairvoy.imaging.synthesis.outdoors.noise import Floats, Tile, sample, smoothstep
from clairvoy.imaging.synthesis.outdoors.season import Season
from clairvoy.imaging.synthesis.outdoors.sky import Light

CUTS = 140
"""Lines of equal depth at which a height field is looked up."""

Relief = Callable[[Floats, Floats], Floats]
"""Height in metres at x and z, any shape alike."""


@dataclass
class Land:
    """What of a height field is seen, pixel by pixel, in the rows from `first` down that it reaches, (h, W).

    Depth (infinite where it is not), x, height, and the normal's three parts.
    """

    first: int
    depth: Floats
    x: Floats
    height: Floats
    right: Floats
    up: Floats
    ahead: Floats


def see_land(canvas: Canvas, relief: Relief, near: float, far: float) -> Land:
    """Trace every ray to where it first meets a height field, between two depths in metres."""
    rows, columns = canvas.shape
    z = np.geomspace(near, far, CUTS, dtype=np.float32)[:, None]
    across = canvas.across()
    level = relief(across * z, np.broadcast_to(z, (CUTS, columns)))
    row = canvas.horizon - canvas.focal * (level - canvas.eye) / z
    # The first row that the lines up to this one cover; it never sinks again.
    edge = np.clip(np.ceil(np.minimum.accumulate(row, axis=0)), 0, rows).astype(np.int64)
    counts = np.bincount((edge * columns + np.arange(columns)).ravel(), minlength=(rows + 1) * columns)
    first = min(int(edge[-1].min()), rows - 1)
    covering = np.cumsum(counts.reshape(rows + 1, columns)[first:rows], axis=0)
    seen = covering > 0
    last = np.maximum(CUTS - np.maximum(covering, 1), 1)
    before = (last - 1) * columns + np.arange(columns)
    after = before + columns

    # How far the land lies below the ray at both cuts; it meets it where that is 0.
    down = canvas.down()[first:]
    clearance = canvas.eye - level
    z_before, z_after = z.ravel()[last - 1], z.ravel()[last]
    below = clearance.ravel()[before] - down * z_before
    above = clearance.ravel()[after] - down * z_after
    t = np.clip(below / np.where(below - above > 1e-9, below - above, 1), 0, 1)
    depth = z_before + t * (z_after - z_before)

    slope_right = np.gradient(level, axis=1) * (canvas.focal / z)
    slope_ahead = np.gradient(level, axis=0) / np.gradient(z, axis=0) - slope_right * across
    length = np.sqrt(1 + slope_right**2 + slope_ahead**2)
    normal = [
        part.ravel()[after].astype(np.float32)
        for part in (-slope_right / length, 1 / length, -slope_ahead / length)
    ]
    return Land(
        first,
        np.where(seen, depth, np.inf).astype(np.float32),
        (across * depth).astype(np.float32),
        (canvas.eye - down * depth).astype(np.float32),
        *normal,
    )


@dataclass(frozen=True)
class Cover:
    """What grows and lies on the land: heights in metres, the rest as parts from 0 to 1."""

    forest: float
    snow_line: float
    rock: float
    shore: float
    fields: float


def draw_cover(rng: np.random.Generator, season: Season) -> Cover:
    """Cover for a country, from bare rock to closed forest."""
    return Cover(
        forest=float(rng.uniform(0, 1)),
        snow_line=float(np.exp(rng.uniform(np.log(300), np.log(6000)))) if not season.snowy else -1e3,
        rock=float(rng.uniform(0, 1)),
        shore=float(rng.uniform(0, 3)),
        fields=float(rng.random() < 0.4),
    )


def paint_land(
    canvas: Canvas, land: Land, cover: Cover, season: Season, light: Light,
    noise: tuple[Tile, Tile, Tile], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Paint land in the colours of what lies on it.

    Parameters
    ----------
    noise
        Soft and rough noise, and the structure of a photograph.
    """
    soft, rough, structure = noise
    depth = np.where(np.isfinite(land.depth), land.depth, 1.0).astype(np.float32)
    x, z = land.x, depth
    # What a pixel covers of the ground: longer the flatter it is seen.
    grazing = np.clip(land.up * (canvas.eye - land.height) / depth + 0.3 * np.abs(land.ahead) + 0.02, 0.01, 1)
    footprint = depth / canvas.focal / np.sqrt(grazing)

    def patches(tile: Tile, metres: float) -> Floats:
        # Turned another way each time, so that no repetition falls on another.
        c, s = np.float32(np.cos(metres) / metres), np.float32(np.sin(metres) / metres)
        return sample(tile, c * x + s * z, c * z - s * x, footprint / np.float32(metres))

    grand, medium, fine = (
        patches(soft, rng.uniform(1500, 5000)),
        patches(rough, rng.uniform(150, 400)),
        patches(rough, rng.uniform(25, 70)),
    )
    turf: Floats = season.grass * (1 + 0.18 * medium + 0.15 * fine)[..., None]
    turf = turf + (season.dry - season.grass) * smoothstep(-0.5, 1.5, grand + 0.7 * medium)[..., None]
    if cover.fields:
        turf = turf + (_fields(x, z, soft, season, rng) - turf) * smoothstep(0.9, 0.98, land.up)[..., None]
    wooded = (grand + 0.9 * medium + np.float32(4 * cover.forest - 2.5)).astype(np.float32)
    trees = smoothstep(0, 0.25, wooded)
    leaves = season.forest * np.clip(1 + 0.35 * fine + 0.25 * medium, 0.25, 2)[..., None]
    colour = turf + (leaves - turf) * trees[..., None]
    steep = smoothstep(0.93 - 0.3 * (1 - cover.rock), 0.8 - 0.3 * (1 - cover.rock), land.up + 0.06 * medium)
    stone = season.rock * np.clip(1 + 0.3 * fine + 0.25 * medium, 0.3, 2)[..., None]
    colour = colour + (stone - colour) * steep[..., None]
    sand = smoothstep(cover.shore + 1e-3, 0.4 * cover.shore, land.height + 0.3 * cover.shore * fine)
    colour = colour + (season.sand * (1 + 0.1 * fine)[..., None] - colour) * sand[..., None]
    snow = smoothstep(
        -0.1, 0.15, (land.height - cover.snow_line) / 900 + 0.25 * medium + 0.6 * (land.up - 0.8)
    )
    if season.snowy:
        snow = snow * (1 - 0.55 * trees)
    colour = colour + (np.float32(0.85) - colour) * snow[..., None]
    # Coarse and fine: stubble and stones near by, hummocks further away.
    metres = rng.uniform(6, 20)
    colour = colour * patches(structure, metres) * patches(structure, metres / 7.7)
    # Broken ground turns more ways than the cuts show.
    bumps = np.float32(0.25) * (fine * (1 + trees) + medium)
    normal = land.right + bumps, land.up, land.ahead + np.float32(0.7) * bumps
    length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    shaded = light.on(*(part / length for part in normal))
    clouds = np.clip(1 - rng.uniform(0, 0.5) * smoothstep(-0.3, 0.6, -grand), 0.3, 1)
    canvas.paint(
        land.depth,
        np.clip(colour, 0.004, 1) * shaded * clouds[..., None],
        (slice(land.first, None), slice(None)),
    )


def _fields(x: Floats, z: Floats, soft: Tile, season: Season, rng: np.random.Generator) -> Floats:
    """Colour of a patchwork of fields, none of them quite square."""
    size, angle = rng.uniform(60, 250), rng.uniform(0, np.pi)
    bend = sample(soft, x / np.float32(900), z / np.float32(900))
    a = (x * np.cos(angle) + z * np.sin(angle)) / size + 0.4 * bend
    b = (z * np.cos(angle) - x * np.sin(angle)) / (size * 0.6) - 0.3 * bend
    number = (np.floor(a).astype(np.int64) * 7919 + np.floor(b).astype(np.int64) * 104729) % 16
    crops = season.grass + (season.dry - season.grass) * rng.uniform(-0.3, 1.3, (16, 1)).astype(np.float32)
    crops = np.clip(crops * rng.uniform(0.6, 1.5, (16, 1)).astype(np.float32), 0.01, 0.8)
    return np.asarray(crops[number], np.float32)
