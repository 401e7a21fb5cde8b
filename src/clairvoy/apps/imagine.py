"""``clairvoy imagine``: pictures that nobody took, painted by what has learnt a set of pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from clairvoy.apps.argument_types import count
from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.errors import FileError, SettingsError
from clairvoy.painting.imagination import Imagination
from clairvoy.painting.sheet import columns_of, sheet_pixels, sheet_svg

_SUFFIXES = (".svg", ".png")
_MOST_PIXELS = 16_384
_EPILOG = """\
examples:
  clairvoy train imagine DIGITS --out RUN
  clairvoy imagine RUN/imagination.safetensors -o sheet.svg
  clairvoy imagine RUN/imagination.safetensors --count 1 --seed 7 --size 2000 -o one.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy imagine`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("weights", type=Path, metavar="FILE", help="what `clairvoy train imagine` wrote")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="a sheet, .svg or .png")
    add("--count", type=count, default=16, metavar="N", help="paintings on it (default: %(default)s)")
    add("--size", type=count, default=160, metavar="PIXELS", help="of one of them (default: %(default)s)")
    add(
        "--seed",
        type=int,
        default=0,
        help="of all randomness: the same again gives the same file (default: 0)",
    )
    add(
        "--no-agent", action="store_true", help="paint the first stroke that the generator proposes each time"
    )
    add("--overwrite", action="store_true", help="replace a file that exists")


def run(args: argparse.Namespace) -> int:
    """Paint; 0 when the sheet is written.

    Raises
    ------
    ClairvoyError
        The weights cannot be read, a setting makes no sense, the file cannot be written.
    """
    suffix = args.output.suffix.lower()
    if suffix not in _SUFFIXES:
        raise FileError(f"{args.output}: --output writes {' or '.join(_SUFFIXES)}; name such a file")
    if args.seed < 0:
        raise SettingsError(f"--seed is {args.seed}; give 0 or more")
    across = args.size * columns_of(args.count)
    if suffix == ".png" and across > _MOST_PIXELS:
        raise SettingsError(f"the sheet would be {across} pixels across; give --count or --size smaller")
    if args.output.exists() and not args.overwrite:
        raise FileError(f"{args.output} exists; --overwrite replaces it")
    check_writable([args.output])
    imagination = Imagination.load(args.weights)
    paintings = imagination.imagine(args.count, np.random.default_rng(args.seed), agent=not args.no_agent)
    if suffix == ".svg":
        data = sheet_svg(paintings, args.size).encode()
    else:
        data = bytes(cv2.imencode(".png", sheet_pixels(paintings, args.size)[..., ::-1])[1])
    write_bytes(args.output, data)
    print(f"{args.output}: {args.count} paintings of {imagination.strokes} strokes", file=sys.stderr)
    return 0
