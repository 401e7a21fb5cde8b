"""`clairvoy train SCENARIO`: a door to the scenarios, each of which is loaded only when it is asked for."""

from __future__ import annotations

import argparse

from clairvoy.apps.doors import add_doors, run_behind
from clairvoy.errors import SettingsError

# Each name is a module of this package with `add_arguments(parser)` and `run(args) -> int`.
SCENARIOS = {
    "haze": "generator, discriminator and agent of the dehazer together",
    "search": "the search agent of --start alone",
    "paint": "what proposes changes of strokes, and the agent that says when it is enough",
    "imagine": "what paints pictures of a set with no target: generator, discriminator, agent",
    "world": "an environment or a game: an agent that also learns in what a generator makes up",
}

TOGETHER = ("haze",)
"""Those that several processes can train together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line: a scenario, and its own options."""
    add_doors(parser, "scenario", SCENARIOS, __name__)


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the budget is spent, 130 after Ctrl-C."""
    if args.scenario not in TOGETHER:
        from clairvoy.processes.launch import launched

        if launched() > 1:
            raise SettingsError(
                f"train {args.scenario} runs in one process, and {launched()} were started; leave torchrun out"
            )
    return run_behind(args.scenario, args, __name__)
