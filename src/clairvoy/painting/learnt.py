"""What was learnt about painting, at work in NumPy: a generator of changes, and an agent that says when it is enough.

The networks are made and trained in `scenarios.painting`; here they are only multiplied out, so that painting needs no
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clairvoy.painting.layers import Layers
from clairvoy.storage.weights_file import read_weights

FORMAT = "clairvoy-painter-2"


class ChangeGenerator:
    """The decoder of a conditional VAE of changes, for one family of shapes.

    Parameters
    ----------
    weights
        ``condition`` (conditions, width), ``latent`` (latents, width), ``bias`` (width,), ``out`` (width, numbers),
        ``out_bias`` and ``noise`` (numbers,).
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._condition, self._latent, self._bias = weights["condition"], weights["latent"], weights["bias"]
        self._out, self._out_bias, self._noise = weights["out"], weights["out_bias"], weights["noise"]

    def __call__(self, conditions: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw moves (N, count, numbers), see `moves`, for N climbers in conditions (N, conditions)."""
        # Flat products: those of three axes are many small ones to NumPy.
        many = len(conditions) * count
        z = rng.standard_normal((many, len(self._latent)), dtype=np.float32)
        noise = rng.standard_normal((many, len(self._noise)), dtype=np.float32)
        known = conditions.astype(np.float32) @ self._condition + self._bias
        hidden = np.maximum(z @ self._latent + np.repeat(known, count, axis=0), 0.0)
        moves = hidden @ self._out + self._out_bias + self._noise * noise
        return moves.astype(np.float64).reshape(len(conditions), count, -1)


class Learnt:
    """Generators by family, and the values of going on.

    Parameters
    ----------
    weights
        Arrays by name, as `scenarios.painting.training` exports them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        weights = {name: value.astype(np.float32) for name, value in weights.items()}
        parts: dict[str, dict[str, np.ndarray]] = {}
        for name, value in weights.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        del parts["agent"]
        self._agent = Layers(weights, "agent")
        self._slope, self._offset = weights["agent.calibration"]
        self.generators = {family: ChangeGenerator(part) for family, part in parts.items()}

    @classmethod
    def load(cls, path: Path) -> Learnt:
        """Read what `clairvoy train paint` wrote.

        Raises
        ------
        WeightsError
            The file is not there, damaged, or of another kind.
        """
        return cls(
            read_weights(path, FORMAT, "give a file that `clairvoy train paint` wrote", arrays=True).tensors
        )

    def expected_gain(self, state: np.ndarray) -> float:
        """Tau: by how many dB going on is expected to be worth more than stopping, its price taken off.

        Parameters
        ----------
        state
            (STATE,) of `painter.climb_state`. The price is in it.
        """
        going_on = self._agent(state.astype(np.float32))[0]
        return float(self._slope * going_on + self._offset)
