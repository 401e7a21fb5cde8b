"""What was learnt about strokes, at work in NumPy: a generator that proposes them, a gate, and an agent that looks about.

The networks are made and trained in `scenarios.painting`; here they are only multiplied out, so that painting needs no
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from clairvoy.errors import WeightsError

FORMAT = "clairvoy-painter-1"


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
        """(N, in) to (N, out)."""
        for number, (weight, bias) in enumerate(self._layers):
            if number:
                values = np.maximum(values, 0.0)
            values = values @ weight + bias
        return values


class Learnt:
    """Generator, discriminator, expected gain and Q-values.

    Parameters
    ----------
    weights
        Arrays by name, as `scenarios.painting.training` exports them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        weights = {name: value.astype(np.float32) for name, value in weights.items()}
        self._see, self._decode = Layers(weights, "see"), Layers(weights, "decode")
        self._believe, self._expect = Layers(weights, "believe"), Layers(weights, "expect")
        self._value, self._rest = Layers(weights, "agent.value"), Layers(weights, "agent.rest")
        self._noise = np.exp(weights["log_noise"])
        self._gain_scale = weights["gain_scale"]
        self.latent = int(weights["latent"])

    @classmethod
    def load(cls, path: Path) -> Learnt:
        """Read a file of `scenarios.painting.training.save_painter`.

        Raises
        ------
        WeightsError
            No such file, or of another kind.
        """
        remedy = "give a file that `clairvoy train paint` wrote"
        try:
            with safe_open(str(path), framework="np") as file:
                kind = (file.metadata() or {}).get("format", "none")
                if kind == FORMAT:
                    return cls({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: cannot be read ({error}); {remedy}") from error
        raise WeightsError(f"{path}: of format {kind!r}, not {FORMAT!r}; {remedy}")

    def features(self, view: np.ndarray, family: int) -> np.ndarray:
        """(features,) of what is seen in a region, and which family is asked for."""
        asked = np.zeros(len(self._noise), np.float32)
        asked[family] = 1.0
        return np.concatenate([np.maximum(self._see(view.reshape(1, -1))[0], 0.0), asked])

    def propose(self, features: np.ndarray, family: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Shapes (count, NUMBERS) in the region's measures, drawn from the generator."""
        noise = rng.standard_normal((count, self.latent)).astype(np.float32)
        rows = self._decode(np.concatenate([np.repeat(features[None], count, axis=0), noise], axis=1))
        return rows + self._noise[family] * rng.standard_normal(rows.shape)

    def belief(self, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(N,) in [0, 1], whether the search would have kept such strokes."""
        seen = np.concatenate([np.repeat(features[None], len(rows), axis=0), rows.astype(np.float32)], axis=1)
        return 1.0 / (1.0 + np.exp(-self._believe(seen)[:, 0]))

    def expected_gain(self, features: np.ndarray) -> float:
        """Tau: the gain that a stroke here is expected to have, in squared error over the number of pixels."""
        slope, offset = self._gain_scale
        return float(np.exp(slope * self._expect(features[None])[0, 0] + offset))

    def q_values(self, regions: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Q-values (K + 2,): a stroke in each region, improving strokes that are there, stopping.

        Parameters
        ----------
        regions
            (K, features) of `Looking.describe`.
        whole
            (features,) of the whole canvas.
        """
        both = np.concatenate([regions, np.repeat(whole[None], len(regions), axis=0)], axis=1).astype(
            np.float32
        )
        return np.concatenate([self._value(both)[:, 0], self._rest(whole[None].astype(np.float32))[0]])
