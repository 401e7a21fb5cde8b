"""A scenario by the file and the function that make it, and its weights."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

from clairvoy.errors import FileError, InputError
from clairvoy.scenarios.own.file import load_scenario
from clairvoy.scenarios.own.scenario import Scenario


def add_scenario(parser: argparse.ArgumentParser, *, trained: bool) -> None:
    """Which scenario, and, if it is `trained`, by which weights."""
    parser.add_argument(
        "scenario",
        metavar="FILE.py:FUNCTION",
        help="your file, and the function in it that makes the scenario; the file is run",
    )
    if trained:
        parser.add_argument(
            "--weights", type=Path, required=True, help="what `clairvoy own train` wrote of it"
        )


def scenario_of(named: str) -> Scenario:
    """Make the scenario called ``FILE.py:FUNCTION``.

    Raises
    ------
    FileError
        No such file.
    InputError
        Not of that form, no such function in it, or it makes something else.
    """
    file, colon, function = named.rpartition(":")
    if not colon or not function:
        raise InputError(f"{named}: name a file and a function in it, FILE.py:FUNCTION")
    if not Path(file).is_file():
        raise FileError(f"{file}: no such file; name the file that makes your scenario")
    held = runpy.run_path(file)
    if not callable(held.get(function)):
        there = sorted(name for name, value in held.items() if callable(value) and name[0] != "_")
        raise InputError(f"{file}: has no function {function}; it has {', '.join(there) or 'none'}")
    made = held[function]()
    if not isinstance(made, Scenario):
        raise InputError(f"{file}: {function} gave a {type(made).__name__}; it must give a Scenario")
    return made


def trained_scenario(args: argparse.Namespace) -> Scenario:
    """The scenario with what was learnt.

    Raises
    ------
    WeightsError
        The weights are not those of this scenario.
    """
    made = scenario_of(args.scenario)
    load_scenario(args.weights, made)
    return made
