"""What is known of rows that are to be made: some of their entries."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Given(NamedTuple):
    """Rows of which some entries are known: what was looked at, or the class of a line in a table."""

    rows: Tensor
    """(B, ...) of the data's own shape and type; what is not seen may hold anything finite that is of their kind."""
    seen: Tensor
    """Which entries are known, (B, ...) bool."""
