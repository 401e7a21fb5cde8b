"""Trees, bushes and twigs as cut-out pictures, drawn anew for each view."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.outdoors.canvas import Colour
from clairvoy.imaging.synthesis.outdoors.noise import SIDE, Floats, Tile
from clairvoy.imaging.synthesis.outdoors.season import Season
from clairvoy.imaging.synthesis.outdoors.sky import Light

Mask = npt.NDArray[np.bool_]
"""Which pixels belong to a thing."""
PICTURE = 144
"""Height of a tree's picture, in pixels."""


def draw_tree(season: Season, light: Light, rough: Tile, rng: np.random.Generator) -> Floats:
    """A tree (h, w, 4), lit: in leaf, bare, or a conifer."""
    kind = rng.random()
    if kind < 0.25:
        return _conifer(season, light, rough, rng)
    if season.bare or kind < 0.32:
        return _bare(season, light, rng)
    return _leafy(season, light, rough, rng)


def _leafy(season: Season, light: Light, rough: Tile, rng: np.random.Generator) -> Floats:
    tall, wide = PICTURE, int(PICTURE * rng.uniform(0.55, 1.0))
    trunk = _limbs(tall, wide, rng, depth=5)
    crown = np.full((tall, wide), -9.0, np.float32)
    v, u = np.mgrid[0:tall, 0:wide].astype(np.float32)
    foot = rng.uniform(0.55, 0.9) * tall
    lit = np.zeros((tall, wide), np.float32)
    for _ in range(int(rng.integers(7, 16))):
        radius = rng.uniform(0.1, 0.24) * wide
        x = wide / 2 + rng.normal(0, 0.2) * wide
        y = rng.uniform(radius, max(radius + 1, foot - radius))
        x = np.clip(x, radius * 0.8, wide - radius * 0.8)
        ball = 1 - ((u - x) ** 2 + (v - y) ** 2) / radius**2
        front = ball > crown
        # Each clump is brighter on top and on the side of the sun.
        side = np.clip((0.7 * (y - v) + 0.5 * light.sun[0] * (u - x)) / radius, -1, 1)
        lit = np.where(front, side, lit)
        crown = np.maximum(crown, ball)
    noise = _noise(rough, tall, wide, rng)
    solid = crown + 0.45 * noise > 0.1
    shade = np.clip(0.75 + 0.38 * lit + 0.28 * noise, 0.1, 2)[..., None]
    colour = season.leaf * rng.uniform(0.7, 1.3) * shade * light.on(0.0, 0.7, -0.5)
    bark = season.bark * light.on(0.0, 0.1, -0.9)
    rgb = np.where(solid[..., None], colour, bark)
    return _premultiplied(rgb, solid | trunk)


def _conifer(season: Season, light: Light, rough: Tile, rng: np.random.Generator) -> Floats:
    tall, wide = PICTURE, int(PICTURE * rng.uniform(0.3, 0.5))
    v, u = np.mgrid[0:tall, 0:wide].astype(np.float32)
    t, side = v / tall, np.abs(u - wide / 2) / (wide / 2)
    noise = _noise(rough, tall, wide, rng)
    tiers = (t * rng.uniform(7, 12)) % 1
    solid = (side < t**0.85 * (0.7 + 0.25 * tiers) + 0.06 * noise) & (
        t < 0.9 + 0.03 * noise - 0.1 * (1 - side)
    )
    trunk = (side < 0.07) & (t > 0.5)
    shade = np.clip(0.65 + 0.5 * tiers * np.sign(0.4 + light.sun[0]) * 0.6 + 0.3 * noise, 0.15, 2)[..., None]
    colour = season.needle * shade * light.on(0.0, 0.6, -0.6)
    if season.snowy:
        colour = np.where((tiers < 0.3)[..., None], 0.6 * light.on(0.0, 1.0, 0.0), colour)
    return _premultiplied(
        np.where(solid[..., None], colour, season.bark * light.on(0.0, 0.1, -0.9)), solid | trunk
    )


def _bare(season: Season, light: Light, rng: np.random.Generator) -> Floats:
    tall, wide = PICTURE, int(PICTURE * rng.uniform(0.7, 1.0))
    solid = _limbs(tall, wide, rng, depth=8)
    return _premultiplied(
        np.broadcast_to(season.bark * light.on(0.0, 0.1, -0.9), (tall, wide, 3)).copy(), solid
    )


def _limbs(tall: int, wide: int, rng: np.random.Generator, depth: int) -> Mask:
    """Where trunk and limbs are, (tall, wide) bool: each splits into two or three, shorter and thinner ones."""
    drawn = np.zeros((tall, wide), np.uint8)
    ends = np.array([[wide / 2, tall - 1.0]])
    angles, length, thick = np.array([rng.normal(0, 0.06)]), tall * rng.uniform(0.17, 0.26), tall / 28
    for _ in range(depth):
        step = length * rng.uniform(0.7, 1.2, len(ends))
        tips = ends + np.stack([np.sin(angles), -np.cos(angles)], axis=1) * step[:, None]
        segments = np.stack([ends, tips], axis=1)
        cv2.polylines(drawn, list((segments * 16).astype(np.int32)), False, 1, max(1, round(thick)), shift=4)
        ends, length, thick = np.repeat(tips, 2, axis=0), length * 0.78, thick * 0.62
        angles = np.repeat(angles, 2) * 0.93 + np.tile([-1.0, 1.0], len(angles)) * rng.uniform(
            0.1, 0.7, 2 * len(angles)
        )
    return np.asarray(drawn.astype(bool))


def _noise(rough: Tile, tall: int, wide: int, rng: np.random.Generator) -> Floats:
    top, left = rng.integers(0, SIDE - PICTURE, 2)
    part = rough[0][top : top + tall, left : left + wide]
    # The slow part belongs to hills: a crown is all fine.
    fine = part - cv2.blur(part, (15, 15))
    return np.asarray(fine / max(float(fine.std()), 1e-3), np.float32)


def _premultiplied(rgb: Floats, solid: Mask) -> Floats:
    """RGB and alpha (h, w, 4), colour times alpha, so that scaling does not bleed what is outside in."""
    alpha = solid.astype(np.float32)[..., None]
    return np.concatenate([rgb.astype(np.float32) * alpha, alpha], axis=-1)


def draw_twig(
    season: Season, light: Light, height: int, width: int, rng: np.random.Generator
) -> tuple[Mask, Floats]:
    """A branch that hangs into the view: which pixels (H, W) bool are its, and their colour (H, W, 3), lit."""
    stems, leaves = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    size = max(height, width)
    from_left = rng.random() < 0.5
    start = np.array([-0.05 * width if from_left else 1.05 * width, rng.uniform(-0.1, 0.45) * height])
    heading = rng.uniform(-0.3, 0.6)
    ends, angles = np.array([start]), np.array([heading if from_left else np.pi - heading])
    thick, step = size * rng.uniform(0.006, 0.03), size * rng.uniform(0.06, 0.13)
    hung: list[Floats] = []
    for _ in range(int(rng.integers(5, 8))):
        tips = ends + np.stack([np.cos(angles), np.sin(angles)], axis=1) * step
        segments = (np.stack([ends, tips], axis=1) * 16).astype(np.int32)
        cv2.polylines(stems, list(segments), False, 1, max(1, round(thick)), shift=4)
        hung.append(((ends + tips) / 2).astype(np.float32))
        hung.append(tips.astype(np.float32))
        split = rng.random(len(tips)) < 0.6
        extra = int(split.sum())
        turn = rng.uniform(0.3, 0.8, extra) * rng.choice([-1, 1], extra)
        ends = np.concatenate([tips, tips[split]])
        angles = np.concatenate([angles + rng.normal(0, 0.2, len(tips)), angles[split] + turn])
        thick, step = thick * 0.72, step * 0.9
    colour = np.broadcast_to(season.bark * light.on(0.0, 0.2, -0.8), (height, width, 3)).astype(np.float32)
    if not season.bare:
        colour = _leaves(leaves, np.concatenate(hung), colour, season.leaf, light, size, rng)
    return np.asarray((stems | leaves).astype(bool)), colour


def _leaves(
    leaves: npt.NDArray[np.uint8], places: Floats, colour: Floats, leaf: Colour, light: Light, size: int,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Draw leaves around places (N, 2) into `leaves`; return the colour with theirs."""
    colour = colour.copy()
    length = size * rng.uniform(0.008, 0.035)
    slim = rng.uniform(0.25, 0.7)
    places = places[rng.permutation(len(places))[:250]]
    for x, y in places + rng.normal(0, 1.2 * length, places.shape):
        axes = max(1, round(length)), max(1, round(length * slim))
        at, turn = (int(x), int(y)), float(rng.uniform(0, 180))
        # Some leaves let the light through.
        shade = leaf * light.on(0.0, float(rng.uniform(-0.3, 1)), -0.3) * rng.uniform(0.5, 1.7)
        cv2.ellipse(leaves, at, axes, turn, 0, 360, 1, -1)
        cv2.ellipse(colour, at, axes, turn, 0, 360, [float(c) for c in np.ravel(shade)], -1)
    return colour
