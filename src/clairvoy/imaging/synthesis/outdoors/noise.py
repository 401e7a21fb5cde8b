"""Fractal noise as periodic tiles that fade with distance, as a mip map does (Williams 1983)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.depth import ByteImage

Floats = npt.NDArray[np.floating]
"""Real numbers; pictures are float32 throughout, single points may be float64."""
Tile = tuple[Floats, ...]
"""One periodic texture at falling sharpness: level k is the first one reduced by 4**k in each direction."""
SIDE = 256
"""Of a tile, in texels."""


def fractal_tile(rng: np.random.Generator, steepness: float = 1.6) -> Tile:
    """Noise of mean 0 and deviation 1 whose amplitude falls with frequency to the power of `steepness`.

    1 is rough as gravel, 1.6 as mountains, 2.2 as soft as clouds (Voss 1985, spectral synthesis).
    """
    frequency = (np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]) * SIDE).astype(
        np.float32
    )
    frequency[0, 0] = np.inf
    white = rng.standard_normal((*frequency.shape, 2), np.float32).view(np.complex64)[..., 0]
    noise = np.fft.irfft2(white * np.maximum(frequency, 1.5) ** np.float32(-steepness), s=(SIDE, SIDE))
    return _reduce((noise / noise.std()).astype(np.float32))


def photograph_tile(photograph: ByteImage, rng: np.random.Generator) -> Tile:
    """The structure of part of a photograph as a factor on a colour: (256, 256, 3), 1 on average, mirrored to repeat."""
    height, width = photograph.shape[:2]
    side = max(4, int(min(height, width) * rng.uniform(0.3, 0.9)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    half = SIDE // 2
    part = cv2.resize(
        photograph[top : top + side, left : left + side], (half, half), interpolation=cv2.INTER_AREA
    )
    linear = (part / np.float32(255)) ** np.float32(2.0) + np.float32(0.02)
    # Its own light and shade are not the place's: only what differs from the surroundings counts.
    around = cv2.resize(linear, (6, 6), interpolation=cv2.INTER_AREA)
    factor = linear / cv2.resize(around, (half, half), interpolation=cv2.INTER_LINEAR)
    # Mostly its structure, little of its colours: grass is not made of flowers, nor a wall of sky.
    grey = factor.mean(axis=-1, keepdims=True)
    factor = np.power(np.maximum(grey + 0.3 * (factor - grey), 0.05), np.float32(0.55))
    row = np.concatenate([factor, factor[:, ::-1]], axis=1)
    return _reduce(np.clip(np.concatenate([row, row[::-1]], axis=0), 0.3, 2.0).astype(np.float32))


def _reduce(tile: Floats) -> Tile:
    levels = [tile]
    for _ in range(2):
        side = levels[-1].shape[0] // 4
        levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA).astype(np.float32))
    return tuple(levels)


def sample(tile: Tile, u: Floats, v: Floats, footprint: Floats | float = 0.0) -> Floats:
    """Value of the tile at (u, v), in tiles: it repeats at every whole number.

    Parameters
    ----------
    tile
        What to look up.
    u, v
        (H, W), in tiles.
    footprint
        How much of the tile one pixel covers, in tiles: beyond two texels the next level takes over, and beyond half a
        tile nothing but the mean is left.
    """
    level = np.log2(np.maximum(footprint, 1e-9) * (SIDE / 2)) / 2
    value: Floats = np.zeros((*u.shape, *tile[0].shape[2:]), np.float32)
    rest = np.ones(np.shape(footprint), np.float32)
    fraction_u, fraction_v = u - np.floor(u), v - np.floor(v)
    for index, texels in enumerate(tile):
        side = texels.shape[0]
        weight = np.clip(1 - np.abs(level - index), 0, 1) if index else np.clip(1 - level, 0, 1)
        weight = np.asarray(weight, np.float32)
        if not weight.any():
            continue
        seen = cv2.remap(
            texels,
            (fraction_u * side).astype(np.float32),
            (fraction_v * side).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        share = weight[..., None] if value.ndim == 3 and weight.ndim else weight
        value += seen * share
        rest = np.asarray(rest - weight, np.float32)
    mean = tile[-1].mean(axis=(0, 1), dtype=np.float32)
    share = rest[..., None] if value.ndim == 3 and rest.ndim else rest
    return np.asarray(value + mean * share, dtype=np.float32)


def smoothstep(low: float, high: float, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, smooth in between (Hermite)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
