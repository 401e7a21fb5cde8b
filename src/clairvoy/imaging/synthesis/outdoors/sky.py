"""The sky, its clouds, and the light that it gives: from a dull grey lid to a sunset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Canvas, Colour
from clairvoy.imaging.synthesis.outdoors.noise import Floats, Tile, sample, smoothstep


@dataclass(frozen=True)
class Light:
    """What lights the view.

    Attributes
    ----------
    sun
        (3,) unit vector towards the sun: right, up, ahead.
    direct, ambient
        (3,) what a white sheet sends back of the sun alone, facing it, and of the whole sky.
    horizon
        (3,) colour of the sky low down, which water at a distance mirrors.
    """

    sun: Floats
    direct: Colour
    ambient: Colour
    horizon: Colour

    def on(self, right: Floats | float, up: Floats | float, ahead: Floats | float) -> Floats:
        """Light (..., 3) on a surface of this unit normal; what looks up sees more of the sky."""
        facing = np.maximum(self.sun[0] * right + self.sun[1] * up + self.sun[2] * ahead, 0)
        open_sky = 0.62 + 0.38 * np.asarray(up)
        return np.asarray(
            np.asarray(facing)[..., None] * self.direct + open_sky[..., None] * self.ambient, np.float32
        )


def _rgb(*values: float) -> Colour:
    return np.array(values, np.float32)


def draw_light(rng: np.random.Generator) -> tuple[Light, Colour, float]:
    """Light, the colour of the zenith, and how much of the sky is cloud (0 to 1): dull days more often than not."""
    kind = rng.random()
    azimuth, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(0.15, 1.1)
    jitter = rng.normal(1, 0.03, 3).astype(np.float32)
    if kind < 0.45:
        grey = _rgb(0.93, 0.97, 1.0) * jitter
        light = Light(_sun(azimuth, elevation), grey * rng.uniform(0, 0.25), grey * 0.9, grey)
        return light, grey * rng.uniform(0.45, 1.05), 1.0
    if kind < 0.85:
        horizon = _rgb(0.62, 0.76, 0.9) * rng.uniform(0.7, 1.1) * jitter
        zenith = _rgb(0.12, 0.27, 0.6) * rng.uniform(0.7, 1.5) * jitter
        warm = _rgb(1.0, 0.93, 0.83) * rng.uniform(0.7, 1.5)
        return (
            Light(_sun(azimuth, elevation), warm, _rgb(0.38, 0.45, 0.55), horizon),
            zenith,
            rng.uniform(0, 0.85),
        )
    horizon = _rgb(1.0, rng.uniform(0.45, 0.75), rng.uniform(0.2, 0.55)) * rng.uniform(0.5, 0.95)
    zenith = _rgb(0.17, 0.22, 0.38) * rng.uniform(0.5, 1.3)
    low = _sun(rng.normal(0, 0.9), rng.uniform(0.03, 0.2))
    return (
        Light(low, _rgb(0.85, 0.5, 0.28) * rng.uniform(0.3, 1), _rgb(0.3, 0.28, 0.32), horizon),
        zenith,
        rng.uniform(0, 0.8),
    )


def _sun(azimuth: float, elevation: float) -> Floats:
    level = np.cos(elevation)
    return np.array([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level], np.float32)


def paint_sky(
    canvas: Canvas, light: Light, zenith: Colour, cover: float, fractal: Tile, rng: np.random.Generator
) -> None:
    """Fill the view with sky, down to below the horizon; the depth stays infinite.

    Parameters
    ----------
    zenith
        (3,) colour overhead.
    cover
        How much of the sky is cloud, 0 to 1; at 1 it is a closed grey ceiling.
    fractal
        Noise that clouds are made of.
    """
    width = canvas.shape[1]
    # Below the horizon the last row goes on.
    last = int(np.clip(canvas.horizon + 2, 1, canvas.shape[0]))
    across, up = canvas.across(), np.maximum(-canvas.down()[:last], 0)
    rise = 1 - np.exp(-up * rng.uniform(1.5, 4))
    sky = (light.horizon * (1 - rise[..., None]) + zenith * rise[..., None]) * np.ones(
        (1, width, 1), np.float32
    )
    # The glow around the sun, as wide as the air is dusty.
    length = np.sqrt(1 + across**2 + up**2)
    towards = (light.sun[0] * across + light.sun[1] * up + light.sun[2]) / length
    glow = np.exp((np.minimum(towards, 1) - 1) * rng.uniform(4, 60)) * rng.uniform(0.3, 1.5)
    sky = sky + glow[..., None] * light.direct
    # A flat ceiling of cloud seen in perspective: streaks low down, heaps overhead.
    away = 1 / (up + rng.uniform(0.06, 0.25))
    size, drift = rng.uniform(0.03, 0.2), rng.random(2).astype(np.float32)
    u = (across * away * size + drift[0]).astype(np.float32)
    v = np.broadcast_to(away * size * rng.uniform(1.0, 2.0) + drift[1], u.shape).astype(np.float32)
    noise = sample(fractal, u, v)
    lit = sample(fractal, u + np.float32(0.015) * light.sun[0], v - np.float32(0.015)) - noise
    bright = np.maximum(light.horizon, light.ambient) * rng.uniform(0.85, 1.15)
    edge = np.float32(1.6 - 3.2 * cover)
    veil = smoothstep(float(edge), float(edge) + rng.uniform(0.6, 2.2), noise) * rng.uniform(0.5, 1.0)
    shade = np.clip(1 - rng.uniform(0.05, 0.22) * noise - 0.4 * lit, 0.3, 1.5)
    if cover == 1.0:
        veil, shade = np.ones_like(noise), 1 + (shade - 1) * np.float32(rng.uniform(0.05, 0.8))
        cloud = sky * shade[..., None]
    else:
        cloud = (bright + 0.4 * glow[..., None] * light.direct) * shade[..., None]
    # Far clouds drown in the brightness over the horizon.
    veil = veil * smoothstep(0.0, 0.08, up)
    canvas.colour[:last] = np.maximum(sky + (cloud - sky) * veil[..., None], 0)
    canvas.colour[last:] = canvas.colour[last - 1]
