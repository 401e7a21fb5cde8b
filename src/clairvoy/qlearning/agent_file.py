"""An agent's weights in one file, with what it takes to make its network again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.storage.weights_file import read_weights, write_weights

FORMAT = "clairvoy-agent-1"


def save_network(path: str | Path, network: nn.Module) -> None:
    """Write the weights of a Q-network, whole or not at all.

    What `encoders.network_for` made is written with what it was made of; of any other network the weights alone.

    Raises
    ------
    FileError
        The disk refuses.
    """
    specs = getattr(network, "specs", None)
    made_of = None
    if specs is not None:
        made_of = {
            "specs": {name: _told(spec) for name, spec in specs.items()},
            "num_actions": network.num_actions,
        }
    write_weights(Path(path), FORMAT, network.state_dict(), {"made_of": json.dumps(made_of)})


def load_network(path: str | Path, network: nn.Module | None = None) -> nn.Module:
    """Read what `save_network` wrote.

    Parameters
    ----------
    path
        The file.
    network
        Takes the weights; None makes the network that `encoders.network_for` had made.

    Raises
    ------
    WeightsError
        No such file, not of this kind, or it does not fit the network.
    SettingsError
        The network was made by hand, and none is handed in.
    """
    header, tensors = read_weights(Path(path), FORMAT, "give a file of Agent.save")
    try:
        made_of = json.loads(header["made_of"])
        if network is None and made_of is not None:
            specs = {name: _spec(description) for name, description in made_of["specs"].items()}
            network = network_for(specs, int(made_of["num_actions"]))
        if network is None:
            raise SettingsError(
                f"{path} holds weights of a network of your own: hand one of its kind in, load(path, network)"
            )
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, SettingsError):
            raise
        raise WeightsError(f"{path}: the weights do not fit the network ({error})") from error
    return network


def _told(spec: ObservationSpec) -> dict[str, Any]:
    return {
        "shape": list(spec.shape),
        "dtype": str(spec.dtype).removeprefix("torch."),
        "low": spec.low,
        "high": spec.high,
        "largest": spec.largest,
        "entities": spec.entities,
    }


def _spec(description: Mapping[str, Any]) -> ObservationSpec:
    largest = description["largest"]
    return ObservationSpec(
        tuple(description["shape"]),
        getattr(torch, description["dtype"]),
        float(description["low"]),
        float(description["high"]),
        None if largest is None else tuple(largest),
        int(description.get("entities", 0)),
    )
