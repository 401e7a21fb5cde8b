"""Thin and near things before a far view: twigs, railings, window frames, fences, grass. They have no haze on them."""

from __future__ import annotations

import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Canvas
from clairvoy.imaging.synthesis.outdoors.noise import Floats
from clairvoy.imaging.synthesis.outdoors.plants import draw_twig
from clairvoy.imaging.synthesis.outdoors.season import Season
from clairvoy.imaging.synthesis.outdoors.sky import Light


def _bar(x0: float, x1: float, y0: float, y1: float) -> Floats:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def paint_twig(canvas: Canvas, season: Season, light: Light, rng: np.random.Generator) -> None:
    """A branch that hangs in from one side, arm's length to a few steps away."""
    z = rng.uniform(0.8, 6)
    solid, colour = draw_twig(season, light, *canvas.shape, rng)
    sway = z * (1 + 0.1 * np.linspace(-1, 1, canvas.shape[1], dtype=np.float32))[None]
    canvas.paint(np.where(solid, sway, np.float32(np.inf)).astype(np.float32), colour)


def paint_railing(canvas: Canvas, light: Light, rng: np.random.Generator) -> None:
    """A railing across the view, up to below the eye."""
    z = rng.uniform(1, 5)
    shade = np.full(3, rng.choice([0.015, 0.05, 0.3, 0.6]), np.float32) * light.on(0.0, 0.3, -0.9)
    # Where its rail is seen: in the lower half of the view.
    row = rng.uniform(0.55, 0.95) * canvas.shape[0]
    top = canvas.eye - (row - canvas.horizon) * z / canvas.focal
    reach = z * 1.2 * max(canvas.shape) / canvas.focal
    middle = (canvas.shape[1] / 2 - canvas.centre) * z / canvas.focal
    left, right = middle - reach, middle + reach
    rail, foot = rng.uniform(0.02, 0.05), top - 1.05
    canvas.card(_bar(left, right, top - rail, top), z, shade * 1.2)
    if rng.random() < 0.6:
        canvas.card(_bar(left, right, foot, foot + rail), z, shade)
        thick, step = rng.uniform(0.008, 0.02), rng.uniform(0.1, 0.16)
        for x in np.arange(left, right, step):
            canvas.card(_bar(x, x + thick, foot, top), z + 0.001, shade)
    else:
        for k in range(1, 4):
            canvas.card(_bar(left, right, top - 0.3 * k - rail / 2, top - 0.3 * k), z, shade)
    for x in np.arange(left, right, rng.uniform(1.0, 2.2)):
        canvas.card(_bar(x, x + 0.05, foot - 0.5, top), z - 0.001, shade * 0.9)


def paint_frame(canvas: Canvas, light: Light, rng: np.random.Generator) -> None:
    """The frame of a window or a door that the picture is taken through, with glazing bars now and then."""
    height, width = canvas.shape
    depth = np.full((height, width), np.inf, np.float32)
    z, border = np.float32(rng.uniform(0.5, 2.5)), rng.uniform(0.02, 0.14) * min(height, width)
    for edge in range(4):
        if rng.random() < 0.7:
            thick = max(1, int(border * rng.uniform(0.5, 1.4)))
            strip = [depth[:thick], depth[-thick:], depth[:, :thick], depth[:, -thick:]][edge]
            strip[:] = z
    for _ in range(int(rng.integers(0, 3))):
        thick, at = max(1, int(border / 4)), rng.uniform(0.2, 0.8)
        if rng.random() < 0.5:
            depth[:, int(at * width) : int(at * width) + thick] = z
        else:
            depth[int(at * height) : int(at * height) + thick] = z
    shade = np.full(3, rng.choice([0.01, 0.05, 0.35]) * rng.uniform(0.6, 1.3), np.float32) * light.ambient
    canvas.paint(depth, shade * np.linspace(1.2, 0.8, width, dtype=np.float32)[None, :, None])


def paint_fence(canvas: Canvas, level: float, season: Season, light: Light, rng: np.random.Generator) -> None:
    """Posts and rails, or wire, across a field not far away, standing on ground of a height."""
    z, tall = rng.uniform(4, 25), rng.uniform(0.9, 1.5)
    wood = (season.bark * rng.uniform(0.8, 4)).astype(np.float32) * light.on(0.0, 0.3, -0.9)
    reach = 1.2 * z * max(canvas.shape) / canvas.focal
    middle = (canvas.shape[1] / 2 - canvas.centre) * z / canvas.focal
    post = rng.uniform(0.05, 0.1)
    for x in np.arange(middle - reach, middle + reach, rng.uniform(1.5, 3.5)):
        lean = rng.normal(0, 0.05)
        high = level + tall * rng.uniform(0.9, 1.1)
        canvas.card(
            np.array(
                [
                    (x - post, level - 1),
                    (x + post, level - 1),
                    (x + post + lean, high),
                    (x - post + lean, high),
                ]
            ),
            z,
            wood,
        )
    rails, thick = int(rng.integers(2, 5)), rng.choice([0.008, 0.05])
    for k in range(rails):
        y = level + tall * (k + 0.7) / rails
        canvas.card(_bar(middle - reach, middle + reach, y - thick, y + thick), z + 0.01, wood * 1.1)


def paint_grass(canvas: Canvas, season: Season, light: Light, rng: np.random.Generator) -> None:
    """Blades and stalks before the camera, along the lower border."""
    height, width = canvas.shape
    tall = rng.uniform(0.08, 0.4) * height
    for _ in range(int(rng.integers(25, 70))):
        z = rng.uniform(0.7, 2.5)
        column, up = rng.uniform(0, width), tall * rng.uniform(0.3, 1.0)
        x, metre = (column - canvas.centre) * z / canvas.focal, z / canvas.focal
        foot = canvas.height_of_row(height + 2, z)
        lean, thick = rng.normal(0, 0.25) * up * metre, rng.uniform(0.4, 1.2) * metre
        points = np.array([(x - thick, foot), (x + thick, foot), (x + lean, foot + up * metre)], np.float32)
        colour = (season.dry if rng.random() < 0.4 else season.grass) * rng.uniform(0.5, 1.5)
        canvas.card(points, z, colour * light.on(0.0, 0.6, -0.5))
