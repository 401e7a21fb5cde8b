"""`clairvoy train imagine`: generator, discriminator and agent that paint pictures of a set with no target."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path

from clairvoy.apps.argument_types import count
from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.apps.train.folder import alone_in, keep_result
from clairvoy.apps.train.record import describe
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.files import find_photographs, read
from clairvoy.painting.target import Target, target_of
from clairvoy.scenarios.painting.imagination_training import (
    ImaginationTraining,
    save_imagination,
    train_imagination,
)

WEIGHTS, RECORD = "imagination.safetensors", "imagination.json"
_PIXELS = (8, 48)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add = parser.add_argument
    add(
        "pictures",
        type=Path,
        metavar="DIR",
        help="pictures of one kind, also in its folders; their middle square is taken",
    )
    add("--out", type=Path, required=True, metavar="RUN", help="folder for the weights and their record")
    add("--most", type=count, default=500, metavar="N", help="pictures taken (default: %(default)s)")
    add("--pixels", type=count, default=16, help="across what is learnt of each (default: %(default)s)")
    defaults = ImaginationTraining()
    for name, what in (
        ("strokes", "of each painting"),
        ("updates", "of the generator"),
        ("steps", "of the agent"),
    ):
        default = getattr(defaults, name)
        add(f"--{name}", type=count, default=default, help=f"{what} (default: {default})")
    add("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when it is done."""
    weights, record = args.out / WEIGHTS, args.out / RECORD
    if not _PIXELS[0] <= args.pixels <= _PIXELS[1]:
        raise SettingsError(f"--pixels is {args.pixels}; give {_PIXELS[0]} to {_PIXELS[1]}")
    if weights.exists():
        raise FileError(f"{args.out}: holds a painter's imagination already; name another folder")
    check_writable([weights, record])
    paths = find_photographs(args.pictures, recursive=True)[: args.most]
    given = {field.name for field in fields(ImaginationTraining)} & set(vars(args))
    settings = ImaginationTraining(**{name: getattr(args, name) for name in given})
    with alone_in(args.out):
        targets = [_middle(path, args.pixels) for path in paths]
        trained = train_imagination(targets, settings, lambda line: _say(line, args.quiet))
        keep_result(weights, lambda path: save_imagination(path, trained))
        write_bytes(record, to_json(describe({"imagination": asdict(settings)}, {"pictures": paths})))
    _say(f"trained: {weights}", args.quiet)
    return 0


def _middle(path: Path, pixels: int) -> Target:
    """The middle square, reduced."""
    picture = read(path).pixels
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return target_of(picture[top : top + side, left : left + side], pixels)


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
