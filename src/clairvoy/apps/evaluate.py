"""``clairvoy evaluate``: measure on photographs of your own, beside methods that anyone can check."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from clairvoy.apps.evaluation_page import haze_page, recognition_page, trust_page
from clairvoy.apps.html_page import SUFFIXES
from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.errors import SettingsError
from clairvoy.imaging.files import find_photographs
from clairvoy.restoring.sessions import DEVICES

if TYPE_CHECKING:
    from clairvoy.evaluation import Evaluation
    from clairvoy.evaluation.recognition import Recognition
    from clairvoy.evaluation.trust import Trust

DRAWN: dict[str, Any] = {"pictures": 240, "rooms": 0.3, "seed": 0}
"""Options of ``evaluate tau`` for haze that is drawn, and what they are where they are not given."""
T = TypeVar("T")
Measured = TypeVar("Measured", "Evaluation", "Recognition", "Trust")
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy evaluate`` understands."""
    subjects = parser.add_subparsers(metavar="WHAT", required=True)
    _add_haze(subjects)
    _add_recognition(subjects)
    _add_tau(subjects)


def _add_haze(subjects: Subparsers) -> None:
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
        "--limit",
        metavar="N",
        type=_positive,
        help="look at N pairs and N clear photographs only, spread evenly over the sorted names",
    )
    _add_shared(haze, _run_haze)


def _add_recognition(subjects: Subparsers) -> None:
    recognition = subjects.add_parser(
        "recognition",
        help="is haze recognised where it is, and only there?",
        description=(
            "Measure how photographs labelled hazy or clear are told apart, and which are restored and which left alone."
        ),
    )
    recognition.add_argument("--hazy", metavar="DIR", type=Path, help="photographs with haze; needs --clear")
    recognition.add_argument("--clear", metavar="DIR", type=Path, help="photographs without; needs --hazy")
    recognition.add_argument(
        "--labels", metavar="FILE.csv", type=Path, help="instead: a table of file and label, hazy or clear"
    )
    recognition.add_argument(
        "--list", action="store_true", help="list the photographs judged against their label, worst first"
    )
    _add_shared(recognition, _run_recognition)


def _add_tau(subjects: Subparsers) -> None:
    tau = subjects.add_parser(
        "tau",
        help="is the confidence right?",
        description=(
            "Restore pictures whose truth is known, and compare the predicted confidence with it: pairs of your own, or "
            "photographs on which haze of mixed densities is put (needs clairvoy[train])."
        ),
    )
    tau.add_argument("--hazy", metavar="DIR", type=Path, help="hazy photographs; needs --clear")
    tau.add_argument("--clear", metavar="DIR", type=Path, help="the same views without haze")
    tau.add_argument(
        "--photographs", metavar="DIR", type=Path, nargs="+", default=[],
        help="instead: clear photographs, which the weights were not trained on, to put haze on",
    )  # fmt: skip
    drawn = tau.add_argument_group("haze that is put on photographs").add_argument
    drawn("--pictures", metavar="N", type=int, help="how many to draw (default: 240)")
    drawn("--rooms", metavar="PART", type=float, help="part of them that are rendered rooms (default: 0.3)")
    drawn("--seed", type=int, help="of pictures and haze (default: 0)")
    _add_shared(tau, _run_tau, device=False)


def _add_shared(
    parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], int], *, device: bool = True
) -> None:
    parser.add_argument(
        "--weights", default="fast", metavar="NAME|FILE", help="released weights, or your own (default: fast)"
    )
    if device:
        parser.add_argument(
            "--device",
            choices=DEVICES,
            default="auto",
            help="what computes clairvoy (default: auto)",
        )
        parser.add_argument(
            "--preset", choices=["fast", "fine"], help="how carefully to look (default: fast)"
        )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="also write it as a page to look at")
    parser.set_defaults(measure=measure)


def run(args: argparse.Namespace) -> int:
    """Evaluate what `args` names and print the outcome; return 0.

    Raises
    ------
    ClairvoyError
        Folders, pictures, weights or device that cannot be used.
    """
    if args.report is not None:
        if args.report.suffix.lower() not in SUFFIXES:
            raise SettingsError(f"{args.report}: a report is a page; name it {args.report.stem}.html")
        check_writable([args.report])
    measure: Callable[[argparse.Namespace], int] = args.measure
    return measure(args)


def _tell(
    args: argparse.Namespace, found: Measured, page: Callable[[Measured, Mapping[str, Any]], str]
) -> None:
    """Print what was found, and write the page if one was asked for."""
    sys.stdout.write(to_json(found.to_dict()).decode() if args.json else found.table() + "\n")
    if args.report is not None:
        apart = {"report", "json", "measure", "run", "verbose", "list"}
        told = {name: value for name, value in vars(args).items() if name not in apart and value}
        write_bytes(args.report, page(found, told).encode())


def _run_haze(args: argparse.Namespace) -> int:
    if args.hazy is not None and args.clear is None:
        raise SettingsError(
            f"--hazy {args.hazy} alone has no truth to compare with; give --clear DIR as well"
        )
    harm_folders = args.harm or ([args.clear] if args.clear is not None else [])
    if not harm_folders:
        raise SettingsError("there is nothing to evaluate; give --hazy DIR and --clear DIR, or --harm DIR")

    # Torch takes a second to import: not before the arguments are known to make sense.
    from clairvoy.evaluation import evaluate, match_pairs, standard_restorers
    from clairvoy.restoring.dehazer import Dehazer

    pairs = _spread(match_pairs(args.hazy, args.clear) if args.hazy is not None else [], args.limit)
    photographs = _spread(list(chain.from_iterable(map(find_photographs, harm_folders))), args.limit)
    restorers = standard_restorers(Dehazer.load(args.weights, args.device, args.preset))
    with _shown(len(pairs) + len(photographs)) as show:
        evaluation = evaluate(restorers, pairs, photographs, progress=show)
    _tell(args, evaluation, haze_page)
    return 0


def _run_recognition(args: argparse.Namespace) -> int:
    if (args.labels is None) != (args.hazy is not None and args.clear is not None) or (
        args.labels and (args.hazy or args.clear)
    ):
        raise SettingsError("give either --hazy DIR and --clear DIR, or --labels FILE.csv")

    from clairvoy.evaluation import read_labels, recognise
    from clairvoy.restoring.dehazer import Dehazer

    if args.labels:
        hazy, clear = read_labels(args.labels)
    else:
        hazy, clear = find_photographs(args.hazy), find_photographs(args.clear)
    with _shown(len(hazy) + len(clear)) as show:
        found = recognise(Dehazer.load(args.weights, args.device, args.preset), hazy, clear, progress=show)
    _tell(args, found, recognition_page)
    if args.list and not args.json:
        for probability, path, label in found.misjudged():
            sys.stdout.write(f"{probability:.3f}  {label}  {path}\n")
    return 0


def _run_tau(args: argparse.Namespace) -> int:
    paired = args.hazy is not None and args.clear is not None
    if paired == bool(args.photographs) or (args.hazy is None) != (args.clear is None):
        raise SettingsError("give either --hazy DIR and --clear DIR, or --photographs DIR")
    if paired and (given := [name for name in DRAWN if getattr(args, name) is not None]):
        raise SettingsError(f"--{given[0]} is of haze that is drawn; leave it out, or give --photographs DIR")

    from clairvoy.evaluation.pairs import match_pairs
    from clairvoy.evaluation.trust import measure_trust, pictures_of_pairs
    from clairvoy.restoring.engine import Engine

    if paired:
        pairs = match_pairs(args.hazy, args.clear)
        names, pictures = [pair.hazy.name for pair in pairs], pictures_of_pairs(pairs)
    else:
        from clairvoy.evaluation.drawn_pictures import draw  # by torch, as for training

        for name, default in DRAWN.items():
            if getattr(args, name) is None:
                setattr(args, name, default)
        photographs = list(chain.from_iterable(map(find_photographs, args.photographs)))
        names = [f"picture {number + 1}" for number in range(args.pictures)]
        pictures = draw(photographs, pictures=args.pictures, rooms=args.rooms, seed=args.seed)
    with _shown(len(names)) as show:
        trust = measure_trust(
            Engine.load(args.weights), pictures, progress=lambda done: show(done, len(names), names[done])
        )
    _tell(args, trust, trust_page)
    return 0


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar, and the function that moves it on."""
    bar = Progress(total)

    def show(done: int, total: int, name: str) -> None:
        if done:
            bar.finish()
        bar.start(name)

    try:
        yield show
    finally:
        bar.close()


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
