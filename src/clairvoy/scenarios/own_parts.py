"""The parts of a user's own scenario: made where they are missing, and tried once before a training begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.scenarios.by_name import environment_by_name
from clairvoy.scenarios.replayed import Replayed
from clairvoy.scenarios.scenario import ObservationSpec


def as_environment(environment: Any, num_envs: int) -> Any:
    """What was handed in, as a batched environment that a run can be resumed in.

    Raises
    ------
    SettingsError
        It lacks something, or there is no environment of this name.
    """
    if isinstance(environment, str):
        environment = environment_by_name(environment, num_envs)
    if hasattr(environment, "single_action_space"):
        from clairvoy.scenarios.from_gymnasium import FromGymnasium

        environment = FromGymnasium(environment)
    asked = ("num_envs", "num_actions", "observation_specs", "reset", "step", "action_mask")
    missing = [name for name in asked if not hasattr(environment, name)]
    if missing:
        raise SettingsError(
            f"the environment, a {type(environment).__name__}, lacks {', '.join(missing)}; see BatchedEnvironment in "
            "clairvoy.scenarios.scenario, or play rows with a SceneEnvironment"
        )
    return environment if hasattr(environment, "load_state_dict") else Replayed(environment)


def takes_scenes(environment: Any, real: Tensor) -> bool:
    """Whether episodes can begin in rows of data.

    Raises
    ------
    InputError
        They can, but not in such rows.
    """
    if not hasattr(environment, "set_scenes"):
        return False
    plays = environment.scenes
    if plays.shape[1:] != real.shape[1:] or plays.dtype != real.dtype:
        raise InputError(
            f"the environment plays scenes {tuple(plays.shape[1:])} of {plays.dtype}, but the real data are rows "
            f"{tuple(real.shape[1:])} of {real.dtype}"
        )
    return True


def check_generator(generator: Any, rows: Tensor) -> Tensor:
    """Try everything that is asked of a `RowGenerator` with two rows; returns their last features.

    Raises
    ------
    SettingsError
        It lacks something.
    InputError
        Something has a shape that does not fit.
    """
    missing = [
        name
        for name in ("encode", "decode", "loss", "imagine", "last_features", "last_layer", "parameters")
        if not hasattr(generator, name)
    ]
    if missing:
        raise SettingsError(
            f"the generator, a {type(generator).__name__}, lacks {', '.join(missing)}; see RowGenerator in "
            "clairvoy.generative.row_learner"
        )
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        encoded = generator.encode(rows)
        made = generator.imagine(2, noise)
        features: Tensor = generator.last_features(encoded)
        back = generator.decode(made)
        shapes = {
            "loss(encode(rows))": (generator.loss(encoded, noise).shape, (2,)),
            "imagine(2)": (made.shape, tuple(encoded.shape)),
            "decode(imagine(2))": (back.shape, tuple(rows.shape)),
            "last_features": (features.shape[:1], (2,)),
        }
    for name, (given, asked) in shapes.items():
        if tuple(given) != asked:
            raise InputError(f"the generator's {name} has shape {tuple(given)}; for 2 rows it is {asked}")
    if back.dtype != rows.dtype:
        raise InputError(f"the generator decodes to {back.dtype}; the real data are {rows.dtype}")
    return features


def check_agent(network: nn.Module, environment: Any) -> None:
    """Try the network on two observations of zeros.

    Raises
    ------
    InputError
        It does not give a value for each action.
    """
    specs: Mapping[str, ObservationSpec] = environment.observation_specs
    shown = {name: torch.zeros(2, *spec.shape, dtype=spec.dtype) for name, spec in specs.items()}
    with torch.no_grad():
        q = network(shown)
    if tuple(q.shape) != (2, environment.num_actions):
        raise InputError(
            f"the network gives {tuple(q.shape)} for 2 observations; with {environment.num_actions} actions it is "
            f"(2, {environment.num_actions})"
        )
