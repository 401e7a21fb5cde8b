"""A haze co-training to look at: held-out scenes restored, and an episode of the agent as an animation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from clairvoy.drawing.animation import animation
from clairvoy.drawing.palette import GREEN, RED, WHITE, Colour
from clairvoy.drawing.png import picture_png
from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.scenarios.haze.scenario import HazeScenario
from clairvoy.scenarios.haze.scene_set import hazy_windows, windows_of
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import GRID, search
from clairvoy.searching.glimpse import STAY

SIDE = 256
"""Of a scene, as drawn."""
FOUND, WRONG, HERE = GREEN, RED, WHITE
"""Recognised with haze, recognised without, the window now."""


@torch.no_grad()
def pictures(scenario: HazeScenario) -> dict[str, bytes]:
    """`sample.png`: rows hazy, restored, true of held-out scenes; `episode.gif`: the agent in the first of them."""
    pairs = scenario.examples(4)
    device = scenario.device
    pairs = SyntheticPairs(
        *(getattr(pairs, name).to(device) for name in ("hazy", "clear", "optical_depth", "airlight", "depth"))
    )
    perceiver = scenario.perceiver
    seen = perceiver.perceive(pairs.hazy)
    restored = perceiver.restore(pairs.hazy, seen)
    maps = pool_beliefs(*perceiver.beliefs(seen))
    if not scenario.beliefs_told:
        maps = torch.zeros_like(maps)
    windows = windows_of(pairs.hazy)
    found = search(scenario.agent.network, windows[:1], maps[:1])
    frames = episode(
        pairs.hazy[0], restored[0], hazy_windows(pairs.optical_depth[:1])[0].cpu().numpy(), found.path
    )
    return {
        "sample.png": picture_png(strip([pairs.hazy, restored, pairs.clear])),
        "episode.gif": animation(frames),
    }


def strip(rows: Sequence[Tensor]) -> np.ndarray:
    """Rows of pictures (B, 3, S, S) in [0, 1] as one picture (H, W, 3) uint8."""
    return np.concatenate([np.concatenate([pixels(one) for one in row], axis=1) for row in rows])


def episode(
    hazy: Tensor, restored: Tensor, truth: np.ndarray, path: Sequence[tuple[int, int, int]]
) -> list[np.ndarray]:
    """A frame (256, 256, 3) uint8 for each step: what was recognised is restored, the window now has a frame.

    Parameters
    ----------
    hazy, restored
        (3, S, S) in [0, 1].
    truth
        Which windows are hazy, (8, 8) bool: a window recognised gets a green edge if it is, else a red one.
    path
        Row, column and action of each step, as `explore.SearchResult.path`.
    """
    before, after = (_sized(pixels(one)) for one in (hazy, restored))
    shown, side = before.copy(), SIDE // GRID
    frames, settled = [], set()
    for row, column, action in [*path, (*path[-1][:2], -1)]:
        frame = shown.copy()
        _edge(frame, row, column, HERE, 2)
        frames.append(frame)
        if action == STAY and (row, column) not in settled:
            settled.add((row, column))
            at = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
            shown[at] = after[at]
            _edge(shown, row, column, FOUND if truth[row, column] else WRONG, 1)
    return frames


def pixels(picture: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] as (H, W, 3) uint8."""
    return (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def _sized(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _edge(frame: np.ndarray, row: int, column: int, colour: Colour, wide: int) -> None:
    side = frame.shape[0] // GRID
    at = frame[row * side : (row + 1) * side, column * side : (column + 1) * side]
    for part in (at[:wide], at[-wide:], at[:, :wide], at[:, -wide:]):
        part[...] = colour
