"""An agent's weights in one file, with what it takes to make its network again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from clairvoy._version import __version__
from clairvoy.errors import FileError, SettingsError, WeightsError
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.storage.atomic import replace_file

FORMAT = "clairvoy-agent-1"


def save_network(path: str | Path, network: nn.Module) -> None:
    """Write the weights of a Q-network, whole or not at all.

    What `encoders.network_for` made is written with what it was made of; of any other network the weights alone.

    Raises
    ------
    FileError
        The disk refuses.
    """
    path, specs = Path(path), getattr(network, "specs", None)
    made_of = None
    if specs is not None:
        made_of = {
            "specs": {name: _told(spec) for name, spec in specs.items()},
            "num_actions": network.num_actions,
        }
    header = {"format": FORMAT, "version": __version__, "made_of": json.dumps(made_of)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save(tensors, metadata=header))
    except OSError as error:
        raise FileError(
            f"{path} cannot be written ({error.strerror or error}); choose another place"
        ) from error


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
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: no agent can be read ({error}); give a file of Agent.save") from error
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: of format {header.get('format', 'none')!r}, not {FORMAT!r}; give a file of Agent.save"
        )
    try:
        made_of = json.loads(header["made_of"])
        if network is None and made_of is not None:
            specs = {name: _spec(told) for name, told in made_of["specs"].items()}
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
    }


def _spec(told: Mapping[str, Any]) -> ObservationSpec:
    largest = told["largest"]
    return ObservationSpec(
        tuple(told["shape"]),
        getattr(torch, told["dtype"]),
        float(told["low"]),
        float(told["high"]),
        None if largest is None else tuple(largest),
    )
