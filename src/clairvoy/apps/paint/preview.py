"""A canvas in the terminal: two pixels for each character, drawn over the one before."""

from __future__ import annotations

import sys
from shutil import get_terminal_size

import cv2
import numpy as np

_LOWER_HALF = "\u2584"


class Preview:
    """Draws on stderr; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._rows = 0
        self._shows = sys.stderr.isatty()

    def show(self, canvas: np.ndarray) -> None:
        """Draw a canvas (H, W, 3) in [0, 1] over the one that was drawn before."""
        if not self._shows:
            return
        columns, lines = get_terminal_size()
        text = blocks(canvas, columns - 1, lines - 2)
        back = f"\x1b[{self._rows}A" if self._rows else ""
        sys.stderr.write(f"{back}\r{text}\n")
        sys.stderr.flush()
        self._rows = text.count("\n") + 1


def blocks(canvas: np.ndarray, columns: int, lines: int) -> str:
    """A canvas (H, W, 3) in [0, 1] as coloured characters, at most so many across and down."""
    height, width = canvas.shape[:2]
    scale = min(columns / width, 2 * lines / height)
    size = max(1, int(width * scale)), 2 * max(1, int(height * scale / 2))
    small = cv2.resize(np.ascontiguousarray(canvas), size, interpolation=cv2.INTER_AREA)
    pixels = np.round(np.clip(small, 0.0, 1.0) * 255).astype(int)
    rows = [
        "".join(
            "\x1b[48;2;{};{};{}m\x1b[38;2;{};{};{}m".format(*above, *below) + _LOWER_HALF
            for above, below in zip(upper, lower, strict=True)
        )
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True)
    ]
    return "\n".join(f"{row}\x1b[0m" for row in rows)
