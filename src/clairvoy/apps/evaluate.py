"""``clairvoy evaluate``: measure on photographs of your own, beside methods that anyone can check."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from clairvoy.apps.outputs import to_json
from clairvoy.apps.progress import Progress
from clairvoy.errors import SettingsError
from clairvoy.imaging.files import find_photographs

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy evaluate`` understands."""
    subjects = parser.add_subparsers(metavar="WHAT", required=True)
    haze = subjects.add_parser(
        "haze",
        help="removal of haze: quality, harm to clear photographs, trust, speed",
        description="Measure clairvoy, the dark channel prior and doing nothing on the same photographs.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "A hazy NAME.png or NAME_ANYTHING.png belongs to the clear NAME.png; any kind of file will do.\n"
            "Harm is the PSNR of a restored clear photograph against itself; 100 dB: no change at all.\n\n"
            "examples:\n"
            "  clairvoy evaluate haze --hazy hazy/ --clear clear/\n"
            "  clairvoy evaluate haze --harm holiday/ street/ --json > harm.json"
        ),
    )
    haze.add_argument("--hazy", metavar="DIR", type=Path, help="hazy photographs; needs --clear")
    haze.add_argument("--clear", metavar="DIR", type=Path, help="the same views without haze")
    haze.add_argument(
        "--harm",
        metavar="DIR",
        type=Path,
        nargs="+",
        default=[],
        help="photographs without haze, to be left alone (default: those of --clear)",
    )
    haze.add_argument(
        "--weights", default="fast", metavar="NAME|FILE", help="released weights, or your own (default: fast)"
    )
    haze.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda", "mps"],
        default="auto",
        help="what computes clairvoy (default: auto)",
    )
    haze.add_argument(
        "--limit",
        metavar="N",
        type=_positive,
        help="look at N pairs and N clear photographs only, spread evenly over the sorted names",
    )
    haze.add_argument("--json", action="store_true", help="print JSON instead of the table")


def run(args: argparse.Namespace) -> int:
    """Evaluate what `args` names and print the outcome; return 0.

    Raises
    ------
    ClairvoyError
        Folders, pictures, weights or device that cannot be used.
    """
    if args.hazy is not None and args.clear is None:
        raise SettingsError(
            f"--hazy {args.hazy} alone has no truth to compare with; give --clear DIR as well"
        )
    harm_folders = args.harm or ([args.clear] if args.clear is not None else [])
    if not harm_folders:
        raise SettingsError("there is nothing to evaluate; give --hazy DIR and --clear DIR, or --harm DIR")

    # Torch takes a second to import: not before the arguments are known to make sense.
    from clairvoy.dehazer import Dehazer
    from clairvoy.evaluation import evaluate, match_pairs, standard_restorers

    pairs = _spread(match_pairs(args.hazy, args.clear) if args.hazy is not None else [], args.limit)
    photographs = _spread(list(chain.from_iterable(map(find_photographs, harm_folders))), args.limit)
    restorers = standard_restorers(Dehazer.load(args.weights, device=args.device))
    bar = Progress(len(pairs) + len(photographs))

    def show(done: int, total: int, name: str) -> None:
        if done:
            bar.finish()
        bar.start(name)

    try:
        evaluation = evaluate(restorers, pairs, photographs, progress=show)
    finally:
        bar.close()
    sys.stdout.write(to_json(evaluation.to_dict()).decode() if args.json else evaluation.table() + "\n")
    return 0


def _spread(items: Sequence[T], limit: int | None) -> Sequence[T]:
    """At most `limit` items at equal distances: the first ones of a data set are often one scene."""
    if limit is None or len(items) <= limit:
        return items
    return [items[k * len(items) // limit] for k in range(limit)]


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of pictures; give 1 or more")
    return value
