"""The file that holds a trained dehazer: its tensors, and the graphs that compute with them.

One safetensors file for both engines. Training reads the tensors into torch; the runtime puts them together with the graphs
that the training exported (tensors of bytes, called ``graph.NAME``) and needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clairvoy._version import __version__
from clairvoy.errors import WeightsError
from clairvoy.generative.density.signs import DbMap
from clairvoy.restoring.full_resolution import Guide
from clairvoy.restoring.model_bytes import with_weights
from clairvoy.storage.weights_file import read_weights

FORMAT = "clairvoy-weights-2"
WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"
REMEDY = f"use weights that `clairvoy train` of version {__version__} wrote"
GRAPH = "graph."
"""What the names of graphs begin with in a file."""
_NO_DEHAZERS = ("squeezenet1_1",)


@dataclass(frozen=True)
class Released:
    """What a file of weights holds."""

    path: Path
    header: Mapping[str, str]
    """See `Parts.header`, and `graphs`: the names of the weights of each graph, as JSON."""
    tensors: Mapping[str, npt.NDArray[Any]]
    """By the name of the part that each is of, a full stop, and its name there."""

    def graph(self, name: str) -> bytes:
        """An ONNX model with its weights: "perception", "draws", "agent" or "restoration".

        Raises
        ------
        WeightsError
            The file holds no such graph.
        """
        try:
            names = json.loads(self.header["graphs"])[name]
            weights = {key: self.tensors[key] for key in names}
            return with_weights(self.tensors[GRAPH + name].tobytes(), weights)
        except KeyError as error:
            raise WeightsError(
                f"{self.path}: holds no graph {name!r} for the runtime, only tensors to train on with; put it in: "
                f"clairvoy export --weights {self.path} (needs pip install 'clairvoy[train]')"
            ) from error

    @cached_property
    def guide(self) -> Guide:
        """What reads the bilateral grid at full resolution."""
        first, second = ("generator.guide_net.0", "generator.guide_net.2")
        return Guide(
            hidden=self._array(f"{first}.weight")[:, :, 0, 0],
            hidden_bias=self._array(f"{first}.bias"),
            spread=self._array(f"{second}.weight")[0, :, 0, 0],
            spread_bias=float(self._array(f"{second}.bias")[0]),
        )

    @property
    def recognition(self) -> tuple[float, ...]:
        """What `recognition.haze_probability` needs; the weights between are part of the graph of perception."""
        return tuple(float(number) for number in self._array("calibration.recognition")[[0, 1, -1]])

    @property
    def db_of_cells(self) -> DbMap:
        """From the signs of one cell to its PSNR in dB."""
        return DbMap(self._array("calibration.slope")[1], float(self._array("calibration.offset")[1]))

    @property
    def bins(self) -> int:
        """Brightness bins of the bilateral grid."""
        return int(json.loads(self.header["settings"])["bins"])

    @property
    def latent(self) -> int:
        """Channels of the density field."""
        return int(json.loads(self.header["settings"])["latent"])

    def _array(self, name: str) -> npt.NDArray[np.float32]:
        try:
            return np.ascontiguousarray(self.tensors[name], np.float32)
        except KeyError as error:
            raise WeightsError(f"{self.path}: weights do not fit this version ({error}); {REMEDY}") from error


def find_weights(name_or_path: str | Path) -> Path:
    """The file of released weights ("fast"), or the one that is named.

    Raises
    ------
    WeightsError
        There is neither.
    """
    path = WEIGHTS_FOLDER / f"{name_or_path}.safetensors"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors") if p.stem not in _NO_DEHAZERS)
        raise WeightsError(
            f"{name_or_path}: no such weights; name one of {', '.join(names)} or a .safetensors file"
        )
    return path


def read_released(name_or_path: str | Path) -> Released:
    """Read weights by released name ("fast") or path, without torch.

    Raises
    ------
    WeightsError
        No such file, not a weights file, or one of another format.
    """
    path = find_weights(name_or_path)
    header, tensors = read_weights(path, FORMAT, REMEDY, arrays=True)
    return Released(path, header, tensors)
