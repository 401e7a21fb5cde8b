"""`clairvoy train SCENARIO`: a door to the scenarios, each of which is loaded only when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any

# Each name is a module of this package with `add_arguments(parser)` and `run(args) -> int`.
SCENARIOS = {
    "haze": "generator, discriminator and agent of the dehazer together",
    "search": "the search agent of --start alone",
    "world": "an environment or a game: an agent that also learns in what a generator makes up",
}


class _ScenarioParser(argparse.ArgumentParser):
    """Asks the scenario for its options when it has words to parse: to load all of them takes seconds."""

    scenario: str | None = None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[Any, list[str]]:
        if self.scenario is not None:
            _module(self.scenario).add_arguments(self)
            self.scenario = None
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line: a scenario, and its own options."""
    scenarios = parser.add_subparsers(
        dest="scenario", metavar="SCENARIO", required=True, parser_class=_ScenarioParser
    )
    for name, summary in SCENARIOS.items():
        scenarios.add_parser(name, help=summary).scenario = name


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the budget is spent, 130 after Ctrl-C."""
    return int(_module(args.scenario).run(args))


def _module(name: str) -> Any:
    return import_module(f"clairvoy.apps.train.{name}")
