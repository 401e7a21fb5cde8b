"""Published methods as restorers for `clairvoy.evaluation`. Their weights are not part of this project."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clairvoy.errors import WeightsError
from clairvoy.evaluation import Restorer


class AODNet(nn.Module):
    """AOD-Net: Li, Peng, Wang, Xu, Feng, "AOD-Net: All-in-One Dehazing Network", ICCV 2017; 1,761 parameters.

    One map K(x) stands for transmission and airlight together: J = K I - K + b with b = 1, equation 8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.e_conv1 = nn.Conv2d(3, 3, kernel_size=1)
        self.e_conv2 = nn.Conv2d(3, 3, kernel_size=3, padding=1)
        self.e_conv3 = nn.Conv2d(6, 3, kernel_size=5, padding=2)
        self.e_conv4 = nn.Conv2d(6, 3, kernel_size=7, padding=3)
        self.e_conv5 = nn.Conv2d(12, 3, kernel_size=3, padding=1)

    def forward(self, hazy: Tensor) -> Tensor:
        """Restore (B, 3, H, W) in [0, 1]; the result is not negative, and not clipped at 1."""
        x1 = self.e_conv1(hazy).relu()
        x2 = self.e_conv2(x1).relu()
        x3 = self.e_conv3(torch.cat((x1, x2), dim=1)).relu()
        x4 = self.e_conv4(torch.cat((x2, x3), dim=1)).relu()
        k = self.e_conv5(torch.cat((x1, x2, x3, x4), dim=1)).relu()
        return (k * hazy - k + 1).relu()


def aod_net(weights: Path) -> Restorer:
    """AOD-Net with the authors' published weights, a PyTorch state dictionary ``e_conv1.weight`` and so on.

    Raises
    ------
    WeightsError
        The file is missing or holds something else.
    """
    model = AODNet()
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:
        raise WeightsError(
            f"{weights} does not hold AOD-Net's weights ({error}); give the published file"
        ) from error
    model.eval()

    @torch.inference_mode()
    def restore(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        hazy = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
        return model(hazy)[0].clamp(0, 1).permute(1, 2, 0).numpy()

    return restore


def dark_channel_opencv(rgb: NDArray[np.uint8], omega: float = 0.95, floor: float = 0.1) -> NDArray[np.uint8]:
    """Dark channel prior (He, Sun and Tang 2011) with the guided filter, as fast as OpenCV alone makes it.

    Erosion over 15 x 15 pixels, airlight from the brightest 0.1 % of the dark channel, a grey guide of radius 40,
    all in float32: how it is usually written by those who need it fast.
    """
    picture = rgb.astype(np.float32) * np.float32(1 / 255)
    square = np.ones((15, 15), np.uint8)

    def darkest(of: NDArray[np.float32]) -> NDArray[np.float32]:
        red, green, blue = cv2.split(of)
        return cv2.erode(cv2.min(cv2.min(red, green), blue), square)

    dark = darkest(picture)
    count = max(1, dark.size // 1000)
    brightest = np.argpartition(dark, -count, axis=None)[-count:]
    airlight = picture.reshape(-1, 3)[brightest].mean(axis=0)
    t = 1 - np.float32(omega) * darkest(picture / airlight)
    guide = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    box = (81, 81)
    mean_guide, mean_t = cv2.blur(guide, box), cv2.blur(t, box)
    slope = (cv2.blur(guide * t, box) - mean_guide * mean_t) / (
        cv2.blur(guide * guide, box) - mean_guide * mean_guide + np.float32(1e-3)
    )
    t = cv2.blur(slope, box) * guide + cv2.blur(mean_t - slope * mean_guide, box)
    restored = (picture - airlight) / np.maximum(t, np.float32(floor))[..., None] + airlight
    return (restored.clip(0, 1) * 255).round().astype(np.uint8)
