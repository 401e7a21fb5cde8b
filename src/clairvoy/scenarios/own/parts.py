"""The parts of a user's own scenario, each tried once before a training begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.rollout import collect
from clairvoy.qlearning.transitions import Transitions


def as_rows(real: Any) -> Tensor:
    """The real data as a tensor of rows (R, ...).

    Raises
    ------
    InputError
        No tensor and nothing that could be one, or single numbers instead of rows.
    """
    try:
        rows = torch.as_tensor(real)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the real data are a {type(real).__name__} that is no tensor ({error}); give rows of one shape, (R, ...)"
        ) from error
    if isinstance(real, np.ndarray) and rows.dtype == torch.float64:
        rows = rows.float()  # NumPy counts in doubles unless told otherwise
    if rows.ndim < 2:
        raise InputError(
            f"the real data have shape {tuple(rows.shape)}; give rows, (R, ...): real[:, None] makes a row of each number"
        )
    return rows


def as_weights(weights: Any, rows: int) -> Tensor:
    """How often each of so many real rows is drawn, as a tensor (R,) float64.

    Raises
    ------
    InputError
        Not one for each row, one that is below 0 or not finite, or all 0.
    """
    try:
        given = torch.as_tensor(weights).double()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the weights are a {type(weights).__name__} that is no tensor ({error}); give one number for each row"
        ) from error
    if given.shape != (rows,):
        raise InputError(
            f"the weights have shape {tuple(given.shape)}; there are {rows} real rows: give ({rows},)"
        )
    if not bool((torch.isfinite(given) & (given >= 0)).all()) or not bool(given.any()):
        raise InputError("the weights of the real rows must be finite, at or above 0, and not all 0")
    return given


def first_steps(environment: Any) -> Transitions:
    """Try an environment: what one step of each of its copies led to, N transitions.

    Raises
    ------
    InputError
        It shows something else than its ``observation_specs`` say.
    """
    num_envs, num_actions = environment.num_envs, environment.num_actions
    shown = environment.reset(torch.Generator().manual_seed(0))
    specs: Mapping[str, ObservationSpec] = environment.observation_specs
    for name in specs.keys() | shown.keys():
        said = (tuple(specs[name].shape), specs[name].dtype) if name in specs else "nothing"
        seen = (tuple(shown[name].shape[1:]), shown[name].dtype) if name in shown else "nothing"
        if said != seen:
            raise InputError(f"the environment shows {name} as {seen}; its observation_specs say {said}")
    history = History(HistorySettings(capacity=num_envs, n_step=1), num_envs, num_actions, torch.Generator())
    collect(environment, lambda _, mask: mask.int().argmax(dim=1), history, shown, 1)
    return history.recent(num_envs)


def check_transitions(made: Any, rows: int, like: Transitions, num_actions: int) -> None:
    """Refuse what ``data_to_history`` gave for so many rows, if it does not fit into a history with ``like``.

    Raises
    ------
    InputError
        It is of another kind, or not one transition for each row; the message says which part.
    """
    if not isinstance(made, Transitions):
        raise InputError(
            f"data_to_history gave a {type(made).__name__}; it gives Transitions, one for each row"
        )
    if len(made) != rows:
        raise InputError(f"data_to_history gave {len(made)} transitions of {rows} rows; give one of each")
    for part in ("observation", "next_observation"):
        given, asked = getattr(made, part), getattr(like, part)
        for name in given.keys() | asked.keys():
            one = (tuple(given[name].shape[1:]), given[name].dtype) if name in given else "nothing"
            other = (tuple(asked[name].shape[1:]), asked[name].dtype) if name in asked else "nothing"
            if one != other or len(given[name]) != rows:
                raise InputError(
                    f"data_to_history gave {part} {name} as {one}; the environment shows {other}"
                )
    for name, dtype, shape in (
        ("action", torch.int64, (rows,)),
        ("reward", torch.float32, (rows,)),
        ("discount", torch.float32, (rows,)),
        ("next_mask", torch.bool, (rows, num_actions)),
    ):
        value = getattr(made, name)
        if value.dtype != dtype or tuple(value.shape) != shape:
            raise InputError(
                f"data_to_history gave {name} as {tuple(value.shape)} of {value.dtype}; it is {shape} of {dtype}"
            )
    if rows and not 0 <= int(made.action.min()) <= int(made.action.max()) < num_actions:
        raise InputError(
            f"data_to_history gave actions {int(made.action.min())} to {int(made.action.max())}; there are {num_actions}"
        )


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
            "clairvoy.generative.rows.learner"
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
