"""Light in a rendered room, and what a camera makes of it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WARM, COOL = (1.0, 0.84, 0.62), (0.86, 0.95, 1.0)
"""Colour of the warmest lamp and of the coolest daylight, as a camera balanced in between records them."""
BLOWN = 0.5
"""Part of the photographs that are exposed for the dark things in the room, so that what is pale or lit turns white."""


def light_of_a_room(
    rays: Array, depth: Array, room: tuple[float, float, float, float], rng: np.random.Generator
) -> Array:
    """Light (H, W, 3) of one lamp and of daylight from everywhere, each white, warm or cool.

    Parameters
    ----------
    rays, depth
        Viewing rays (H, W, 3), x right, y down, z forward, one unit long along z, and distances along z (H, W), finite.
    room
        How far the walls are to the left and right, the ceiling up and the far wall ahead, as `depth` measures.
    rng
        Draws where the lamp hangs, how far it reaches and both colours.
    """
    left, right, up, far = room
    lamp = np.array([rng.uniform(-left, right), -up * rng.uniform(0.3, 1.0), rng.uniform(0, far)])
    point = rays * depth[..., None]
    square = ((point - lamp) ** 2).sum(axis=-1)
    reach = rng.uniform(1.2, 6.0) ** 2
    ambient = rng.uniform(0.12, 0.85)
    of_lamp = (1 - ambient) * reach / (reach + square)
    return np.asarray(ambient * light_colour(rng) + of_lamp[..., None] * light_colour(rng), dtype=np.float64)


def light_colour(rng: np.random.Generator) -> Array:
    """Between warm and white, or between cool and white; half of the cameras balance it away."""
    if rng.random() < 0.5:
        return np.ones(3)
    return 1 + rng.random() * (np.array(WARM if rng.random() < 0.75 else COOL) - 1)


def occlusion(depth: Array, rng: np.random.Generator) -> Array:
    """Part of the daylight (H, W) that reaches each place: less in corners, under tables and behind things.

    Screen-space ambient occlusion (Mittring 2007) in its simplest form: what lies deeper than its neighbourhood is
    in shade, by how many times the neighbourhood's distance it does.
    """
    shade = np.ones_like(depth)
    for share in (0.02, 0.06, 0.15):
        around = cv2.GaussianBlur(depth, (0, 0), share * max(depth.shape))
        deeper = np.clip(depth / np.maximum(around, 1e-3) - 1, 0, 1)
        shade = shade * (1 - rng.uniform(0.1, 0.7) * deeper)
    return np.asarray(shade, dtype=np.float64)


def expose(lit: Array, rng: np.random.Generator) -> Array:
    """Let the camera choose the exposure: a mean near mid grey and a soft end, or shadows that show and a blown white.

    Automatic exposure renders white rooms and dark ones nearly alike, so a room full of pale walls is not a picture
    full of white: without it every pale picture would be taken for a clear one.
    """
    target = np.clip(rng.normal(0.4, 0.1), 0.15, 0.7)
    gain = target / max(float(lit.mean()), 1e-3)
    # Cameras have a curve: steeper than light itself, with a foot in the dark.
    curve = rng.uniform(1.0, 1.5) if rng.random() < 0.6 else 1.0
    if rng.random() < BLOWN:
        white = max(float(np.quantile(lit, rng.uniform(0.8, 0.995))), 1e-3)
        return np.clip(lit * min(1 / white, 1.6 * gain), 0, 1) ** curve
    shoulder = 0.75
    exposed = lit * gain
    above = np.maximum(exposed - shoulder, 0)
    soft = np.minimum(exposed, shoulder) + (1 - shoulder) * (1 - np.exp(-above / (1 - shoulder)))
    return np.asarray(soft**curve, dtype=np.float64)
