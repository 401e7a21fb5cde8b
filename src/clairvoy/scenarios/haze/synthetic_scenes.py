"""Scenes whose haze is known, made from numbers alone: a haze search that needs no photograph."""

from __future__ import annotations

import torch

from clairvoy.errors import SettingsError
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.searching.glimpse import WINDOW


def synthetic_scenes(
    scenes: int, rows: int, cols: int, seed: int, noise: float = 0.1, share: float = 0.3
) -> SceneSet:
    """Haze in one round patch of each scene; the belief is the truth plus noise; hazy windows are pale.

    Parameters
    ----------
    scenes, rows, cols
        How many scenes, and the size of their grid.
    seed
        The same seed gives the same scenes.
    noise
        Standard deviation of the error of the believed haze.
    share
        Part of the windows that is hazy, about; at least one is.
    """
    if scenes < 1 or not 0 < share <= 1:
        raise SettingsError(f"scenes is {scenes} and share {share}; they must be at least 1 and in (0, 1]")
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(scenes, 2, 1, 1, generator=generator) * torch.tensor([rows, cols])[:, None, None]
    row, column = torch.arange(rows)[:, None] + 0.5, torch.arange(cols)[None, :] + 0.5
    distance = (row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2
    count = max(1, round(share * rows * cols))
    radius = distance.flatten(1).kthvalue(count, dim=1).values
    hazy = distance <= radius[:, None, None]
    beliefs = torch.rand(scenes, 4, rows, cols, generator=generator)
    noisy = hazy + noise * torch.randn(scenes, rows, cols, generator=generator)
    beliefs[:, 0] = noisy.clamp(0, 1)
    pixels = torch.randint(0, 128, (scenes, rows, cols, 3, WINDOW, WINDOW), generator=generator)
    windows = (pixels + 100 * hazy[..., None, None, None]).to(torch.uint8)
    return SceneSet.of(windows, hazy, beliefs)
