"""`clairvoy own`: a door to training a scenario of one's own, to playing in it and to rows that its generator makes."""

from __future__ import annotations

import argparse

from clairvoy.apps.doors import add_doors, run_behind

# Each name is a module of this package with `add_arguments(parser)` and `run(args) -> int`.
ACTIONS = {
    "train": "co-train its agent, generator and discriminator, and keep them as a file",
    "play": "play episodes with what was trained, and say what they paid",
    "sample": "write rows that its generator makes and its discriminator admits",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line: an action, and its own options."""
    add_doors(parser, "action", ACTIONS, __name__)


def run(args: argparse.Namespace) -> int:
    """Run the action; 0 when it is done."""
    return run_behind(args.action, args, __name__)
