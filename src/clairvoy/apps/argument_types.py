"""Numbers on the command line, refused by argparse where they make no sense."""

from __future__ import annotations

import argparse


def fraction(text: str) -> float:
    """A part of 1, such as 0.3 or 30%."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1, or 0% and 100%")
    return value


def quality(text: str) -> int:
    """How fine a lossy file is, 1 to 100."""
    value = int(text) if text.isdigit() else 0
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to 100")
    return value


def count(text: str) -> int:
    """A number of things, at least one."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return value


def seconds(text: str) -> float:
    """A time: seconds, or minutes and hours before them, such as 90, 1:30.5 or 0:01:30."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) > 3 or not all(0 <= one < float("inf") for one in numbers):
        raise argparse.ArgumentTypeError(f"{text} is not a time; write seconds, or 1:30, or 0:01:30")
    return sum(number * 60**place for place, number in enumerate(reversed(numbers)))
