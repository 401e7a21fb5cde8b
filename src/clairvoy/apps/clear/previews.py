"""A photograph and what became of it as small pictures, to stand in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from clairvoy.imaging.formats.raster import to_eight_bits

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Result

HAZE_COLOURS, TAU_COLOURS = cv2.COLORMAP_BONE, cv2.COLORMAP_VIRIDIS
"""Of the maps, here and in the picture that `report` draws."""
_QUALITY = 80
_MAP_SHARE = 2
"""Maps are smooth: they have so many times fewer pixels a side."""


class Previews(NamedTuple):
    """WebP files."""

    before: bytes
    after: bytes
    haze: bytes
    tau: bytes


def previews_of(pixels: np.ndarray, result: Result, longer: int) -> Previews:
    """Draw the previews.

    Parameters
    ----------
    pixels
        The photograph as it was, (H, W, 3) uint8 or uint16.
    result
        What became of it.
    longer
        Pixels of the longer side; a smaller photograph keeps its size.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, longer / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = max(1, size[0] // _MAP_SHARE), max(1, size[1] // _MAP_SHARE)
    return Previews(
        _webp(_fit(pixels, size)),
        _webp(_fit(result.image, size)),
        _webp(coloured(_fit(result.haze, small), HAZE_COLOURS)),
        _webp(coloured(_fit(result.tau, small), TAU_COLOURS)),
    )


def coloured(values: np.ndarray, colours: int) -> np.ndarray:
    """Colours (H, W, 3) uint8 RGB of a map (H, W) in [0, 1]."""
    grey = np.round(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(grey, colours), cv2.COLOR_BGR2RGB)


def _fit(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _webp(pixels: np.ndarray) -> bytes:
    data = cv2.imencode(".webp", to_eight_bits(pixels)[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    return data.tobytes()
