"""What a camera, an editor and a file do to a photograph after the light has come through the haze.

The formation model speaks of light; photographs in the world have been through noise, a tone curve, a colour grade and
JPEG, in this order. A model that never saw them takes graded mist for a pale hillside and coding blocks for detail.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

MAX_NOISE = 0.01
"""Largest standard deviation of the sensor's noise, of a range of 1; drawn evenly from 0."""
GRADED = 0.35
"""Probability that a photograph was graded."""
COMPRESSED = 0.4
"""Probability that it was stored as JPEG, at a quality from 40 to 95."""


def _draw(count: int, low: float, high: float, generator: torch.Generator, channels: int = 1) -> Tensor:
    return torch.rand(count, channels, 1, 1, generator=generator) * (high - low) + low


class Grade:
    """A colour grade drawn for each of `count` photographs: saturation, white balance, gamma and an S-curve.

    It acts on each pixel alone, so the airlight of a graded photograph is the graded airlight, exactly; the optical
    depth stays what it was, though no single one fits all tones any more.
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.acts = torch.rand(count, 1, 1, 1, generator=generator) < GRADED
        self.saturation = _draw(count, 0.6, 1.9, generator)
        self.gain = _draw(count, 0.92, 1.04, generator, 3)
        self.gamma = torch.exp2(_draw(count, -0.5, 0.5, generator))
        self.curve = _draw(count, 0.0, 0.6, generator)

    def __call__(self, rgb: Tensor) -> Tensor:
        """Grade (B, 3, H, W) in [0, 1]; photographs that were not graded come back bit for bit."""
        grey = rgb.mean(dim=1, keepdim=True)
        toned = ((grey + (rgb - grey) * self.saturation) * self.gain).clamp(1e-4, 1).pow(self.gamma)
        smooth = toned * toned * (3 - 2 * toned)
        return torch.where(self.acts, torch.lerp(toned, smooth, self.curve).clamp(0, 1), rgb)


def add_noise(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """White sensor noise of a level drawn for each photograph, (B, 3, H, W); not clipped."""
    level = _draw(len(rgb), 0.0, MAX_NOISE, generator)
    return rgb + torch.randn(rgb.shape, generator=generator) * level


def store(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """Round to 8 bits, and send a part of the photographs through JPEG; (B, 3, H, W) in [0, 1]."""
    stored = (rgb.clamp(0, 1) * 255).round()
    jpeg = torch.rand(len(rgb), generator=generator) < COMPRESSED
    quality = torch.randint(40, 96, (len(rgb),), generator=generator)
    for index in jpeg.nonzero()[:, 0].tolist():
        pixels = stored[index].permute(1, 2, 0).to(torch.uint8).numpy()
        _, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality[index])])
        decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
        stored[index] = torch.from_numpy(decoded[..., ::-1].copy()).permute(2, 0, 1)
    return stored / 255
