"""Try any folder of files, such as the test pictures of Pillow or libvips, and sort what happens to each.

    python benchmarks/files.py DIR [DIR ...] [--seconds 20] [--json outcomes.json]

Every file goes through what `clairvoy clear --force` does: it is read, restored, written in its format (or the one that
stands for it), and what was written is read again. A process of its own does the work and is ended after a time limit,
so that neither a crash nor a hang stops the rest. Outcomes, from good to bad:

    written     and read again with the same size and bit depth
    refused     by a FileError; the messages are counted
    changed     what was read again has another size or depth
    loud        a library printed something (which the command line keeps from its user, and Python does not)
    fault       any other exception
    time        the limit passed
    crash       the process was lost
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

GOOD_TO_BAD = ("written", "refused", "changed", "loud", "fault", "time", "crash")


def try_file(path: Path, dehazer: Callable[..., Any]) -> tuple[str, str]:
    """Outcome and message for one file."""
    from clairvoy.errors import ClairvoyError
    from clairvoy.imaging import files
    from clairvoy.imaging.formats.recognition import WRITTEN_AS, WRITTEN_SUFFIXES

    try:
        picture = files.read(path)
        kind = WRITTEN_SUFFIXES.get(WRITTEN_AS.get(picture.format, ""), picture.format)
        again = files.read(files.encode(dehazer(picture, force=True).image, picture, kind))
    except ClairvoyError as error:
        return "refused", str(error).removeprefix(f"{path}: ")
    except Exception:
        return "fault", traceback.format_exc().strip()
    before, after = ((p.pixels.shape, str(p.pixels.dtype), p.alpha is None) for p in (picture, again))
    return ("written", picture.format) if before == after else ("changed", f"{before} became {after}")


def serve(pipe: Connection) -> None:
    """Try the files that come through the pipe; what is printed past Python counts too."""
    from clairvoy import Dehazer

    dehazer = Dehazer.load("fast", "cpu")
    pipe.send("ready")
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        while True:
            path = pipe.recv()
            heard.seek(0)
            heard.truncate()
            outcome, message = try_file(path, dehazer)
            heard.seek(0)
            if (said := heard.read().decode(errors="replace").strip()) and outcome in ("written", "refused"):
                outcome, message = "loud", said
            pipe.send((outcome, message))


class Helper:
    """A process that tries files, and is replaced when it is lost."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._begin()

    def _begin(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def __call__(self, path: Path, seconds: float) -> tuple[str, str]:
        """Outcome and message for one file."""
        self._pipe.send(path)
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
            outcome = "time", f"more than {seconds:g} s"
        except EOFError:
            self._process.join()
            outcome = "crash", f"exit code {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        self._begin()
        return outcome


def kind_of(message: str) -> str:
    """The message without what differs from file to file."""
    return re.sub(r"\d[\d,.]*", "N", message.splitlines()[-1])[:140]


def main() -> None:
    parser = argparse.ArgumentParser(description="Try any folder of files and sort what happens to each.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=20.0, help="for one file (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all outcomes by file")
    args = parser.parse_args()

    paths = sorted(path for folder in args.folders for path in folder.rglob("*") if path.is_file())
    helper, outcomes = Helper(), {}
    for path in paths:
        outcomes[str(path)] = helper(path, args.seconds)
    count = Counter(outcome for outcome, _ in outcomes.values())
    print(f"{len(paths)} files: " + ", ".join(f"{count[name]} {name}" for name in GOOD_TO_BAD if count[name]))
    for name in GOOD_TO_BAD:
        kinds: dict[str, list[str]] = defaultdict(list)
        for path, (outcome, message) in outcomes.items():
            if outcome == name:
                kinds[kind_of(message)].append(path)
        if kinds:
            print(f"\n{name}")
        for message, of in sorted(kinds.items(), key=lambda item: -len(item[1])):
            print(f"  {len(of):5}  {message}  ({Path(of[0]).name})")
    if args.json:
        args.json.write_text(json.dumps(outcomes, indent=2))


if __name__ == "__main__":
    main()
