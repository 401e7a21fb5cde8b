"""Global random numbers of one's own, for code that draws from NumPy's and Python's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class OwnNumbers:
    """While `own` lasts, the global generators of NumPy and Python are this one's; before and after, what they were.

    So the same seed gives the same draws, and nothing else is disturbed.

    Attributes
    ----------
    state
        Of Python's generator and of NumPy's, between two uses.
    """

    def __init__(self, seed: int) -> None:
        self.state: tuple[Any, Any]
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin anew."""
        self.state = random.Random(seed).getstate(), np.random.RandomState(seed % 2**32).get_state()

    @contextmanager
    def own(self) -> Iterator[None]:
        """Draw from these."""
        others = random.getstate(), np.random.get_state()  # noqa: NPY002 (that is what it is about)
        _put(self.state)
        try:
            yield
        finally:
            self.state = random.getstate(), np.random.get_state()  # noqa: NPY002
            _put(others)


def _put(state: tuple[Any, Any]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
