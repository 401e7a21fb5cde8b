"""A trained world in one file: agent, generators, discriminator, tau, and the settings that they were made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch
from torch import Tensor

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.scenarios.world.scenario import WorldScenario
from clairvoy.scenarios.world.settings import WorldSettings
from clairvoy.storage.weights_file import read_weights, write_weights

FORMAT = "clairvoy-world-4"
REMEDY = "give a file that `clairvoy train world` of this version wrote"

Settings = TypeVar("Settings")


def save_world(path: Path, scenario: WorldScenario, notes: Mapping[str, Any] | None = None) -> None:
    """Write what was learnt, whole or not at all; `notes` go along, as JSON.

    The file holds no optimizer and no history: it is to act, to dream and to judge with, not to resume from.

    Raises
    ------
    FileError
        The disk refuses.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in _modules(scenario).items():
        tensors |= {f"{name}.{key}": value for key, value in module.items()}
    header = {
        "settings": json.dumps(asdict(scenario.settings)),
        "notes": json.dumps(dict(notes or {})),
        "stacked": json.dumps(scenario.stacked),
        "end_shift": json.dumps(0.0 if scenario.learner is None else scenario.learner.end_shift),
    }
    write_weights(path, FORMAT, tensors, header)


def load_world(
    path: Path, environment: BatchedEnvironment, *, device: str | torch.device = "cpu"
) -> WorldScenario:
    """Read what `save_world` wrote, for an environment of the same kind, with the network made by default.

    Raises
    ------
    WeightsError
        No such file, not of this kind, or it does not fit the environment.
    """
    header, tensors = read_weights(path, FORMAT, REMEDY)
    try:
        scenario = WorldScenario(
            environment, _settings(WorldSettings, json.loads(header["settings"])), device=device
        )
        scenario.stacked = json.loads(header["stacked"])
        if any(key.startswith("members.") for key in tensors):
            scenario.begin_learner().end_shift = float(json.loads(header["end_shift"]))
        for name, module in _modules(scenario).items():
            for key, value in module.items():
                held = tensors[f"{name}.{key}"]
                if held.shape != value.shape:
                    raise ValueError(f"{name}.{key} is {tuple(held.shape)}, not {tuple(value.shape)}")
                value.copy_(held)
        scenario.agent.take_weights(scenario.agent.acting.state_dict())
        if "tau.weights" in tensors:
            scenario.tau.load_state_dict(
                {name: tensors[f"tau.{name}"] for name in ("mean", "spread", "weights")}
            )
    except (KeyError, TypeError, ValueError, RuntimeError, SettingsError) as error:
        raise WeightsError(f"{path}: does not fit this environment or this version ({error})") from error
    return scenario


def notes_of(path: Path) -> dict[str, Any]:
    """The notes that `save_world` was given.

    Raises
    ------
    WeightsError
        No such file, or not of this kind.
    """
    notes: dict[str, Any] = json.loads(read_weights(path, FORMAT, REMEDY, header_only=True).header["notes"])
    return notes


def _modules(scenario: WorldScenario) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part, as they lie there: writing to them changes the part."""
    parts = {"agent": scenario.agent.acting.state_dict()}
    if scenario.learner is not None:
        parts["members"] = scenario.learner.members.state_dict()
        parts["discriminator"] = scenario.learner.discriminator.state_dict()
        parts["outcomes"] = scenario.learner.outcomes.state_dict()
    if scenario.tau.fitted:
        parts["tau"] = scenario.tau.state_dict()
    return parts


def _settings(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings of settings, from what `asdict` made of them and JSON kept."""
    hints = get_type_hints(kind)
    made = {
        name: _settings(hints[name], value) if is_dataclass(hints[name]) else value
        for name, value in values.items()
    }
    return kind(**made)
