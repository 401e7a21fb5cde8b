"""Options that say how an environment is made that is given by name."""

from __future__ import annotations

import argparse
import ast

from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.errors import SettingsError


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
    parser.add_argument(
        "--actor-processes",
        action="store_true",
        help="for environments that take long to step: give each a process of its own while the agent learns",
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
        args.actor_processes,
    )
