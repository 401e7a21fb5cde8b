"""Gymnasium's spaces of actions and our numbers 0 to A - 1: the one translated into the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from clairvoy.errors import InputError, SettingsError

MOST_ACTIONS = 10_000
"""Combinations that a Q-network still has a value for, each."""


class ActionCode:
    """A number for every action of a space, and back.

    Discrete counts from its ``start``. MultiDiscrete and MultiBinary are numbered by their combinations, the last part
    changing fastest.

    Parameters
    ----------
    space
        Of one environment.

    Attributes
    ----------
    count
        Number of actions A.

    Raises
    ------
    SettingsError
        Another kind of space, or too many combinations.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        if isinstance(space, spaces.Discrete):
            counts, start = np.array([space.n]), np.array([space.start])
        elif isinstance(space, spaces.MultiDiscrete):
            counts, start = space.nvec.ravel(), space.start.ravel()
        elif isinstance(space, spaces.MultiBinary):
            counts = np.full(math.prod(space.shape or ()), 2)
            start = np.zeros_like(counts)
        else:
            raise SettingsError(
                f"the actions are {space}; Q-learning needs Discrete, MultiDiscrete or MultiBinary ones: let each action "
                "stand for a value, with gymnasium.wrappers.TransformAction"
            )
        self.space, self._counts, self._start = space, tuple(int(n) for n in counts), start.astype(np.int64)
        self.count = math.prod(self._counts)
        if self.count > MOST_ACTIONS:
            raise SettingsError(
                f"the actions are {space}, {self.count} combinations; Q-learning takes at most {MOST_ACTIONS}: fix some "
                "parts, or let them take turns"
            )

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        """Actions ``(N, ...)`` of the space from numbers ``(N,)``."""
        numbers = np.asarray(numbers, dtype=np.int64)
        if isinstance(self.space, spaces.Discrete):
            return numbers + self._start[0]
        parts = np.stack(np.unravel_index(numbers, self._counts), axis=-1) + self._start
        return parts.reshape(*numbers.shape, *(self.space.shape or ())).astype(self.space.dtype)

    def encode(self, actions: Any) -> np.ndarray:
        """Numbers ``(N,)`` int64 of actions ``(N, ...)``.

        Raises
        ------
        InputError
            One of them is not in the space.
        """
        parts = np.asarray(actions, dtype=np.int64).reshape(len(actions), len(self._counts)) - self._start
        if ((parts < 0) | (parts >= np.array(self._counts))).any():
            raise InputError(f"actions lie outside of {self.space}; record them again")
        return np.ravel_multi_index(tuple(parts.T), self._counts).astype(np.int64)
