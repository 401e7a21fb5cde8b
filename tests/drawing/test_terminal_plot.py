"""Curves and pictures in a terminal: which dots, which colours, how wide."""

import io

import numpy as np

from clairvoy.drawing.terminal_plot import blocks, colours_of, plot, titled_plot


class Stream(io.StringIO):
    def __init__(self, terminal=True, encoding="utf-8"):
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    encoding = property(lambda self: self._encoding)

    def isatty(self):
        return self._terminal


def test_a_rising_line_in_braille():
    # One character is 2 x 4 dots; the line from the lower left to the upper right dot of one character.
    (line,) = plot([0, 1], [0, 1], 1, 1)
    assert len(line) == 1
    bits = ord(line) - 0x2800
    assert bits & 0x40  # lower left
    assert bits & 0x08  # upper right
    assert not bits & 0x01  # upper left


def test_corners_without_braille():
    assert plot([0, 1, 2], [0, 1, 2], 3, 3, braille=False) == ["  *", " * ", "*  "]
    assert plot([0, 1, 2], [5, 5, 5], 3, 3, braille=False) == ["   ", "***", "   "]


def test_a_gap_of_unknown_values_is_drawn_over():
    assert plot([0, 1, 2], [0, float("nan"), 2], 3, 3, braille=False) == ["  *", " * ", "*  "]
    assert plot([], [], 2, 1) == ["\u2800\u2800"]


def test_a_title_tells_the_latest_value_and_the_range():
    lines = titled_plot("loss", [0, 1, 2], [3.0, 1.0, 2.0], 30, 2)
    assert [len(line) for line in lines] == [30, 30, 30]
    assert lines[0].startswith("loss")
    assert lines[0].endswith("2  (1 to 3)")


def test_half_blocks_carry_two_pixels():
    picture = np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)
    assert blocks(picture, 1, colours=1 << 24) == ["\x1b[38;2;255;0;0;48;2;0;0;255m\u2580\x1b[0m"]
    assert blocks(picture, 1, colours=256) == ["\x1b[38;5;196;48;5;21m\u2580\x1b[0m"]


def test_colours_only_where_they_show():
    assert colours_of(Stream(), {"COLORTERM": "truecolor"}) == 1 << 24
    assert colours_of(Stream(), {"TERM": "xterm-256color"}) == 256
    assert colours_of(Stream(), {"TERM": "vt100"}) == 0
    assert colours_of(Stream(), {"COLORTERM": "truecolor", "NO_COLOR": "1"}) == 0
    assert colours_of(Stream(terminal=False), {"COLORTERM": "truecolor"}) == 0
    assert colours_of(Stream(encoding="ascii"), {"COLORTERM": "truecolor"}) == 0
