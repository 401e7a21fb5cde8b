"""The options of ``clairvoy clear`` that only rasters heed."""

from __future__ import annotations

import argparse

from clairvoy.apps.argument_types import fraction


def add_raster_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    group = parser.add_argument_group("rasters: TIFFs that are georeferenced, or larger than --max-pixels")
    add = group.add_argument
    add(
        "--mosaic",
        action="store_true",
        help="the rasters are tiles of one mosaic: look at them together, so that they are restored alike",
    )
    add(
        "--search", nargs="?", type=_part, const=1.0, metavar="PART",
        help="restore only where the agent finds haze; it may read this part of the windows (default: 100%%)",
    )  # fmt: skip
    add(
        "--bands", type=_bands, metavar="R,G,B",
        help="which bands are red, green and blue, or the grey one (default: as the file says)",
    )  # fmt: skip
    add(
        "--range", type=_range, metavar="BLACK,WHITE",
        help="values that are black and white (default: found in the raster; 8 bits run to 255)",
    )  # fmt: skip


def _part(text: str) -> float:
    value = fraction(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text} is no part of the windows; give 0.3 or 30%")
    return value


def _bands(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text} names no bands; give three numbers such as 4,3,2, or one")
    return tuple(int(part) for part in parts)


def _range(text: str) -> tuple[float, float]:
    try:
        black, white = (float(part) for part in text.split(","))
    except ValueError:
        black = white = 0.0
    if not -float("inf") < black < white < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no range; give two numbers such as 0,3000")
    return black, white
