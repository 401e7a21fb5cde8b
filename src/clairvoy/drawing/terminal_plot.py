"""Curves and pictures in a terminal: braille dots, half blocks in colour, or plain characters where it has neither."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TextIO

import cv2
import numpy as np

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille character, by row and column."""


Span = tuple[float, float]


def plot(
    x: Sequence[float],
    y: Sequence[float],
    width: int,
    height: int,
    *,
    braille: bool = True,
    across: Span | None = None,
    up: Span | None = None,
) -> list[str]:
    """Draw a curve on `height` lines of `width` characters; 2 x 4 dots in each with braille, else one ``*``.

    Parameters
    ----------
    x, y
        (n,) each, `x` increasing. Where several points share a column of dots, all show.
    width, height
        Characters, at least 1.
    braille
        Whether the terminal can show them.
    across, up
        What the width and the height stand for, lowest and highest; None: the curve fills them. It must lie within.
    """
    wide, high = (2, 4) if braille else (1, 1)
    dots = np.zeros((height * high, width * wide), dtype=bool)
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    if points:
        column = _scaled([a for a, _ in points], dots.shape[1], across)
        row = dots.shape[0] - 1 - _scaled([b for _, b in points], dots.shape[0], up)
        for k in range(len(points)):
            before = max(0, k - 1)
            steps = max(1, abs(column[k] - column[before]), abs(row[k] - row[before]))
            for step in range(steps + 1):
                part = step / steps
                dots[
                    round(row[before] + part * (row[k] - row[before])),
                    round(column[before] + part * (column[k] - column[before])),
                ] = True
    if not braille:
        return ["".join("*" if dot else " " for dot in line) for line in dots]
    lines = []
    for top in range(0, len(dots), 4):
        bits = np.zeros(width, dtype=np.int64)
        for r, columns in enumerate(_DOTS):
            for c, bit in enumerate(columns):
                bits += bit * dots[top + r, c::2]
        lines.append("".join(chr(0x2800 + int(value)) for value in bits))
    return lines


def titled_plot(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    width: int,
    height: int,
    *,
    braille: bool = True,
    across: Span | None = None,
    up: Span | None = None,
) -> list[str]:
    """`plot` under a line that says title, latest value and range; each line is exactly `width` characters."""
    known = [value for value in y if math.isfinite(value)]
    summary = f"{known[-1]:.3g}  ({min(known):.3g} to {max(known):.3g})" if known else "nothing yet"
    room = max(0, width - len(summary) - 1)
    head = f"{title[:room]:<{room}} {summary}"[:width]
    return [f"{head:<{width}}", *plot(x, y, width, height, braille=braille, across=across, up=up)]


def beside(left: Sequence[str], right: Sequence[str], gap: int = 3) -> list[str]:
    """Two blocks of as many lines side by side."""
    return [one + " " * gap + other for one, other in zip(left, right, strict=True)]


def blocks(picture: np.ndarray, width: int, *, colours: int) -> list[str]:
    """Draw RGB (H, W, 3) uint8 in upper half blocks, two pixels to a character.

    Parameters
    ----------
    picture
        Scaled to `width` characters, its aspect kept.
    width
        Characters.
    colours
        What the terminal can show: 2 ** 24 or 256.
    """
    height = max(2, 2 * round(picture.shape[0] / picture.shape[1] * width / 2))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    lines = []
    for top, bottom in zip(small[::2], small[1::2], strict=True):
        cells = [
            f"\x1b[38;{_code(one, colours)};48;{_code(other, colours)}m\u2580"
            for one, other in zip(top, bottom, strict=True)
        ]
        lines.append("".join(cells) + "\x1b[0m")
    return lines


def colours_of(stream: TextIO, environment: Mapping[str, str] | None = None) -> int:
    """How many colours a stream can show: 2 ** 24, 256, or 0 for none (a file, a pipe, NO_COLOR, a plain terminal)."""
    environment = os.environ if environment is None else environment
    if not stream.isatty() or environment.get("NO_COLOR") or not can_write(stream, "\u2580"):
        return 0
    if environment.get("COLORTERM") in ("truecolor", "24bit"):
        return 1 << 24
    return 256 if "256color" in environment.get("TERM", "") else 0


def can_write(stream: TextIO, text: str) -> bool:
    """Whether the encoding of a stream has these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _scaled(values: Sequence[float], count: int, span: Span | None) -> np.ndarray:
    """Whole numbers from 0 to count - 1, in proportion; the middle where all values are one."""
    low, high = span or (min(values), max(values))
    if high - low <= 1e-12 * max(1.0, abs(high)):
        return np.full(len(values), (count - 1) // 2)
    return np.asarray([round((value - low) / (high - low) * (count - 1)) for value in values])


def _code(colour: np.ndarray, colours: int) -> str:
    if colours > 256:
        return "2;{};{};{}".format(*map(int, colour))
    # The 6 x 6 x 6 cube of the 256 colours; its levels are 0, 95, 135, 175, 215, 255.
    red, green, blue = (0 if level < 48 else min(5, 1 + (int(level) - 75) // 40) for level in colour)
    return f"5;{16 + 36 * red + 6 * green + blue}"
