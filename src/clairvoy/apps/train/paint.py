"""`clairvoy train paint`: generators and agent of the painter, from photographs of your own."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path

from clairvoy.apps.argument_types import count
from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.apps.train.folder import alone_in, keep_result
from clairvoy.apps.train.record import describe
from clairvoy.errors import FileError
from clairvoy.imaging.files import find_photographs, read
from clairvoy.painting.shapes import FAMILIES, families_of
from clairvoy.painting.target import Target, target_of
from clairvoy.scenarios.painting.training import PainterTraining, save_painter, train_painter

WEIGHTS, RECORD = "painter.safetensors", "painter.json"
DETAIL = 64
"""Pixels of the longer side that are painted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    defaults = PainterTraining()
    parser.add_argument(
        "photographs", type=Path, metavar="DIR", help="photographs to learn from, also in its folders"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="folder for the weights and their record"
    )
    parser.add_argument(
        "--most", type=count, default=60, metavar="N", help="photographs taken (default: %(default)s)"
    )
    parser.add_argument(
        "--leave-out", type=Path, metavar="FILE", help="names of photographs that are not taken, one a line"
    )
    parser.add_argument(
        "--shape",
        default="triangles",
        metavar="NAMES",
        help=f"{', '.join(FAMILIES)}, several joined by commas, or mixed; others are changed by chance "
        "(default: %(default)s)",
    )
    for name, what in (
        ("strokes", "painted in each photograph with each family of shapes"),
        ("generations", "of generators, each learning from what the one before drew"),
        ("updates", "of each generator"),
        ("agent_updates", "of the agent"),
    ):
        default = getattr(defaults, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=count, default=default, help=f"{what} (default: {default})"
        )
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when it is done."""
    weights, record = args.out / WEIGHTS, args.out / RECORD
    if weights.exists():
        raise FileError(f"{args.out}: holds a painter already; name another folder")
    check_writable([weights, record])
    paths = _chosen(args)
    names = [field.name for field in fields(PainterTraining)]
    settings = PainterTraining(**{name: getattr(args, name) for name in names})
    families = families_of(args.shape)
    with alone_in(args.out):
        targets = _targets(paths, args.quiet)
        trained = train_painter(targets, families, settings, lambda line: _say(line, args.quiet))
        keep_result(weights, lambda path: save_painter(path, trained))
        write_bytes(
            record,
            to_json(describe({"painter": asdict(settings) | {"shape": args.shape}}, {"photographs": paths})),
        )
    _say(f"trained: {weights}", args.quiet)
    return 0


def _chosen(args: argparse.Namespace) -> list[Path]:
    """Photographs spread over all that are there."""
    left_out = (
        set()
        if args.leave_out is None
        else {Path(line).name for line in args.leave_out.read_text().splitlines()}
    )
    paths = [path for path in find_photographs(args.photographs, recursive=True) if path.name not in left_out]
    step = max(1.0, len(paths) / args.most)
    return [paths[int(k * step)] for k in range(min(args.most, len(paths)))]


def _targets(paths: list[Path], quiet: bool) -> list[Target]:
    progress = Progress(len(paths), quiet=quiet)
    targets = []
    for path in paths:
        progress.start(path.name)
        targets.append(target_of(read(path), DETAIL))
        progress.finish()
    progress.close()
    return targets


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
