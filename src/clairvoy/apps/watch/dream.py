"""A dream in the terminal: what the game did beside what the generator went on to dream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from clairvoy.drawing.palette import LINE
from clairvoy.drawing.terminal_plot import beside, blocks, titled_plot

NUMBERS = 4
"""Numbers drawn, the first that are seen."""
HEIGHT = 3
"""Lines of a curve."""
MOST_ACROSS = 20
"""Pixels across a frame, where it has as many."""


def dream_lines(pictures: Path, width: int, *, braille: bool, colours: int) -> list[str]:
    """Lines of at most `width` characters that show the dream in a run's folder of pictures; none where none is.

    Numbers are curves, the game's on the left and the dream's on the right in the same scale. Frames are blocks, the game's
    above the dream's, where the terminal has colours. The last line names the file.
    """
    picture = pictures / "dream.png"
    try:
        numbers = json.loads((pictures / "dream.json").read_text())
        lines = (
            _frames(picture, numbers, width, colours)
            if "frames" in numbers
            else _curves(numbers, width, braille)
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, cv2.error):
        # Still to come, not of this version, or of another moment than the picture, which is then all there is.
        lines = []
    return [*lines, f"picture: {picture}"] if picture.exists() else []


def _curves(numbers: dict[str, Any], width: int, braille: bool) -> list[str]:
    each = (width - 3) // 2
    steps = len(numbers["game"][0])
    begin = int(numbers["begin"])
    lines = [*_said(numbers, width), ""]
    for index, (game, dream) in enumerate(zip(numbers["game"], numbers["dream"], strict=True)):
        if index == NUMBERS:
            break
        both = [*game, *dream]
        across, up = (begin, begin + steps - 1), (min(both), max(both))
        left, right = (
            titled_plot(
                f"{name} {index}", range(begin, begin + len(values)), values, each, HEIGHT,
                braille=braille, across=across, up=up,
            )
            for name, values in (("game", game), ("dream", dream))
        )  # fmt: skip
        lines += beside(left, right)
    return [*lines, ""]


def _frames(file: Path, numbers: dict[str, Any], width: int, colours: int) -> list[str]:
    if not colours:
        return [*_said(numbers, width), ""]
    picture = cv2.imread(str(file))
    if picture is None:
        return []
    frames = numbers["frames"]
    # One pixel for a cell where that is enough, and as many frames as there is room for.
    height, across = (min(int(cells), MOST_ACROSS) for cells in frames["cells"])
    count = min(len(frames["game"]), max(1, (width - 1) // (across + 1)))
    # Half blocks pair the lines: an even number, and a line of them between the two rows.
    down = height + height % 2
    strip = np.full((2 * down + 2, count * (across + 1), 3), LINE, dtype=np.uint8)
    for row, name in enumerate(("game", "dream")):
        for column, (left, top) in enumerate(frames[name][:count]):
            side = int(frames["side"])
            frame = picture[top : top + side, left : left + side, ::-1]
            place = row * (down + 2), column * (across + 1)
            strip[place[0] : place[0] + height, place[1] : place[1] + across] = cv2.resize(
                frame, (across, height), interpolation=cv2.INTER_AREA
            )
    return [
        *_said(numbers, width),
        "game above, dream below:",
        *blocks(strip, strip.shape[1], colours=colours),
    ]


def _said(numbers: dict[str, Any], width: int) -> list[str]:
    """Where in the episode it is, how long the dream went on, and how sure of itself it was."""
    begin, rewards, ended = int(numbers["begin"]), numbers["rewards"], numbers["ended"]
    game, dream = len(rewards["game"]), len(rewards["dream"])
    said = f"dream from step {begin}: {_steps(game, ended['game'], 'game')}"
    said += f", {_steps(dream, ended['dream'], 'dream')}"
    tau = numbers["tau"]
    if tau:
        said += f"; tau {tau[0]:.2f} to {tau[-1]:.2f}"
    return [said[:width]]


def _steps(count: int, ended: bool, whose: str) -> str:
    return f"{whose} {count} steps{' to its end' if ended else ''}"
