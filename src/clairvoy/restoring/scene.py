"""The search at work on one large scene: what it reads, where it recognises haze, and those windows restored.

Windows are read when the agent comes to stand on them, once each. What is known of the scene afterwards, a thumbnail or
the windows read, is perceived once, as a whole: one airlight and one grid of optical depth for all recognised windows,
so that they fit together. Towards windows that were not recognised the restoration fades out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from clairvoy.errors import SettingsError
from clairvoy.generative.density.picture_size import working_size
from clairvoy.imaging.hidden import fill, resized
from clairvoy.imaging.scenes import Scene
from clairvoy.imaging.windows import window_grid
from clairvoy.restoring.cast import without_cast
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.full_resolution import Box, Float, FullResolution, places
from clairvoy.restoring.planes import as_planes, enlarged, small
from clairvoy.searching.beliefs import PERCEIVED_SIDE, pool_beliefs
from clairvoy.searching.explore import SearchResult, explore
from clairvoy.searching.glimpse import BELIEF_CHANNELS, WINDOW

MOST_WINDOWS = 128
"""Along a side: the agent's own work would take longer than reading from there on."""
_FADE = 0.75
"""Width of the fade inside a recognised window, in windows."""
_MASK = 16
"""Pixels of the mask along a side of a window."""


def choose_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of about square windows: about 128 pixels each, 8 to 64 of them along the longer side."""
    longest = max(height, width)
    count = min(64, max(8, round(longest / 128)), longest)
    side = longest / count
    return max(1, round(height / side)), max(1, round(width / side))


@dataclass(frozen=True)
class SearchedScene:
    """What a search of a scene found."""

    search: SearchResult
    boxes: np.ndarray
    """(R, C, 4): top, left, bottom, right of each window in pixels."""
    sketch: np.ndarray
    """All that is known of the scene at low resolution, (h, w, 3) uint8; unread parts are filled from around."""
    known: np.ndarray
    """(h, w) bool: what of the sketch was seen."""
    haze: np.ndarray
    """1 - transmission of the sketch, (h, w) float32 in [0, 1]; 0 where nothing was seen."""
    tau: float
    """Mean confidence in the restoration of the recognised windows; 0 if there are none."""
    airlight: Float
    """(3,) in [0, 1]."""
    grid: Float
    """Bilateral grid of optical depth over the whole scene, (bins, h, w)."""
    used_thumbnail: bool


class SceneSearcher:
    """Searches one scene.

    Parameters
    ----------
    engine
        Trained weights.
    scene
        Where windows come from.
    rows, cols
        The grid of windows.
    thumbnail
        Whether to perceive a thumbnail first; None: if the scene has one at hand.

    Raises
    ------
    SettingsError
        More windows than pixels or than `MOST_WINDOWS` along a side; a thumbnail that the scene does not have.
    """

    def __init__(
        self, engine: Engine, scene: Scene, rows: int, cols: int, thumbnail: bool | None = None
    ) -> None:
        if not 1 <= min(rows, cols) <= max(rows, cols) <= MOST_WINDOWS:
            raise SettingsError(
                f"the grid is {rows}x{cols} windows; give 1 to {MOST_WINDOWS} along each side"
            )
        if rows > scene.height or cols > scene.width:
            raise SettingsError(
                f"the grid is {rows}x{cols} windows, the scene {scene.height}x{scene.width} pixels; give fewer windows"
            )
        self.engine, self.scene, self.rows, self.cols = engine, scene, rows, cols
        self.boxes = window_grid(scene.height, scene.width, rows, cols)
        self.preview = scene.thumbnail() if thumbnail is not False else None
        if thumbnail and self.preview is None:
            raise SettingsError(
                "the scene has no thumbnail at hand, and to make one all of it would be read; "
                "search without one, or save it with an overview"
            )
        self._seen: dict[tuple[int, int], np.ndarray] = {}

    def run(self, budget: float = 1.0, difficulty: float = 0.0) -> SearchedScene:
        """Search; see `explore.explore` for the parameters."""
        engine, beliefs = self.engine, None
        if self.preview is not None:
            thumbnail = small(self.preview, None, working_size(*self.preview.shape[:2]))
            beliefs = pool_beliefs(*engine.perceive(thumbnail).beliefs, self.rows, self.cols)
        found = explore(
            engine.q_values, self._read, self.rows, self.cols,
            preview=beliefs, budget=budget, difficulty=difficulty,
        )  # fmt: skip
        sketch, known = self._sketch()
        shown = small(sketch, None, working_size(self.scene.height, self.scene.width))
        seen = engine.perceive(shown)
        tau = pool_beliefs(*seen.beliefs, self.rows, self.cols)[0, BELIEF_CHANNELS.index("tau")]
        chosen = tau[found.recognised]
        return SearchedScene(
            search=found,
            boxes=self.boxes,
            sketch=sketch,
            known=known,
            haze=enlarged(seen.haze, known.shape)[0, 0] * known,
            tau=float(chosen.mean()) if len(chosen) else 0.0,
            airlight=without_cast(seen.airlight, shown, seen.grid)[0],
            grid=seen.grid[0],
            used_thumbnail=self.preview is not None,
        )

    def _read(self, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
        """Read a window: as the agent sees it, and what generator and discriminator believe of it."""
        box = tuple(int(edge) for edge in self.boxes[row, column])
        pixels, hidden = self.scene.window(*box), self.scene.hidden(*box)
        if pixels.dtype != np.uint8:
            pixels = (pixels >> 8).astype(np.uint8)
        shrinks = min(pixels.shape[:2]) >= PERCEIVED_SIDE
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        seen = resized(pixels, (PERCEIVED_SIDE, PERCEIVED_SIDE), how, hidden).astype(np.float32) / 255
        window = np.rint(cv2.resize(seen, (WINDOW, WINDOW), interpolation=cv2.INTER_AREA) * 255)
        shown = np.ascontiguousarray(window.transpose(2, 0, 1).astype(np.uint8))
        self._seen[row, column] = shown
        beliefs = pool_beliefs(*self.engine.perceive(as_planes(seen)).beliefs, 1, 1)
        return shown, beliefs[0, :, 0, 0]

    def _sketch(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (h, w, 3) uint8 and what of them is known, (h, w) bool."""
        if self.preview is not None:
            return self.preview, np.ones(self.preview.shape[:2], bool)
        side = next(size for size in (32, 16, 8) if size == 8 or self.rows * self.cols * size**2 <= 2_000_000)
        sketch = np.zeros((self.rows * side, self.cols * side, 3), np.float32)
        known = np.zeros(sketch.shape[:2], bool)
        for (row, column), window in self._seen.items():
            place = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
            pixels = np.ascontiguousarray(window.transpose(1, 2, 0))
            sketch[place] = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
            known[place] = True
        return np.rint(fill(sketch, known)).astype(np.uint8), known


class WindowRestorer:
    """Restores the recognised windows of a scene; the rest stays as it is, to the bit.

    Parameters
    ----------
    engine
        What searched.
    found
        What it found.
    strength
        0 is the identity, 1 the whole optical depth is taken away.
    """

    def __init__(self, engine: Engine, found: SearchedScene, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise SettingsError(f"strength is {strength}; it must lie in [0, 1]")
        self.whole = FullResolution(found.grid, engine.released.guide, found.airlight)
        self.threads = engine.threads
        self.mask = strength * fading_mask(found.search.recognised)
        self.height, self.width = (int(edge) for edge in found.boxes[-1, -1, 2:])

    def __call__(self, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
        """Restore what is recognised of a box whose pixels (h, w, 3) uint8 or uint16 begin at row `top`, column `left`."""
        rows, columns = pixels.shape[:2]
        mask = sampled(
            self.mask, slice(top, top + rows), slice(left, left + columns), (self.height, self.width)
        )
        if not (mask > 0).any():
            return pixels
        box = Box(top, left, self.height, self.width)
        restored = self.whole.restore(np.ascontiguousarray(pixels), box=box, mask=mask, threads=self.threads)
        return np.where(mask[..., None] > 0, restored, pixels)


def fading_mask(recognised: np.ndarray) -> np.ndarray:
    """From 0 outside recognised windows (R, C) bool, and at their edge, smoothly to 1 inside: (R 16, C 16) float32.

    At the border of the scene it does not fade.
    """
    fine = np.pad(recognised.astype(np.uint8), 1, mode="edge").repeat(_MASK, 0).repeat(_MASK, 1)
    if fine.all():
        return np.ones((recognised.shape[0] * _MASK, recognised.shape[1] * _MASK), np.float32)
    # The outermost pixel inside is 0 too: nothing leaks out when the mask is interpolated.
    inside = cv2.distanceTransform(fine, cv2.DIST_L2, 5)[_MASK:-_MASK, _MASK:-_MASK] - 1.0
    rise = np.clip(inside / (_FADE * _MASK), 0, 1)
    return (rise * rise * (3 - 2 * rise)).astype(np.float32)


def sampled(plane: np.ndarray, rows: slice, columns: slice, size: tuple[int, int]) -> np.ndarray:
    """Interpolate a plane (h, w) over a scene of `size` pixels at the pixels of a box: (rows, columns) float32."""
    above, down = places(rows.start, rows.stop - rows.start, size[0], plane.shape[0])
    left, right = places(columns.start, columns.stop - columns.start, size[1], plane.shape[1])
    lines = plane[above] * (1 - down[:, None]) + plane[above + 1] * down[:, None]
    return lines[:, left] * (1 - right) + lines[:, left + 1] * right
