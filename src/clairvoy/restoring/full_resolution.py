"""The pass over a picture at full resolution: the one place where haze is taken away from pixels that somebody keeps.

`Dehazer` restores whole pictures with it, and the search the windows that it recognised. Every pixel reads the
bilateral grid with a guide made of its own colour, and the physics is inverted there; 16 bits stay 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy.imaging.picture_kinds import peak
from clairvoy.restoring import vectorised

Float = npt.NDArray[np.float32]

COMPILED_FROM = 2_000_000
"""Pixels from which the compiled pass is worth loading (a third of a second)."""
PIXELS_AT_A_TIME = 100_000
"""What a thread takes from the queue: rows that stay in its cache."""


@dataclass(frozen=True)
class Box:
    """A part of a scene of `height` x `width` pixels, from row `top` and column `left` on."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Guide:
    """What the grid is read with, made of each pixel's own colour; all float32.

    Attributes
    ----------
    hidden, hidden_bias
        First layer, (n, 3) and (n,).
    spread, spread_bias
        Second layer, (n,) and one number.
    """

    hidden: Float
    hidden_bias: Float
    spread: Float
    spread_bias: float


@dataclass(frozen=True)
class FullResolution:
    """What the pass needs to know.

    Attributes
    ----------
    grid
        Optical depth, (bins, h, w) float32 >= 0.
    guide
        See `Guide`.
    airlight
        (3,) float32 in [0, 1].
    start
        Column of the picture at which the grid begins, where both close to a ring; None where they do not.
    """

    grid: Float
    guide: Guide
    airlight: Float
    start: int | None = None

    def restore(
        self,
        pixels: npt.NDArray[Any],
        strength: float = 1.0,
        *,
        box: Box | None = None,
        mask: Float | None = None,
        threads: int = 1,
    ) -> npt.NDArray[Any]:
        """Restored pixels, (H, W, 3) of the type that came in.

        Parameters
        ----------
        pixels
            (H, W, 3) uint8, uint16 or float32 in [0, 1].
        strength
            In [0, 1]: 0 is the identity, 1 takes the whole optical depth away.
        box
            Where in a larger scene, which the grid covers, the pixels lie; by default they are all of it.
        mask
            How much is taken away where, (H, W) in [0, 1]; everywhere alike if not given.
        threads
            How many work on it.
        """
        out = np.empty_like(pixels)
        self._run("restore", pixels, out, strength, box, mask, threads)
        return out

    def transmission(self, pixels: npt.NDArray[Any], threads: int = 1) -> Float:
        """exp(-optical depth) along the pixels, (H, W) in (0, 1]; parameters as of `restore`."""
        out = np.empty(pixels.shape[:2], np.float32)
        self._run("transmission", pixels, out, 1.0, None, None, threads)
        return out

    def _run(
        self,
        name: str,
        pixels: npt.NDArray[Any],
        out: npt.NDArray[Any],
        strength: float,
        box: Box | None,
        mask: Float | None,
        threads: int,
    ) -> None:
        height, width = pixels.shape[:2]
        box = box or Box(0, 0, height, width)
        white = peak(pixels)
        # (h, w, bins): what one pixel needs lies together. A grid of one column is read between it and itself.
        grid = np.ascontiguousarray(self.grid.transpose(1, 2, 0))
        if self.start is not None:
            grid = np.pad(grid, ((0, 0), (1, 1), (0, 0)), mode="wrap")
        if grid.shape[1] == 1:
            grid = np.repeat(grid, 2, axis=1)
        if grid.shape[0] == 1:
            grid = np.repeat(grid, 2, axis=0)
        above, part = places(box.top, height, box.height, grid.shape[0])
        left, share = places(box.left, width, box.width, grid.shape[1], start=self.start)
        # One row of ones serves all rows: a mask of the picture's size would cost as much as the picture.
        within = np.ones((1, width), np.float32) if mask is None else np.ascontiguousarray(mask, np.float32)
        guide = self.guide
        reading = vectorised.Reading(
            grid, (left * grid.shape[2]).astype(np.int32), share, np.ascontiguousarray(guide.hidden.T), guide.hidden_bias,
            guide.spread, np.float32(guide.spread_bias), np.float32(1 / white),
        )  # fmt: skip
        colours = (self.airlight * np.float32(white), np.float32(white)) if name == "restore" else ()
        kernel: Callable[..., None] = getattr(_engine(box.height * box.width), name)
        rows = max(1, PIXELS_AT_A_TIME // width)

        def work(top: int) -> None:
            at = slice(top, top + rows)
            kernel(
                pixels[at],
                out[at],
                within[at] if len(within) > 1 else within,
                above[at],
                part[at],
                reading,
                np.float32(strength),
                *colours,
            )

        tops = range(0, height, rows)
        if threads <= 1 or len(tops) == 1:
            for top in tops:
                work(top)
            return
        # Both kernels let go of the interpreter's lock, so plain threads do, and several callers are no trouble.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, tops))


def _engine(pixels: int) -> ModuleType:
    """What computes: compiled loops where numba is installed and there is enough to do, else NumPy.

    It goes by the size of the scene: all windows of one are computed alike, to the last bit.
    """
    if pixels < COMPILED_FROM or find_spec("numba") is None:
        return vectorised
    from clairvoy.restoring import compiled

    return compiled


def places(
    first: int, count: int, length: int, cells: int, *, start: int | None = None
) -> tuple[npt.NDArray[np.int64], Float]:
    """For pixels `first` and on of `length`: the cell before each, and how far it lies towards the next.

    Cell centres cover the length evenly, as in `bilateral_grid.slice_grid`. With `start`, pixels and cells close to a ring:
    cells begin at that pixel, and the first and the last of them repeat the other end.
    """
    pixel = np.arange(first, first + count)
    if start is None:
        place = np.clip((pixel + 0.5) * cells / length - 0.5, 0, cells - 1)
    else:
        place = ((pixel - start) % length + 0.5) * (cells - 2) / length + 0.5
    before = np.clip(np.floor(place).astype(np.int64), 0, cells - 2)
    return before, (place - before).astype(np.float32)
