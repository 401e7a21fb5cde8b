"""``clairvoy export``: the restoration as a file that other programs run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clairvoy.apps.outputs import check_writable
from clairvoy.errors import FileError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy export`` understands."""
    parser.add_argument("--onnx", metavar="FILE", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument(
        "--weights", default="fast", metavar="NAME|FILE", help="released weights, or your own (default: fast)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace) -> int:
    """Write the file that `args` names and return 0.

    Raises
    ------
    ClairvoyError
        Weights that cannot be used, a file that is there or cannot be written, or a missing extra.
    """
    if args.onnx.exists() and not args.overwrite:
        raise FileError(f"{args.onnx}: is there already; add --overwrite to replace it, or name another file")
    check_writable([args.onnx])

    from clairvoy.restoring.onnx import CHECKED, export_onnx

    gap = export_onnx(args.onnx, args.weights)
    print(
        f"{args.onnx}: {args.onnx.stat().st_size / 1e6:.1f} MB; ONNX Runtime differs from PyTorch by at most {gap:.1g} "
        f"at {len(CHECKED)} sizes",
        file=sys.stderr,
    )
    return 0
