"""A dream to look at: what the game does above what the generator dreams, frame by frame or as curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from clairvoy.drawing.palette import BLUE, GROUND, ORANGE, RED, TEXT, Colour
from clairvoy.drawing.palette import LINE as EDGE
from clairvoy.drawing.plane_pictures import picture_of
from clairvoy.drawing.png import picture_png
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.scenarios.world.dream import Dream, dream
from clairvoy.scenarios.world.scenario import WorldScenario

STEPS = 8
"""Steps of a dream of frames, one picture each."""
LONG_STEPS = 40
"""Steps of a dream of numbers, drawn as curves."""
BEGIN = 10
"""Steps into the episode that a dream begins after."""
SEED = 77
"""Of the episode: the same at every look, so that one sees the dream improve."""
SIDE, GAP, LABEL, LINE = 120, 8, 58, 22
"""Pixels: of a frame, between two, of the names of the rows, of a line of text."""
CURVE_WIDTH, CURVE_HEIGHT, CURVES = 420, 118, 6
GAME, DREAM, END = BLUE, ORANGE, RED


def dream_pictures(scenario: WorldScenario, environment: BatchedEnvironment) -> dict[str, bytes]:
    """`dream.png`, and `dream.json` with what it shows in numbers; nothing before there is a generator.

    Frames: the upper row is the game, the lower one the dream; it stops where an end is dreamed. Curves: one for each
    number that is seen, six at most, the game blue and the dream orange. For `dream.json` see `dream_numbers`.
    """
    learner = scenario.learner
    if learner is None:
        return {}
    numbers = learner.outcomes.sight == "numbers"
    dreamed = dream(scenario, environment, LONG_STEPS if numbers else STEPS, BEGIN, SEED)
    if dreamed is None:
        return {}
    picture = curves(dreamed) if numbers else rows(dreamed)
    return {"dream.png": picture_png(picture), "dream.json": json.dumps(dream_numbers(dreamed)).encode()}


def dream_numbers(dreamed: Dream) -> dict[str, Any]:
    """What a program needs to show a dream.

    ``begin`` (steps before it), ``tau`` (of each step, or null), ``rewards`` and ``ended`` (of ``game`` and ``dream``
    each); for numbers ``game`` and ``dream``, lists by number, six at most, then by step; for frames ``frames``: where
    in `dream.png` the frames of ``game`` and ``dream`` lie, (left, top) each, their ``side`` there, and how many
    ``cells`` one has, (height, width).
    """
    shared: dict[str, Any] = {
        "begin": dreamed.begin,
        "tau": None if dreamed.tau is None else dreamed.tau.double().tolist(),
        "rewards": {
            "game": dreamed.rewards.double().tolist(),
            "dream": dreamed.dreamed_rewards.double().tolist(),
        },
        "ended": {"game": dreamed.ended, "dream": dreamed.dreamed_end},
    }
    both = {"game": dreamed.game, "dream": dreamed.dream}
    if dreamed.game.is_floating_point():
        return shared | {name: seen.flatten(1)[:, :CURVES].T.double().tolist() for name, seen in both.items()}
    places = {
        name: [_corner(row, column) for column in range(len(seen))]
        for row, (name, seen) in enumerate(both.items())
    }
    return shared | {"frames": {"side": SIDE, "cells": list(dreamed.game.shape[-2:]), **places}}


# Frames.


def rows(dreamed: Dream) -> np.ndarray:
    """The game's frames above the dream's, (H, W, 3) uint8, with steps, rewards, ends and tau."""
    frames = len(dreamed.game)
    _, bottom = _corner(2, 0)
    picture = Image.new("RGB", (LABEL + frames * (SIDE + GAP) + GAP, bottom), GROUND)
    draw = ImageDraw.Draw(picture)
    each = (
        ("game", GAME, dreamed.game, dreamed.rewards, None, dreamed.ended),
        ("dream", DREAM, dreamed.dream, dreamed.dreamed_rewards, dreamed.tau, dreamed.dreamed_end),
    )
    for row, (name, colour, seen, rewards, tau, ended) in enumerate(each):
        _write(draw, (GAP, _corner(row, 0)[1] + SIDE // 2), name, colour, "lm", 16)
        for column in range(frames):
            left, top = _corner(row, column)
            if row == 0:
                step = f"{'step ' if column == 0 else ''}{dreamed.begin + column}"
                _write(draw, (left + SIDE // 2, top - LINE // 2), step, TEXT)
            if column >= len(seen):
                draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline=EDGE)
                continue
            picture.paste(_frame(seen[column]), (left, top))
            draw.rectangle((left - 1, top - 1, left + SIDE, top + SIDE), outline=EDGE)
            if column:
                last = ended and column == len(seen) - 1
                _caption(draw, left, top + SIDE, rewards, tau, column - 1, last)
    return np.asarray(picture)


def _caption(
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    rewards: Tensor,
    tau: Tensor | None,
    step: int,
    last: bool,
) -> None:
    """What is to be said about the step that led to a frame, under it."""
    said = [f"tau {float(tau[step]):.2f}"] if tau is not None else []
    if abs(float(rewards[step])) >= 0.05:
        said.append(f"{float(rewards[step]):+.2g}")
    if last:
        said.append("end")
    _write(draw, (left + SIDE // 2, top + LINE // 2), "  ".join(said), END if last else TEXT)


def _corner(row: int, column: int) -> tuple[int, int]:
    """Left and top of a frame."""
    return LABEL + column * (SIDE + GAP), LINE + row * (SIDE + LINE + GAP)


def _frame(seen: Tensor) -> Image.Image:
    """SIDE pixels across."""
    return Image.fromarray(picture_of(seen)).resize((SIDE, SIDE), Image.Resampling.NEAREST)


# Curves.


class _Line(NamedTuple):
    """A curve of one panel: values from some step on, and whether it stops at an end."""

    first: int
    values: Sequence[float]
    colour: Colour
    ended: bool = False


def curves(dreamed: Dream) -> np.ndarray:
    """A panel for each of the first numbers, for reward and for tau, (H, W, 3) uint8, under a legend."""
    both, ends = dream_numbers(dreamed), (dreamed.ended, dreamed.dreamed_end)
    colours, steps = (GAME, DREAM), len(dreamed.game) - 1
    panels: list[tuple[str, list[_Line], list[float]]] = []
    for index in range(len(both["game"])):
        lines = [
            _Line(0, both[name][index], colour, end)
            for name, colour, end in zip(("game", "dream"), colours, ends, strict=True)
        ]
        panels.append((f"observation {index}", lines, []))
    # Drawn from 0, or the noise of a reward that is always 1 would fill its panel.
    rewards = both["rewards"]
    panels.append(("reward", [_Line(1, rewards["game"], GAME), _Line(1, rewards["dream"], DREAM)], [0.0]))
    if both["tau"]:
        panels.append(("tau", [_Line(1, both["tau"], TEXT)], [0.0, 1.0]))
    across = min(2, len(panels))
    picture = Image.new(
        "RGB", (across * CURVE_WIDTH, LINE + -(-len(panels) // across) * CURVE_HEIGHT + GAP), GROUND
    )
    draw = ImageDraw.Draw(picture)
    _legend(draw, dreamed, steps)
    for place, (title, lines, shown) in enumerate(panels):
        left, top = place % across * CURVE_WIDTH, LINE + place // across * CURVE_HEIGHT
        _panel(draw, left, top, title, lines, shown, steps)
    return np.asarray(picture)


def _legend(draw: ImageDraw.ImageDraw, dreamed: Dream, steps: int) -> None:
    middle, left = LINE // 2 + 1, GAP
    for name, colour in (("game", GAME), ("dream", DREAM)):
        draw.line((left, middle, left + 18, middle), fill=colour, width=3)
        _write(draw, (left + 24, middle), name, colour, "lm")
        left += 84
    said = f"steps {dreamed.begin} to {dreamed.begin + steps} of an episode"
    if dreamed.dreamed_end:
        said += f"; the dream ends at {dreamed.begin + len(dreamed.dream) - 1}"
    _write(draw, (left + 8, middle), said, TEXT, "lm")


def _panel(
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    title: str,
    lines: list[_Line],
    shown: list[float],
    steps: int,
) -> None:
    """Curves of one number in one scale, which reaches to what is `shown` besides."""
    values = [value for line in lines for value in line.values]
    _write(
        draw, (left + GAP, top + LINE // 2), f"{title}   {min(values):.3g} to {max(values):.3g}", TEXT, "lm"
    )
    low, high = min(values + shown), max(values + shown)
    frame = (left + GAP, top + LINE, left + CURVE_WIDTH - GAP, top + CURVE_HEIGHT - GAP)
    draw.rectangle(frame, outline=EDGE)
    for line in lines:
        number = np.arange(len(line.values)) + line.first
        level = (np.array(line.values) - low) / (high - low) if high > low else np.full(len(number), 0.5)
        x = frame[0] + 3 + number / max(1, steps) * (frame[2] - frame[0] - 6)
        y = frame[3] - 4 - level * (frame[3] - frame[1] - 8)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.line(points, fill=line.colour, width=2)
        if line.ended:
            right, down = points[-1]
            draw.ellipse((right - 4, down - 4, right + 4, down + 4), outline=END, width=2)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    colour: Colour,
    anchor: str = "mm",
    size: int = 13,
) -> None:
    draw.text(place, text, colour, ImageFont.load_default(size), anchor=anchor)
