"""The command line: finds the command, and turns errors into a message and an exit code.

Only the module of the command that was asked for is imported, so ``clairvoy --help`` answers at once and a
missing training extra never breaks ``clear``.

Exit codes: 0 done; 1 a fault of clairvoy itself, with a traceback; 2 bad input or usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from clairvoy import __version__
from clairvoy.apps.doors import open_doors
from clairvoy.errors import ClairvoyError

# Each name is a module of this package with `add_arguments(parser)` and `run(args) -> int`.
COMMANDS = {
    "clear": "restore hazy photographs",
    "search": "search a large scene for haze: what was read, what was found, what was restored",
    "look": "look around in a panorama, before and after, on a page of its own",
    "paint": "paint a photograph with triangles, ellipses, brush strokes: SVG, PNG of any size, film, page",
    "imagine": "paint pictures that nobody took, with what has learnt a set of pictures",
    "train": "co-train the generative model and the agent, on your own photographs if you like",
    "own": "train a scenario of your own, play in it, and make rows with its generator",
    "flows": "learn what a network's flows are from labelled logs, and flag those that a person should look at",
    "watch": "draw a training in the terminal, while it runs or afterwards",
    "evaluate": "measure weights against baselines",
    "ablate": "measure whether generator and agent help each other",
    "export": "write what was learnt as an ONNX file for other programs",
    "serve": "restore photographs over HTTP, with limits on what is taken",
    "page": "write a page that restores pictures in the browser, with no server behind it",
    "completion": "write what lets a shell complete the words of clairvoy",
    "doctor": "say what is installed, what computes, how fast, and what to install for what",
}
_VERBOSE = {"-v", "--verbose"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The arguments after the program's name; those of this process if None.

    Returns
    -------
    int
        The exit code, see the module's docstring.

    Raises
    ------
    SystemExit
        From argparse: after ``--help`` and ``--version`` (0), and for arguments that make no sense (2).
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    verbose = not _VERBOSE.isdisjoint(argv)
    # Taken out before parsing, so that it may stand anywhere, also behind a command within a command.
    argv = [argument for argument in argv if argument not in _VERBOSE]
    try:
        args = _parser(argv).parse_args(argv)
        args.verbose = verbose
        return int(args.run(args))
    except ClairvoyError as error:
        message = str(error)
        details = traceback.format_exc()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "clairvoy":
            raise
        command = next((word for word in argv if not word.startswith("-")), "")
        message = (
            f"{error.name} is not installed, which `clairvoy {command}` needs: pip install 'clairvoy[train]'"
        )
        details = traceback.format_exc()
    except KeyboardInterrupt:
        print("clairvoy: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # What the system refuses is not a fault of clairvoy: a name that is too long, a disk that is full.
        where = f"{error.filename}: " if error.filename is not None else ""
        message = f"{where}{error.strerror or error}; check the path, its permissions and free space"
        details = traceback.format_exc()
    print(f"{details if verbose else ''}clairvoy: error: {message}", file=sys.stderr)
    return 2


def whole_parser() -> argparse.ArgumentParser:
    """The command line with the options of every command; of commands within commands those that are installed."""
    return _parser([], whole=True)


def _parser(argv: Sequence[str], *, whole: bool = False) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clairvoy",
        description="See through haze: restores hazy photographs, and says how far to trust the result.",
        epilog="`clairvoy COMMAND --help` says more about a command; -v may stand anywhere.",
    )
    parser.add_argument("--version", action="version", version=f"clairvoy {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show a traceback with every error")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    # No option before the command takes a value, so the first word is the command.
    chosen = next((argument for argument in argv if not argument.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if whole or name == chosen:
            module = import_module(f"clairvoy.apps.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
            if whole:
                open_doors(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
