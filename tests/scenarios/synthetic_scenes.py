"""Scenes whose haze is known, made from numbers alone."""

import torch

from clairvoy.scenarios.scene_set import SceneSet


def synthetic_scenes(scenes, rows, cols, seed, noise=0.1, share=0.3):
    """Haze in one round patch of each scene; the belief is the truth plus noise; hazy windows are pale."""
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
    pixels = torch.randint(0, 128, (scenes, rows, cols, 3, 32, 32), generator=generator)
    windows = (pixels + 100 * hazy[..., None, None, None]).to(torch.uint8)
    return SceneSet.of(windows, hazy, beliefs)
