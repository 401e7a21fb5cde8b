"""A dream to look at: what the game does above what the generator dreams, frame by frame or as curves."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from clairvoy.imaging.plane_pictures import picture_of_planes
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.scenarios.dream import Dream, dream
from clairvoy.scenarios.world import WorldScenario

STEPS = 8
"""Steps of a dream of frames, one picture each."""
LONG_STEPS = 40
"""Steps of a dream of numbers, drawn as curves."""
BEGIN = 10
"""Steps into the episode that a dream begins after."""
SEED = 77
"""Of the episode: the same at every look, so that one sees the dream improve."""
SIDE, GAP = 120, 6
CURVE_WIDTH, CURVE_HEIGHT, CURVES = 420, 110, 6
GROUND, INK, GAME, DREAM = (24, 26, 30), (200, 204, 210), (110, 190, 255), (255, 160, 70)


def dream_pictures(scenario: WorldScenario, environment: BatchedEnvironment) -> dict[str, bytes]:
    """`dream.png`, and for a world of numbers `dream.json` with the same curves; nothing before there is a generator.

    Frames: the upper row is the game, the lower one the dream; it stops where an end is dreamed. Curves: one for each
    number that is seen, six at most, the game blue and the dream orange.
    """
    learner = scenario.learner
    if learner is None or scenario.tau.weights is None:
        return {}
    numbers = learner.outcomes.sight == "numbers"
    dreamed = dream(scenario, environment, LONG_STEPS if numbers else STEPS, BEGIN, SEED)
    if dreamed is None:
        return {}
    if numbers:
        return {"dream.png": _png(curves(dreamed)), "dream.json": json.dumps(series(dreamed)).encode()}
    return {"dream.png": _png(rows(dreamed))}


def series(dreamed: Dream) -> dict[str, list[list[float]]]:
    """The first numbers seen, of game and dream: lists by number, then by step."""
    both = {"game": dreamed.game, "dream": dreamed.dream}
    return {name: seen.flatten(1)[:, :CURVES].T.double().tolist() for name, seen in both.items()}


def rows(dreamed: Dream) -> np.ndarray:
    """The game's frames above the dream's, (H, W, 3) uint8, on a dark ground."""
    frames = len(dreamed.game)
    canvas = np.full((2 * SIDE + 3 * GAP, frames * (SIDE + GAP) + GAP, 3), GROUND, dtype=np.uint8)
    for row, seen in enumerate((dreamed.game, dreamed.dream)):
        for column, frame in enumerate(seen):
            top, left = GAP + row * (SIDE + GAP), GAP + column * (SIDE + GAP)
            canvas[top : top + SIDE, left : left + SIDE] = _frame(frame)
    return canvas


def curves(dreamed: Dream) -> np.ndarray:
    """A panel for each of the first numbers, (H, W, 3) uint8."""
    told = series(dreamed)
    count = len(told["game"])
    across = min(2, count)
    down = -(-count // across)
    picture = Image.new("RGB", (across * CURVE_WIDTH, down * CURVE_HEIGHT), GROUND)
    draw = ImageDraw.Draw(picture)
    for index in range(count):
        left, top = index % across * CURVE_WIDTH, index // across * CURVE_HEIGHT
        values = [*told["game"][index], *told["dream"][index]]
        low, span = min(values), max(max(values) - min(values), 1e-9)
        draw.text((left + 8, top + 4), f"number {index}   {low:.3g} to {low + span:.3g}", fill=INK)
        for name, colour in (("game", GAME), ("dream", DREAM)):
            line = told[name][index]
            x = left + 8 + np.arange(len(line)) / max(1, len(told["game"][index]) - 1) * (CURVE_WIDTH - 16)
            y = top + CURVE_HEIGHT - 8 - (np.array(line) - low) / span * (CURVE_HEIGHT - 32)
            draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=2)
    return np.asarray(picture)


def _frame(seen: Tensor) -> np.ndarray:
    """Planes of bits in colours, the newest of stacked frames in greys; (SIDE, SIDE, 3) uint8."""
    if seen.dtype == torch.bool:
        picture = picture_of_planes(seen.numpy())
    else:
        picture = np.repeat(seen[-1].numpy()[:, :, None], 3, axis=2)
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST))


def _png(picture: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()
