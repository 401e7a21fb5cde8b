"""What libraries written in C print is kept from the user; what clairvoy says is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_stderr() -> Iterator[None]:
    """Send Python's messages to where standard error leads, and what is printed past Python nowhere.

    libtiff and others print warnings by themselves and offer no switch where other libraries carry them. Where standard
    error is not the process's own, as under a test, nothing is done.
    """
    before = sys.stderr
    try:
        if before.fileno() != 2:
            yield
            return
        private = os.dup(2)
    except (AttributeError, OSError, ValueError):
        yield
        return
    before.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with open(
            private, "w", buffering=1, encoding=before.encoding, errors="backslashreplace", closefd=False
        ) as mine:
            sys.stderr = mine
            yield
    finally:
        sys.stderr = before
        os.dup2(private, 2)
        os.close(private)
        os.close(nowhere)
