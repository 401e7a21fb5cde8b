"""Commands within a command: each is a module of its own, and is loaded only when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any


class _DoorParser(argparse.ArgumentParser):
    """Asks a module for its options when it has words to parse: to load all of them takes seconds."""

    module: str | None = None

    def load(self) -> None:
        """Declare the options, once."""
        if self.module is not None:
            import_module(self.module).add_arguments(self)
            self.module = None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[Any, list[str]]:
        self.load()
        return super().parse_known_args(args, namespace)


def add_doors(parser: argparse.ArgumentParser, dest: str, doors: Mapping[str, str], package: str) -> None:
    """Add a command for each module behind the doors.

    Parameters
    ----------
    parser
        Of the command that they are within.
    dest
        What such a command is: the attribute that its name is kept in, and what it is called in the help.
    doors
        Summaries by name; each name is a module of `package` with ``add_arguments(parser)`` and ``run(args) -> int``.
    package
        Where the modules lie.
    """
    commands = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=True, parser_class=_DoorParser)
    for name, summary in doors.items():
        commands.add_parser(name, help=summary).module = f"{package}.{name}"


def open_doors(parser: argparse.ArgumentParser) -> None:
    """Load the options of all commands within a command, but of those that lack something that is not installed."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                if isinstance(inner, _DoorParser):
                    with suppress(ModuleNotFoundError):
                        inner.load()
                open_doors(inner)


def run_behind(name: str, args: argparse.Namespace, package: str) -> int:
    """Run the module that a door leads to; gives its exit code."""
    return int(import_module(f"{package}.{name}").run(args))
