"""Environments that draw from NumPy's and Python's global random numbers, as NASim does, made to depend on their seed."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from clairvoy.environments.global_numbers import OwnNumbers


class OwnRandomness(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Gives an environment global random numbers of its own, from the seed of its `reset`; see `OwnNumbers`.

    Parameters
    ----------
    env
        Wrap it before it is put side by side with others: each has its own.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._numbers = OwnNumbers(int(np.random.SeedSequence().generate_state(1)[0]))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with a seed its random numbers begin anew."""
        if seed is not None:
            self._numbers.seed(seed)
        with self._numbers.own():
            return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        with self._numbers.own():
            return self.env.step(action)
