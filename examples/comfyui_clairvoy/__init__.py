"""clairvoy as a node of ComfyUI: IMAGE in; IMAGE, and MASK of the haze and of the confidence, out.

Copy this folder into ComfyUI/custom_nodes, and `pip install clairvoy` into the Python that ComfyUI runs with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from clairvoy import Dehazer


class ClearHaze:
    """Clear haze and fog from each image of a batch."""

    CATEGORY = "image/restoration"
    FUNCTION = "clear"
    RETURN_TYPES = ("IMAGE", "MASK", "MASK")
    RETURN_NAMES = ("image", "haze", "confidence")
    DESCRIPTION = (
        "Clears haze and fog. haze: where it is. confidence: how far to trust each part of the result."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        """What ComfyUI shows."""
        return {
            "required": {
                "image": ("IMAGE",),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
                "force": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "restore even where no haze is recognised"},
                ),
                "preset": (["fast", "fine"],),
            }
        }

    def clear(
        self, image: torch.Tensor, strength: float, force: bool, preset: str
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Restore (B, H, W, 3) in [0, 1]; masks are (B, H, W)."""
        dehazer = _dehazer(preset)
        results = [dehazer(picture.cpu().numpy(), strength=strength, force=force) for picture in image]
        restored, haze, confidence = (
            torch.from_numpy(np.stack(planes)).float().to(image.device)
            for planes in zip(*((one.image, one.haze, one.tau) for one in results), strict=True)
        )
        return restored, haze, confidence


@cache
def _dehazer(preset: str) -> Dehazer:
    return Dehazer.load(preset)


NODE_CLASS_MAPPINGS = {"ClairvoyClearHaze": ClearHaze}
NODE_DISPLAY_NAME_MAPPINGS = {"ClairvoyClearHaze": "Clear haze (clairvoy)"}
