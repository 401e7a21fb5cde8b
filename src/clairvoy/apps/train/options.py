"""Options that several scenarios of `clairvoy train` share, so that they mean and say the same in each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_clear(parser: argparse.ArgumentParser) -> None:
    """Photographs to learn from."""
    parser.add_argument(
        "--clear",
        type=Path,
        required=True,
        metavar="DIR",
        help="photographs without haze, subfolders included",
    )


def add_run(parser: argparse.ArgumentParser, paths: Sequence[str], *, device: str, without: str) -> None:
    """How a co-training runs: for how long, where, from which seed, and which feedback paths are off.

    Parameters
    ----------
    parser
        Of the scenario.
    paths
        Names of the feedback paths that can be switched off.
    device
        The default.
    without
        What is said of ``--without``.
    """
    parser.add_argument("--minutes", type=float, help="stop after this time; go on later with --resume")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")
    parser.add_argument("--device", default=device, help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out exactly")
    parser.add_argument("--without", action="append", default=[], choices=paths, help=without)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
