"""Frames as an animation that every browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

SAMPLED = 8
"""Frames that colours are taken from, spread over all."""


def animation(frames: Sequence[np.ndarray], milliseconds: int = 150) -> bytes:
    """Encode frames (H, W, 3) uint8 as a GIF that repeats, the last frame held longer."""
    # One palette for all frames, from some of them: else still parts would flicker.
    some = np.unique(np.linspace(0, len(frames) - 1, SAMPLED).round().astype(int))
    palette = Image.fromarray(np.concatenate([frames[k] for k in some])).quantize(
        255, method=Image.Quantize.MEDIANCUT
    )
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = BytesIO()
    images[0].save(
        file, format="GIF", save_all=True, append_images=images[1:], loop=0,
        duration=[milliseconds] * (len(images) - 1) + [10 * milliseconds],
    )  # fmt: skip
    return file.getvalue()
