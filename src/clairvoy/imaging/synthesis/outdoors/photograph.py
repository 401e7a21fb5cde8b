"""From linear light to a photograph: exposure, tone curve, the softness of a lens, grain, a camera held askew."""

from __future__ import annotations

import cv2
import numpy as np

from clairvoy.imaging.synthesis.depth import ByteImage
from clairvoy.imaging.synthesis.outdoors.noise import Floats


def level_size(height: int, width: int, angle: float) -> tuple[int, int]:
    """Size of the level view that a view of this size, turned by an angle in radians, fits into."""
    c, s = abs(np.cos(angle)), abs(np.sin(angle))
    return int(np.ceil(height * c + width * s)) + 2, int(np.ceil(width * c + height * s)) + 2


def turn(planes: list[Floats], height: int, width: int, angle: float) -> list[Floats]:
    """The view of (height, width) turned by an angle about the middle of level planes.

    Colour (three channels) is interpolated; of depth and the like the nearest value is kept, so that no pixel hangs
    between a near thing and a far one.
    """
    source = planes[0].shape
    c, s = float(np.cos(angle)), float(np.sin(angle))
    middle, old = (
        np.array([(width - 1) / 2, (height - 1) / 2]),
        np.array([(source[1] - 1) / 2, (source[0] - 1) / 2]),
    )
    turning = np.array([[c, -s], [s, c]])
    shift = np.concatenate([turning, (old - turning @ middle)[:, None]], axis=1)
    turned = []
    for plane in planes:
        way = (cv2.INTER_LINEAR if plane.ndim == 3 else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP
        turned.append(
            cv2.warpAffine(plane, shift, (width, height), flags=way, borderMode=cv2.BORDER_REPLICATE)
        )
    return turned  # type: ignore[return-value]


def expose(light: Floats, rng: np.random.Generator) -> Floats:
    """Choose an exposure and develop: linear light (H, W, 3) to display values in [0, 1].

    The mean of the developed picture is near mid grey, as exposure meters have it, but darker and brighter on
    purpose; what is bright runs softly into white.
    """
    small = light[::4, ::4].mean(axis=-1)
    target = np.clip(rng.normal(0.49, 0.1), 0.2, 0.75)
    # The mean of the square roots is close to the mean of the developed picture.
    gain = (target / max(float(np.sqrt(small).mean()), 1e-3)) ** 2
    developed = cv2.pow(np.maximum(light * np.float32(gain), 0), 1 / rng.uniform(1.9, 2.4))
    # Cameras deepen the shadows: without it every dull day would look hazy.
    steep = rng.uniform(1.0, 1.5)
    developed = np.maximum(developed * np.float32(steep) - np.float32(0.4 * (steep - 1)), 0)
    shoulder = np.float32(0.7)
    above = np.maximum(developed - shoulder, 0)
    soft = np.minimum(developed, shoulder) + (1 - shoulder) * (1 - cv2.exp(above / (shoulder - 1)))
    grey = cv2.transform(soft, np.full((1, 3), 1 / 3, np.float32))[..., None]
    return np.asarray(grey + (soft - grey) * np.float32(rng.uniform(0.6, 1.25)), np.float32)


def develop(light: Floats, rng: np.random.Generator) -> ByteImage:
    """Linear light (H, W, 3) to a photograph (H, W, 3) uint8, slightly blurred and grainy."""
    picture = cv2.GaussianBlur(expose(light, rng), (0, 0), rng.uniform(0.35, 0.8))
    # Grain is of brightness more than of colour, once a camera is done with it.
    grain = rng.standard_normal((*picture.shape[:2], 1), np.float32) * np.float32(rng.uniform(0, 0.012))
    return (np.clip(picture + grain, 0, 1) * 255).round().astype(np.uint8)
