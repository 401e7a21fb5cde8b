"""A sheet of water to the horizon: waves that shrink with distance, the sky and the far shore mirrored, glitter."""

from __future__ import annotations

import cv2
import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Canvas
from clairvoy.imaging.synthesis.outdoors.noise import Floats, Tile, sample
from clairvoy.imaging.synthesis.outdoors.sky import Light

FARTHEST_WATER = 30_000.0
"""In metres: the earth is round, and the sea ends."""


def paint_water(canvas: Canvas, light: Light, waves: Tile, rng: np.random.Generator, *, calm: float) -> None:
    """Paint a water plane at height 0 over what is behind it; it mirrors what is in the view so far.

    Parameters
    ----------
    waves
        Rough noise.
    calm
        0 for a rough sea to 1 for a still lake.
    """
    height, _ = canvas.shape
    first = int(np.clip(np.floor(canvas.horizon) + 1, 0, height))
    if first >= height:
        return
    rows = slice(first, height)
    plane = canvas.level_depth(0.0)[rows]
    depth = np.minimum(plane, FARTHEST_WATER).astype(np.float32)
    down = canvas.down()[rows]
    x = canvas.across() * depth
    z = np.broadcast_to(depth, x.shape)
    # A pixel covers depth / focal across, and many times that ahead, where it looks along the water.
    footprint = np.broadcast_to(depth / canvas.focal / np.sqrt(np.clip(down, 0.01, 1)), x.shape)
    swell = rng.uniform(40, 250)
    heading = rng.normal(0, 0.3)
    ripple: Floats = np.zeros_like(x)
    for metres, share, turn in (
        (swell, 0.9, heading),
        (swell / 7.3, 0.8, heading + 0.4),
        (swell / 41, 0.5, heading - 0.5),
    ):
        c, s = np.float32(np.cos(turn) / metres), np.float32(np.sin(turn) / metres)
        u, v = (c * x + s * z) / np.float32(2.2), c * z - s * x
        ripple = ripple + share * sample(waves, u, v, footprint / np.float32(metres))
    roughness = 0.25 * (1 - calm) + 0.015
    # Schlick (1994) for water, with waves that turn towards the eye and away.
    cosine = np.clip(np.abs(down) / np.sqrt(1 + down**2) + roughness * (0.6 + 0.5 * ripple), 0.02, 1)
    mirrored = np.asarray(0.02 + 0.98 * (1 - cosine) ** 5, np.float32)
    lift = canvas.focal * roughness * (0.35 + 0.35 * np.abs(ripple)) * (0.3 + down)
    source = 2 * canvas.horizon - np.arange(first, height, dtype=np.float32)[:, None] - lift
    columns = np.arange(canvas.shape[1], dtype=np.float32)[None] + 6 * roughness * ripple
    above = canvas.colour[: max(first, 1)]
    image = cv2.remap(
        above,
        np.broadcast_to(columns, x.shape).astype(np.float32),
        np.clip(source, 0, max(first - 1, 0)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    image = image + (light.ambient - image) * np.float32(0.55 * (1 - calm))
    body = np.array([0.02, rng.uniform(0.035, 0.08), rng.uniform(0.04, 0.09)], np.float32)
    lit = body * light.on(0.0, 1.0, 0.0) * rng.uniform(0.4, 1.3)
    colour = lit * (1 + 0.25 * ripple)[..., None] * (1 - mirrored[..., None]) + image * mirrored[..., None]
    colour = np.maximum(colour, 0) + _glitter(canvas, light, down, ripple, roughness)
    foam = (ripple > rng.uniform(2.6, 5)) & (calm < 0.4)
    colour = np.where(foam[..., None], np.float32(0.8) * light.on(0.0, 1.0, 0.0), colour)
    canvas.paint(np.asarray(z, np.float32), colour.astype(np.float32), (rows, slice(None)))


def _glitter(canvas: Canvas, light: Light, down: Floats, ripple: Floats, roughness: float) -> Floats:
    """Sparks of the sun (h, W, 3) where waves of the right slope are likely (Cox and Munk 1954)."""
    across = canvas.across()
    length = np.sqrt(1 + across**2 + down**2)
    # Halfway between the eye's ray and the sun's: the normal of a wave that mirrors the sun.
    right, up, ahead = (
        light.sun[0] - across / length,
        light.sun[1] + down / length,
        light.sun[2] - 1 / length,
    )
    slope = (right**2 + ahead**2) / np.maximum(up, 1e-3) ** 2
    spread = roughness + 0.03
    chance = np.exp(-slope / (2 * spread**2 + 0.01))
    spark = np.exp(2.2 * np.clip(ripple, -3, 2)) * 0.25
    return np.asarray((chance * spark)[..., None] * light.direct * 1.5, np.float32)
