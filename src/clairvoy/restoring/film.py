"""Restoring a film frame by frame, so that it does not flicker."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.restoring.steady import SECONDS, HazeField, SteadyHaze

PERCEIVED_EVERY = 0.1
"""Seconds of film between two frames that are perceived: in between, haze is followed towards what was seen last."""
_WATCHED = 320


class RestoresFrames(Protocol):
    """What a film is restored with: a `Dehazer`."""

    def perceive(self, pixels: npt.NDArray[Any], *, strength: float, force: bool) -> HazeField:
        """What is seen of a frame (H, W, 3)."""
        ...

    def take_away(self, pixels: npt.NDArray[Any], field: HazeField) -> npt.NDArray[Any]:
        """The frame without the haze of a field."""
        ...


class FilmRestorer:
    """Restores the frames of a film in the order in which they are shown.

    Parameters
    ----------
    dehazer
        What perceives and restores.
    strength
        In [0, 1]: 0 is the identity, 1 takes the whole optical depth away.
    force
        Restore even where no haze is recognised.
    seconds
        Time constant of the filter over time, see `SteadyHaze`; 0 restores each frame by itself.
    """

    def __init__(
        self, dehazer: RestoresFrames, *, strength: float = 1.0, force: bool = False, seconds: float = SECONDS
    ) -> None:
        self.dehazer, self.strength, self.force = dehazer, strength, force
        self.steady = SteadyHaze(seconds)
        self.every = PERCEIVED_EVERY if seconds > 0 else 0.0
        self.shots = 0
        """Shots begun so far."""
        self._perceived: HazeField | None = None
        self._when = 0.0

    def __call__(self, pixels: npt.NDArray[Any], time: float) -> npt.NDArray[Any]:
        """Restore the frame (H, W, 3) uint8 or uint16 that is shown at `time`, in seconds; the same shape and type."""
        begins = self.steady.watch(_small(pixels), time)
        self.shots += begins
        # Half a frame of grace: times are rounded.
        if self._perceived is None or begins or time - self._when >= self.every - 5e-3:
            self._perceived = self.dehazer.perceive(pixels, strength=self.strength, force=self.force)
            self._when = time
        field = self.steady.follow(self._perceived, time)
        return self.dehazer.take_away(pixels, field) if field.amount > 0 else pixels


def _small(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """What is watched of a frame, in 8 bits."""
    height = max(1, round(_WATCHED * pixels.shape[0] / pixels.shape[1]))
    small = cv2.resize(pixels, (_WATCHED, height), interpolation=cv2.INTER_LINEAR)
    return (small // 257).astype(np.uint8) if pixels.dtype == np.uint16 else np.asarray(small, np.uint8)
