"""One progress bar on stderr, and messages that do not run into it."""

from __future__ import annotations

import sys
import time
from shutil import get_terminal_size

_BAR = 24


class Progress:
    """Counts finished pieces of work.

    The bar appears for two pieces or more, and only where stderr is a terminal, so that logs stay readable.

    Parameters
    ----------
    total
        Pieces of work to come.
    quiet
        No bar and no :meth:`say`; :meth:`error` always speaks.
    """

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._total = total
        self._done = 0
        self._quiet = quiet
        self._bar = total > 1 and not quiet and sys.stderr.isatty()
        self._began = time.monotonic()

    def start(self, name: str) -> None:
        """Show that the next piece of work is `name`."""
        if not self._bar:
            return
        filled = _BAR * self._done // self._total
        text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {self._done}/{self._total}{self._left()}  {name}"
        print(f"\r\x1b[K{text[: get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Count the piece of work that was started."""
        self._done += 1

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._quiet:
            self._line(text)

    def error(self, text: str) -> None:
        """Print an error above the bar, quiet or not."""
        self._line(f"clairvoy: error: {text}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _line(self, text: str) -> None:
        self.close()
        print(text, file=sys.stderr, flush=True)

    def _left(self) -> str:
        if not self._done:
            return ""
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
