"""The ablation as a picture: for each measure, the seeds of each arm, their interquartile mean and its interval."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clairvoy.drawing.palette import PAPER, PAPER_INK, PAPER_LINE, PAPER_MUTED, PAPER_SERIES, Colour
from clairvoy.evaluation.ablation import APART, MEASURES, Ablation

SCALE = 2
"""Everything is drawn this many times larger than its numbers say, for sharp screens."""
LABELS, PANEL, GAP, TOP, ROW, BOTTOM = 178, 236, 26, 62, 38, 62
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw(ablation: Ablation) -> np.ndarray:
    """Draw RGB pixels (H, W, 3) uint8."""
    arms, names = ablation.arms(), list(MEASURES)
    width = LABELS + len(names) * (PANEL + GAP)
    height = TOP + len(arms) * ROW + BOTTOM
    image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    for index, arm in enumerate(arms):
        _text(pen, LABELS - 14, TOP + (index + 0.5) * ROW, arm, 14, PAPER_SERIES[index], "rm")
    for column, name in enumerate(names):
        _panel(pen, LABELS + column * (PANEL + GAP), ablation, name)
    caption = (
        "Small dots: seeds. Large: interquartile mean. Bar: 95 % bootstrap interval. "
        "Below the axis: both over apart, seed by seed."
    )
    _text(pen, LABELS, height - 10, caption, 11, PAPER_MUTED, "ls")
    return np.asarray(image)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers in [low, high], at most `most` of them, at steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * unit for unit in (1, 2, 5, 10, 20) if span / (power * unit) < most)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _panel(pen: ImageDraw.ImageDraw, left: int, ablation: Ablation, name: str) -> None:
    arms = ablation.arms()
    bottom = TOP + len(arms) * ROW
    scores = [value for arm in arms for value in ablation.scores(arm, name)]
    levels = [ablation.level(arm, name) for arm in arms]
    low = min(*scores, *(level.low for level in levels))
    high = max(*scores, *(level.high for level in levels))
    margin = 0.08 * max(high - low, 1e-6)
    low, high = low - margin, high + margin

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * PANEL

    title, _, unit = MEASURES[name].partition(" [")
    _text(pen, left, TOP - 34, title, 13, PAPER_INK, "lm")
    _text(pen, left, TOP - 16, unit.rstrip("]") or "larger is better", 11, PAPER_MUTED, "lm")
    for tick in ticks(low, high):
        _line(pen, across(tick), TOP, across(tick), bottom, PAPER_LINE, 1)
        _text(pen, across(tick), bottom + 6, f"{tick:g}", 11, PAPER_MUTED, "mt")
    for index, (arm, level) in enumerate(zip(arms, levels, strict=True)):
        y = TOP + (index + 0.5) * ROW
        colour = PAPER_SERIES[index]
        pale: Colour = tuple(round(0.45 * part + 0.55 * 255) for part in colour)  # type: ignore[assignment]
        for value in ablation.scores(arm, name):
            _dot(pen, across(value), y - 8, 2.4, pale)
        _line(pen, across(level.low), y + 3, across(level.high), y + 3, colour, 3)
        _dot(pen, across(level.value), y + 3, 5, colour)
    _line(pen, left, bottom, left + PANEL, bottom, PAPER_MUTED, 1)
    if {"both", APART} <= set(arms):
        gain = ablation.gain("both", name)
        form = "+.3f" if name == "f1" else "+.2f"
        label = f"{gain.value:{form}} [{gain.low:{form}}, {gain.high:{form}}]"
        _text(pen, left, bottom + 24, label, 12, PAPER_INK if gain.low > 0 else PAPER_MUTED, "lt")


def _text(
    pen: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: Colour, anchor: str
) -> None:
    font: Font = ImageFont.load_default(size * SCALE)
    pen.text((x * SCALE, y * SCALE), text, fill=colour, font=font, anchor=anchor)


def _line(
    pen: ImageDraw.ImageDraw, x0: float, y0: float, x1: float, y1: float, colour: Colour, wide: float
) -> None:
    ends = [(round(x0 * SCALE), round(y0 * SCALE)), (round(x1 * SCALE), round(y1 * SCALE))]
    pen.line(ends, fill=colour, width=round(wide * SCALE))


def _dot(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
    pen.ellipse(box, fill=colour)
