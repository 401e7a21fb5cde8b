"""The report of a run: a file that is written while the run goes on, and continued by the next one. JSON, or a page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clairvoy.apps.clear.outcome import FAILED, Outcome
from clairvoy.apps.clear.previews import Previews
from clairvoy.apps.html_page import SUFFIXES
from clairvoy.apps.outputs import to_json, write_bytes
from clairvoy.errors import FileError
from clairvoy.storage.remote import is_remote, place, present, read_whole

_SECONDS_BETWEEN = 5.0
"""A run that is killed loses no more of its report."""
_PART_OF_THE_TIME = 20
"""The report of very many photographs takes long to write: so many times as long it is left alone."""
MOST_SHOWN = 200
"""Photographs that a page has pictures of, the least trusted ones: a page of thousands could not be opened."""
LONGER_OF_ONE, LONGER_OF_MANY = 1280, 560
"""Pixels of the longer side of a picture in the page, of one photograph and of several."""
_LARGEST = 2**31


class RunReport:
    """What became of each photograph of a run so far.

    Parameters
    ----------
    name
        Of the file; ``.html`` is a page, anything else JSON. None: nothing is written.
    many
        There is a list of entries, and not one.
    settings
        For the page: how it is restored.
    resumed
        What the file says already is kept.

    Raises
    ------
    FileError
        The file is there and is no report that could be continued.
    """

    def __init__(self, name: str | None, many: bool, settings: Mapping[str, Any], *, resumed: bool) -> None:
        self.path = None if name is None else place(name)
        self.is_page = self.path is not None and self.path.suffix.lower() in SUFFIXES
        self.many, self.settings = many, settings
        self.entries: dict[int, dict[str, Any]] = {}
        self._previews: dict[str, Previews] = {}
        self._earlier: dict[str, dict[str, Any]] = {}
        if resumed and self.path is not None:
            self._earlier, self._previews = _earlier(self.path, self.is_page)
        self._written, self._took = time.monotonic(), 0.0

    @property
    def longer(self) -> int | None:
        """How large the previews are to be; None: there are none."""
        if not self.is_page:
            return None
        return LONGER_OF_MANY if self.many else LONGER_OF_ONE

    def note(self, number: int, outcome: Outcome, *, kept: bool) -> None:
        """Note what became of a photograph; of one that is `kept` from an earlier run, what was noted then."""
        if self.path is None:
            return
        entry = outcome.entry
        self.entries[number] = self._earlier.get(str(entry["output"]), entry) if kept else entry
        if outcome.previews is not None:
            self._previews[str(entry["output"])] = outcome.previews
            if len(self._previews) > MOST_SHOWN:
                self._forget_the_most_trusted()

    def write_now_and_then(self) -> None:
        """Write if the last time is long ago."""
        if time.monotonic() - self._written > max(_SECONDS_BETWEEN, _PART_OF_THE_TIME * self._took):
            self.write()

    def write(self) -> None:
        """Write what is known, if a report was asked for."""
        self._written = began = time.monotonic()
        if self.path is None or not self.entries:
            return
        entries = [self.entries[number] for number in sorted(self.entries)]
        if not self.many and entries[0]["status"] == FAILED:
            return
        if self.is_page:
            from clairvoy.apps.clear.gallery import gallery

            data = gallery(entries, self._previews, self.settings).encode()
        else:
            data = to_json(entries if self.many else entries[0])
        write_bytes(self.path, data)
        self._took = time.monotonic() - began

    def _forget_the_most_trusted(self) -> None:
        tau = {str(entry["output"]): entry.get("tau") or 0.0 for entry in self.entries.values()}
        del self._previews[max(self._previews, key=lambda output: tau.get(output, 0.0))]


def _earlier(path: Path, is_page: bool) -> tuple[dict[str, dict[str, Any]], dict[str, Previews]]:
    """Entries and previews that an earlier run left, by output file; none if there is no file."""
    try:
        text = _contents(path)
        if is_page:
            from clairvoy.apps.clear.gallery import read_gallery

            content, previews = read_gallery(text.decode())
        else:
            content, previews = json.loads(text), {}
        entries = content if isinstance(content, list) else [content]
        return {entry["output"]: entry for entry in entries}, previews
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FileError(f"{path} is no report that could be continued; name another file") from error


def _contents(path: Path) -> bytes:
    if not is_remote(path):
        return path.read_bytes()
    if not present([path]):
        raise FileNotFoundError(path)
    return read_whole(path, _LARGEST)
