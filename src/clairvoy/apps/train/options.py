"""Options that several scenarios of `clairvoy train` share, so that they mean and say the same in each."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from clairvoy.errors import SettingsError


def add_clear(parser: argparse.ArgumentParser) -> None:
    """Photographs to learn from."""
    parser.add_argument(
        "--clear",
        type=Path,
        required=True,
        metavar="DIR",
        help="photographs without haze, subfolders included",
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    """Where a run is kept."""
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="RUN",
        help="folder for checkpoint, weights, pictures and logs",
    )


def add_run(
    parser: argparse.ArgumentParser, paths: Sequence[str] = (), *, device: str, without: str = ""
) -> None:
    """How a training runs: for how long, where, from which seed, and which feedback paths are off.

    Parameters
    ----------
    parser
        Of the scenario.
    paths
        Names of the feedback paths that can be switched off; none: there is no ``--without``.
    device
        The default.
    without
        What is said of ``--without``.
    """
    parser.add_argument("--minutes", type=float, help="stop after this time; go on later with --resume")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")
    parser.add_argument("--device", default=device, help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out exactly")
    if paths:
        parser.add_argument("--without", action="append", default=[], choices=paths, help=without)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def deadline_of(args: argparse.Namespace) -> float | None:
    """`time.monotonic()` at which ``--minutes`` are over; None without it.

    Raises
    ------
    SettingsError
        Not above 0.
    """
    if args.minutes is None:
        return None
    if not args.minutes > 0:
        raise SettingsError(f"--minutes is {args.minutes:g}; give more than 0")
    return time.monotonic() + 60 * float(args.minutes)
