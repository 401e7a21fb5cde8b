"""Options that several scenarios of `clairvoy train` share, so that they mean and say the same in each."""

from __future__ import annotations

import argparse
import ast
import time
from collections.abc import Sequence
from pathlib import Path

from clairvoy.environments.by_name import EnvironmentOptions
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


def add_environment(parser: argparse.ArgumentParser) -> None:
    """How an environment is made that is given by name; see `environment_options`."""
    parser.add_argument(
        "--env-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the environment's own, such as is_slippery=False; may be repeated",
    )
    parser.add_argument(
        "--max-episode-steps", type=int, metavar="N", help="steps after which an episode is truncated"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PART",
        help="show this part of the observation and no other; may be repeated",
    )
    parser.add_argument("--grey", action="store_true", help="show pictures in grey")
    parser.add_argument("--size", type=int, metavar="N", help="bring pictures to N x N pixels")
    parser.add_argument(
        "--frames", type=int, default=1, metavar="N", help="show so many observations together (default: 1)"
    )
    parser.add_argument(
        "--own-randomness",
        action="store_true",
        help="for environments that draw from global random numbers, as NASim: let the seed decide those too",
    )


def environment_options(args: argparse.Namespace) -> EnvironmentOptions:
    """The settings that `add_environment` was given.

    Raises
    ------
    SettingsError
        An argument without a value, or a number out of range.
    """
    arguments = {}
    for given in args.env_arg:
        name, is_given, value = given.partition("=")
        if not is_given or not name.isidentifier():
            raise SettingsError(f"--env-arg is {given!r}; give a name and a value, such as is_slippery=False")
        try:
            arguments[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            arguments[name] = value
    return EnvironmentOptions(
        arguments,
        args.max_episode_steps,
        tuple(args.only),
        args.grey,
        args.size,
        args.frames,
        args.own_randomness,
    )
