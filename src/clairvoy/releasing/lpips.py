"""The graph of LPIPS, put into the file of the network's weights.

Nobody trains this network. Made once, and again where the code of it changes:

    python -c "from clairvoy.releasing.lpips import put_graph; print(put_graph())"
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.evaluation.lpips import FORMAT, WEIGHTS
from clairvoy.generative.density.vae import VAESettings
from clairvoy.generative.perceptual import SqueezeFeatures, stored_weights
from clairvoy.releasing.export import Export, exported, largest_gap
from clairvoy.restoring.model_bytes import with_weights
from clairvoy.restoring.released import GRAPH
from clairvoy.storage.weights_file import write_weights


class LpipsGraph(nn.Module):
    """The distance of two pictures."""

    def __init__(self) -> None:
        super().__init__()
        network = SqueezeFeatures()
        # The weights of the network are named in the file as they are in it.
        self.features, self.heads = network.features, network.heads
        self._network = [network]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """LPIPS, (1,), of pictures (1, 3, H, W) in [0, 1]."""
        return self._network[0].lpips(first, second)


def put_graph(path: Path = WEIGHTS) -> float:
    """Write the shipped weights with their graph, and say how far ONNX Runtime is from torch with it."""
    axes = {2: "height", 3: "width"}
    export = Export(LpipsGraph(), {"first": axes, "second": axes}, ("distance",), VAESettings())
    stored = stored_weights()
    graph, names = exported(export, stored)
    model = with_weights(graph, {name: stored[name].numpy() for name in names})
    tensors = {**stored, f"{GRAPH}lpips": torch.from_numpy(np.frombuffer(graph, np.uint8).copy())}
    write_weights(path, FORMAT, tensors, {"graphs": json.dumps({"lpips": names})})
    return largest_gap(export, model)
