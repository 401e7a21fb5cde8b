"""A painting as 8-bit pixels: the finished one, or how it came about."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clairvoy.painting.painting import Painting, on_paper


def rgba(painting: Painting, longer: int) -> np.ndarray:
    """(H, W, 4) uint8, colours not multiplied by alpha."""
    canvas = painting.draw(longer)
    alpha = canvas[..., 3:]
    colours = np.divide(canvas[..., :3], alpha, out=np.zeros_like(canvas[..., :3]), where=alpha > 1e-9)
    return _bytes(np.concatenate([colours, alpha], axis=2))


def film(painting: Painting, longer: int, most: int) -> Iterator[np.ndarray]:
    """Yield (H, W, 3) uint8 on white paper, at most so many, from the empty canvas to the last stroke."""
    count = len(painting.strokes)
    wanted = {round(count * k / max(1, most - 1)) for k in range(most)}
    for number, canvas in enumerate(painting.stages(longer)):
        if number in wanted:
            yield _bytes(on_paper(canvas))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
