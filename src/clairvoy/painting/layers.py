"""Linear layers, multiplied out by NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Layers:
    """Linear layers with rectifiers between them.

    Parameters
    ----------
    weights
        By name; layer k has ``{name}.{2k}.weight`` (out, in) and ``{name}.{2k}.bias``, as `torch.nn.Sequential` counts.
    name
        Of the part.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], name: str) -> None:
        count = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in weights)
        self._layers = [
            (weights[f"{name}.{2 * k}.weight"].T.copy(), weights[f"{name}.{2 * k}.bias"])
            for k in range(count)
        ]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(..., in) to (..., out)."""
        for number, (weight, bias) in enumerate(self._layers):
            if number:
                values = np.maximum(values, 0.0)
            values = values @ weight + bias
        return values
