"""Environments that draw from NumPy's and Python's global random numbers, as NASim does, made to depend on their seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np


class OwnRandomness(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Gives an environment global random numbers of its own, from the seed of its `reset`.

    While it resets and steps, the global generators of NumPy and Python are its own; before and after they are what they
    were. So the same seed gives the same episodes, and nothing else is disturbed.

    Parameters
    ----------
    env
        Wrap it before it is put side by side with others: each has its own.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._seed(int(np.random.SeedSequence().generate_state(1)[0]))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with a seed its random numbers begin anew."""
        if seed is not None:
            self._seed(seed)
        with self._own():
            return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        with self._own():
            return self.env.step(action)

    def _seed(self, seed: int) -> None:
        self._state = random.Random(seed).getstate(), np.random.RandomState(seed % 2**32).get_state()

    @contextmanager
    def _own(self) -> Iterator[None]:
        others = random.getstate(), np.random.get_state()  # noqa: NPY002 (that is what it is about)
        self._put(*self._state)
        try:
            yield
        finally:
            self._state = random.getstate(), np.random.get_state()  # noqa: NPY002
            self._put(*others)

    def _put(self, of_python: Any, of_numpy: Any) -> None:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
