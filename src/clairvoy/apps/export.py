"""``clairvoy export``: weights as ONNX files that other programs run, and weights that were trained made ready for use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clairvoy import __version__
from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.errors import FileError, SettingsError

GRAPHS = {
    "restoration": "removes haze, at any size: picture (1, 3, H, W) RGB in [0, 1], H and W at least 16, and strength (1,) "
    "in [0, 1]; always restores",
    "perception": "what is believed of a picture at about 256 x 256, sides multiples of 16: grid of optical depth, "
    "airlight, maps of haze and confidence. others_grid (1, 8, H/2, W/2), others_airlight (1, 3) and others_share () are 0",
    "agent": "the agent's values of the five actions of a search",
    "draws": "restorations drawn from the posterior, and how much each is believed",
}
_EPILOG = "graphs:\n" + "\n".join(f"  {name:<13}{text.split(':')[0]}" for name, text in GRAPHS.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy export`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--weights", default="fast", metavar="NAME|FILE", help="released weights, or your own (default: fast)"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--onnx", metavar="FILE", type=Path, help="write one graph as an ONNX file")
    what.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="write the weights with all graphs in them, for `clairvoy clear` and the rest; needs clairvoy[train]",
    )  # fmt: skip
    parser.add_argument(
        "--graph",
        choices=list(GRAPHS),
        default="restoration",
        help="which, with --onnx (default: restoration)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace) -> int:
    """Write the file that `args` names and return 0.

    Raises
    ------
    ClairvoyError
        Weights that cannot be used, a file that is there or cannot be written, or a missing extra.
    """
    target: Path = args.onnx or args.output
    if target.exists() and not args.overwrite:
        raise FileError(f"{target}: is there already; add --overwrite to replace it, or name another file")
    check_writable([target])
    said = _write_graph(args, target) if args.onnx else _write_weights(args, target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB; {said}", file=sys.stderr)
    return 0


def _write_graph(args: argparse.Namespace, target: Path) -> str:
    from clairvoy.restoring.model_bytes import with_description
    from clairvoy.restoring.released import read_released

    released = read_released(args.weights)
    properties = {"weights": released.path.stem, "clairvoy": __version__}
    about = f"{args.graph.capitalize()}: {GRAPHS[args.graph]}. Whether there is haze, clairvoy itself says."
    write_bytes(target, with_description(released.graph(args.graph), about, properties))
    return f"{args.graph} of {released.path.stem}"


def _write_weights(args: argparse.Namespace, target: Path) -> str:
    try:
        from clairvoy.releasing.save import put_graphs
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is not installed, which making graphs needs: pip install 'clairvoy[train]'"
        ) from error
    gap = put_graphs(args.weights, target)
    return f"ONNX Runtime differs from torch by at most {gap:.1g}"
