"""Haze of a film: what is perceived of single frames, made steady.

Each frame by itself is perceived a little differently from its neighbours, and the restored film would flicker. The
field of optical depth, the airlight and the amount therefore follow what is perceived like a first-order low-pass
filter (exponential smoothing, Brown 1959), whose memory moves with the picture where the camera pans and is empty
after a cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

SECONDS = 0.42
"""Time constant. After a second, 91 % of a step in haze has been followed."""
SAME_SHOT = 0.35
"""Correlation of neighbouring frames, brought into line, below which there is a cut. Haze changes contrast, and no
correlation."""
PANNED = 0.12
"""Response of the phase correlation from which a displacement is believed."""
_SIDE = 128


@dataclass(frozen=True)
class HazeField:
    """What is perceived of a frame."""

    grid: Float
    """Optical depth, (bins, h, w) >= 0."""
    airlight: Float
    """(3,) in [0, 1]."""
    amount: float
    """Part of the optical depth to take away, in [0, 1]."""
    start: int | None = None
    """Column of a closed panorama at which the grid begins; None of other pictures."""

    def towards(self, other: HazeField, share: float) -> HazeField:
        """The mean of both, of which `share` in [0, 1] is the other's."""
        return HazeField(
            self.grid + np.float32(share) * (other.grid - self.grid),
            self.airlight + np.float32(share) * (other.airlight - self.airlight),
            self.amount + share * (other.amount - self.amount),
            self.start,
        )


class SteadyHaze:
    """Follows the haze of a film.

    Parameters
    ----------
    seconds
        Time constant of the filter; 0 follows at once, frame by frame.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.field: HazeField | None = None
        """What the last frame was restored with."""
        self._seen: Float | None = None
        self._time = 0.0

    def watch(self, picture: npt.NDArray[np.uint8], time: float) -> bool:
        """Look at the next frame, small or large, (H, W, 3), shown at a time in seconds.

        Returns
        -------
        Whether it begins a shot: nothing is remembered then, and it must be perceived.
        """
        grey = cv2.resize(
            cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
        )
        now, before = grey.astype(np.float32), self._seen
        self._seen = now
        if before is not None and self.field is not None:
            shift = _displacement(before, now)
            if _alike(_shifted(before, shift), now):
                if any(shift):
                    grid = self.field.grid
                    cells = shift[0] * grid.shape[2] / _SIDE, shift[1] * grid.shape[1] / _SIDE
                    self.field = replace(self.field, grid=np.stack([_shifted(one, cells) for one in grid]))
                return False
        self.field, self._time = None, time
        return True

    def follow(self, perceived: HazeField, time: float) -> HazeField:
        """The field to restore the frame of a time with, `perceived` being the newest that was perceived."""
        if self.field is None or self.seconds <= 0 or self.field.grid.shape != perceived.grid.shape:
            self.field = perceived
        else:
            share = 1 - float(np.exp(-max(0.0, time - self._time) / self.seconds))
            self.field = self.field.towards(perceived, share)
        self._time = time
        return self.field


def _displacement(before: Float, now: Float) -> tuple[float, float]:
    """How far the picture has moved, (right, down) in pixels; (0, 0) where no single displacement explains it."""
    window = cv2.createHanningWindow((_SIDE, _SIDE), cv2.CV_32F)
    # Windowed here: given the window, OpenCV 5 writes the product into the pictures themselves.
    (right, down), response = cv2.phaseCorrelate(before * window, now * window)
    if not response >= PANNED or max(abs(right), abs(down)) > _SIDE / 4:
        return 0.0, 0.0
    return float(right), float(down)


def _shifted(plane: Float, shift: tuple[float, float]) -> Float:
    """A plane moved right and down; what comes into view continues the border."""
    if not any(shift):
        return plane
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    height, width = plane.shape
    return np.asarray(
        cv2.warpAffine(
            plane, moved, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        dtype=np.float32,
    )


def _alike(before: Float, now: Float) -> bool:
    """Whether two frames show the same shot; even ones, in which nothing is to be told apart, do."""
    a, b = before - before.mean(), now - now.mean()
    spread = float(np.sqrt((a**2).mean() * (b**2).mean()))
    if spread < 1.0:
        return bool(abs(float(before.mean() - now.mean())) < 40)
    return bool(float((a * b).mean()) / spread >= SAME_SHOT)
