"""Draw a place, a view of it and what is in it, and photograph it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage
from clairvoy.imaging.synthesis.outdoors.foreground import (
    paint_fence,
    paint_frame,
    paint_grass,
    paint_railing,
    paint_twig,
)
from clairvoy.imaging.synthesis.outdoors.landscape import paint_fields, paint_mountains, paint_wood
from clairvoy.imaging.synthesis.outdoors.photograph import develop, level_size, turn
from clairvoy.imaging.synthesis.outdoors.place import Place, draw_place
from clairvoy.imaging.synthesis.outdoors.seaside import paint_seaside
from clairvoy.imaging.synthesis.outdoors.street import paint_street, paint_town

KINDS = ("street", "town", "mountains", "fields", "wood", "sea")
SHARES = (0.25, 0.13, 0.2, 0.11, 0.08, 0.23)
"""Probability of each kind."""
SKY_BEYOND = (2.5, 6.0)
"""How many times further than the furthest thing the sky is: log-uniform range."""


def render_outdoors(
    textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator
) -> tuple[ByteImage, FloatImage]:
    """Draw an outdoor view in clear air and photograph it.

    Parameters
    ----------
    textures
        Photographs (H, W, 3) uint8 that the ground and walls take their structure from; at least one.
    height, width
        Of the view, in pixels.
    rng
        The source of all randomness.

    Returns
    -------
    rgb
        (height, width, 3) uint8.
    depth
        (height, width) float32, distance along the optical axis in metres, above 0; the sky has the largest.
    """
    rgb, depth, _, _ = render_outdoors_with_height(textures, height, width, rng)
    return rgb, depth


def render_outdoors_with_height(
    textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator
) -> tuple[ByteImage, FloatImage, FloatImage, float]:
    """Draw the view that `render_outdoors` draws, with what fog in layers needs to know of it.

    Returns
    -------
    rgb, depth
        As of `render_outdoors`.
    elevation
        (height, width) float32, height in metres above the street, the sea or the valley floor of what is seen; of the
        sky, that of the ray where it reaches the sky's depth.
    camera_height
        Of the camera above the same zero, in metres.
    """
    askew = float(rng.normal(0, 0.03)) if rng.random() < 0.5 else 0.0
    kind = str(rng.choice(KINDS, p=SHARES))
    place = _paint(kind, textures, *level_size(height, width, askew), rng)
    canvas = place.canvas
    sky = np.isinf(canvas.depth)
    furthest = float(canvas.depth[~sky].max()) if not sky.all() else 1000.0
    beyond = np.exp(rng.uniform(*np.log(SKY_BEYOND)))
    canvas.depth[sky] = np.float32(furthest * beyond)
    light, depth, elevation = turn([canvas.colour, canvas.depth, canvas.height()], height, width, askew)
    return develop(light, rng), depth, elevation, canvas.eye


def _paint(
    kind: str, textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator
) -> Place:
    """Paint a view of a kind, and what stands before it."""
    high = rng.random() < 0.25
    if kind == "street":
        place = draw_place(textures, height, width, rng, eye=float(rng.uniform(3, 9) if high else rng.uniform(1.2, 2.2)),
                           focal=(0.6, 1.8), horizon=(0.3, 0.68))  # fmt: skip
        paint_street(place, rng)
    elif kind == "town":
        place = draw_place(textures, height, width, rng, eye=float(np.exp(rng.uniform(np.log(18), np.log(90)))),
                           focal=(0.7, 2.5), horizon=(0.05, 0.45))  # fmt: skip
        paint_town(place, rng)
    elif kind == "mountains":
        place = draw_place(textures, height, width, rng, eye=float(rng.uniform(20, 250) if high else rng.uniform(1.5, 20)),
                           focal=(0.7, 3.0), horizon=(0.35, 0.85))  # fmt: skip
        paint_mountains(place, rng)
    elif kind in ("fields", "wood"):
        place = draw_place(textures, height, width, rng, eye=float(rng.uniform(3, 12) if high else rng.uniform(1.2, 3)),
                           focal=(0.7, 2.0), horizon=(0.25, 0.7))  # fmt: skip
        (paint_fields if kind == "fields" else paint_wood)(place, rng)
    else:
        place = draw_place(textures, height, width, rng, eye=float(rng.uniform(10, 50) if high else rng.uniform(1.3, 8)),
                           focal=(0.7, 2.5), horizon=(0.25, 0.7))  # fmt: skip
        paint_seaside(place, rng)
    _paint_foreground(kind, place, rng)
    return place


def _paint_foreground(kind: str, place: Place, rng: np.random.Generator) -> None:
    """Something near before the view, in nearly half of the pictures."""
    canvas, season, light = place.canvas, place.season, place.light
    if kind == "fields" and rng.random() < 0.4:
        paint_fence(canvas, 0.0, season, light, rng)
    choice = rng.random()
    if choice < 0.17:
        paint_twig(canvas, season, light, rng)
    elif choice < 0.25:
        paint_railing(canvas, light, rng)
    elif choice < 0.3:
        paint_frame(canvas, light, rng)
    elif choice < 0.4 and kind != "street":
        paint_grass(canvas, season, light, rng)
