"""One progress bar on stderr, or a numbered line for each piece of work; messages that do not run into it."""

from __future__ import annotations

import sys
import time
from shutil import get_terminal_size

_BAR = 24


class Progress:
    """Counts finished pieces of work.

    The bar appears for two pieces or more, and only where stderr is a terminal. Elsewhere each result is a line that says
    how many are done, so that logs stay readable.

    Parameters
    ----------
    total
        Pieces of work to come.
    quiet
        No bar and no :meth:`say`; :meth:`error` and :meth:`insist` always speak.
    done
        Pieces that were done before, in a run that is gone on with.
    """

    def __init__(self, total: int, *, quiet: bool = False, done: int = 0) -> None:
        self._total = total
        self._done = self._done_before = done
        self._quiet = quiet
        self._bar = total > 1 and not quiet and sys.stderr.isatty()
        self._began = time.monotonic()

    def start(self, name: str) -> None:
        """Show that the next piece of work is `name`."""
        if not self._bar:
            return
        filled = _BAR * self._done // self._total
        text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {self._done}/{self._total}{self._rate()}  {name}"
        print(f"\r\x1b[K{text[: get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)

    def finish(self, count: int = 1) -> None:
        """Count pieces of work as done."""
        self._done += count

    def result(self, text: str) -> None:
        """Print a line about the piece of work that was finished last."""
        self.say(text if self._bar or self._total < 2 else f"[{self._done}/{self._total}] {text}")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._quiet:
            self.insist(text)

    def error(self, text: str) -> None:
        """Print an error above the bar, quiet or not."""
        self.insist(f"clairvoy: error: {text}")

    def insist(self, text: str) -> None:
        """Print a line above the bar, quiet or not."""
        self.close()
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _rate(self) -> str:
        """How fast it goes and how long it takes from here."""
        if self._done == self._done_before:
            return ""
        each = (time.monotonic() - self._began) / (self._done - self._done_before)
        left = each * (self._total - self._done)
        rate = f"{each:.1f} s each" if each >= 1 else f"{1 / max(each, 1e-3):.1f}/s"
        return f", {rate}, {left / 60:.0f} min left" if left >= 90 else f", {rate}, {left:.0f} s left"
