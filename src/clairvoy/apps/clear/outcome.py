"""What became of one photograph: what reports, galleries and the server tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clairvoy.apps.clear.previews import Previews

RESTORED, UNTOUCHED, SKIPPED, FAILED = "restored", "left as it was", "skipped", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph."""

    entry: dict[str, Any]
    """For the report; its ``status`` is one of `RESTORED`, `UNTOUCHED`, `SKIPPED` and `FAILED`."""
    said: list[str] = field(default_factory=list)
    """Lines for the user; of a photograph that failed, why."""
    out_of_memory: bool = False
    """It failed because memory did not suffice, and may do better alone."""
    previews: Previews | None = None
    """If they were asked for."""
