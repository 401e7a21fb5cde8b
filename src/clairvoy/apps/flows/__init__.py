"""`clairvoy flows`: a door to training on labelled flows and to flagging others."""

from __future__ import annotations

import argparse

from clairvoy.apps.doors import add_doors, run_behind

# Each name is a module of this package with `add_arguments(parser)` and `run(args) -> int`.
ACTIONS = {
    "train": "learn from logs whose flows have labels",
    "flag": "say which flows of other logs a person should look at, and how sure that is",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line: an action, and its own options."""
    add_doors(parser, "action", ACTIONS, __name__)


def run(args: argparse.Namespace) -> int:
    """Run the action; 0 when it is done."""
    return run_behind(args.action, args, __name__)
