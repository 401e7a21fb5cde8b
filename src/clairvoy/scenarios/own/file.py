"""What `cotrain` trained of a scenario of one's own, in one file: agent, generator, discriminator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from clairvoy.errors import WeightsError
from clairvoy.scenarios.own.scenario import Scenario
from clairvoy.storage.weights_file import read_weights, write_weights

FORMAT = "clairvoy-scenario-1"


def save_scenario(path: str | Path, scenario: Scenario, notes: Mapping[str, Any] | None = None) -> None:
    """Write what was learnt, whole or not at all; `notes` go along, as JSON.

    The file holds no optimizer and no history: it is to act, to make rows and to judge them with. A run that is to go on
    has its checkpoint.

    Raises
    ------
    FileError
        The disk refuses.
    """
    tensors = {
        f"{name}.{key}": value for name, part in _parts(scenario).items() for key, value in part.items()
    }
    header = {"updates": str(scenario.learner.update_count), "notes": json.dumps(dict(notes or {}))}
    write_weights(Path(path), FORMAT, tensors, header)


def load_scenario(path: str | Path, scenario: Scenario) -> dict[str, Any]:
    """Put what `save_scenario` wrote into a scenario that is made of the same parts.

    Parameters
    ----------
    path
        The file.
    scenario
        Made anew: environment, real data, kind and networks as they were; its agent, generator and discriminator take what
        was learnt. If the file does not fit, they stay as they are.

    Returns
    -------
    dict
        The notes.

    Raises
    ------
    WeightsError
        No such file, not of this kind, or it does not fit the scenario.
    """
    header, held = read_weights(Path(path), FORMAT, "give a file of save_scenario")
    parts = _parts(scenario)
    asked = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
    wrong = sorted(held.keys() ^ asked.keys()) or [
        key
        for key, value in asked.items()
        if held[key].shape != value.shape or held[key].dtype != value.dtype
    ]
    if wrong:
        raise WeightsError(
            f"{path}: does not fit this scenario, at {wrong[0]}: make it of the parts that it was trained with"
        )
    for key, value in asked.items():
        value.copy_(held[key])
    scenario.agent.take_weights(scenario.agent.acting.state_dict())
    scenario.learner.update_count = int(header["updates"])
    scenario.take_snapshot()
    notes: dict[str, Any] = json.loads(header["notes"])
    return notes


def scenario_notes(path: str | Path) -> dict[str, Any]:
    """The notes of a file of `save_scenario`, for whoever has to know them before the scenario can be made.

    Raises
    ------
    WeightsError
        No such file, or not of this kind.
    """
    header, _ = read_weights(Path(path), FORMAT, "give a file of save_scenario")
    notes: dict[str, Any] = json.loads(header["notes"])
    return notes


def _parts(scenario: Scenario) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part, as they lie there: writing to them changes the part."""
    learner = scenario.learner
    return {
        "agent": scenario.agent.acting.state_dict(),
        "generator": learner.generator.state_dict(),
        "averaged": learner.averaged.state_dict(),
        "discriminator": learner.discriminator.state_dict(),
    }
