"""The colour of the airlight, made to agree with what is seen where haze is densest.

There hardly anything but the airlight is seen. If its estimate has a slightly other colour, the difference is multiplied
by exp(optical depth) like everything else, and a white sky turns cream and mist violet. The brightness is left to the
generator: a dark hill behind dense haze says nothing of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clairvoy.restoring.planes import enlarged

Float = npt.NDArray[np.float32]

DENSEST = 8
"""Power of 1 - t that places are weighed with: at half of the largest, a place counts a 250th."""
LARGEST = 0.08
"""How far, in a range of 1, a channel may be moved at most."""


def without_cast(airlight: Float, picture: Float, grid: Float) -> Float:
    """The airlight with the hue that the densest haze shows.

    Parameters
    ----------
    airlight
        As estimated, (1, 3) in [0, 1].
    picture
        What it was estimated from, (1, 3, H, W) in [0, 1].
    grid
        Optical depth, (1, bins, h, w) >= 0.

    Returns
    -------
    ndarray
        (1, 3) in [0, 1]. It is moved by as much of the difference as the densest haze hides of what is behind it: not at
        all where there is none.
    """
    hidden = 1 - np.exp(-enlarged(grid.mean(axis=1, keepdims=True), picture.shape[2:]))
    weight = hidden**DENSEST
    total = float(weight.sum())
    if total < 1e-9:
        return airlight
    weight /= total
    difference = ((picture - airlight[:, :, None, None]) * weight).sum(axis=(2, 3))
    hue = np.clip(difference - difference.mean(), -LARGEST, LARGEST)
    return np.clip(airlight + float((weight * hidden).sum()) * hue, 0, 1).astype(np.float32)
