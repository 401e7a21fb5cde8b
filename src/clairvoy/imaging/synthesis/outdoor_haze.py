"""How far one sees outdoors: depth of a rendered view as the haze in it counts depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage
from clairvoy.imaging.synthesis.fog_layers import FogBank, GroundFog, layered_optical_depth
from clairvoy.imaging.synthesis.outdoors import render_outdoors_with_height

EVEN, LOW = 0.55, 0.3
"""Probability of even haze, and of fog over the ground; the rest are banks that hang."""


def render_outdoor_haze(
    textures: Sequence[ByteImage], height: int, width: int, rng: np.random.Generator
) -> tuple[ByteImage, FloatImage]:
    """A rendered outdoor view, and the length of each line of sight in haze.

    Parameters
    ----------
    textures, height, width, rng
        See `outdoors.render_outdoors`.

    Returns
    -------
    rgb
        (height, width, 3) uint8, in clear air.
    depth
        (height, width) float32, above 0: depth in metres, or the optical depth of fog in layers, up to where all is lost.
    """
    rgb, depth, elevation, eye = render_outdoors_with_height(textures, height, width, rng)
    kind = rng.random()
    if kind >= EVEN:
        if kind < EVEN + LOW:
            profile: GroundFog | FogBank = GroundFog(float(np.exp(rng.uniform(np.log(3), np.log(300)))))
        else:
            base = float(np.exp(rng.uniform(np.log(5), np.log(300))))
            profile = FogBank(base, base * float(rng.uniform(1.3, 4)), base * float(rng.uniform(0.05, 0.4)))
        in_layers = layered_optical_depth(depth, elevation, eye, profile, 1.0)
        # Between the layers the air is not quite clear either.
        depth = (in_layers + depth * np.float32(rng.uniform(0.005, 0.1))).astype(np.float32)
    # The sky is so far that its depth alone would be the mean: how dense the haze is must not be told by it.
    near, far = np.log(np.quantile(depth, 0.2)), np.log(float(depth.max()))
    return rgb, np.clip(depth, 1e-3, np.exp(rng.uniform(near, far))).astype(np.float32)
