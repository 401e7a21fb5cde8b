"""Gymnasium's spaces and our named tensors: the one translated into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor
from torch.nn.functional import one_hot

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import ObservationSpec

OBSERVATION = "observation"
"""Name of an observation that has none of its own."""


def leaves(space: spaces.Space[Any], name: str = "") -> dict[str, spaces.Space[Any]]:
    """The spaces that hold arrays, by name: nested ones are called ``camera/left``, a bare one `OBSERVATION`."""
    if not isinstance(space, spaces.Dict):
        return {name or OBSERVATION: space}
    found: dict[str, spaces.Space[Any]] = {}
    for key, part in space.spaces.items():
        found |= leaves(part, f"{name}/{key}" if name else key)
    return found


def parts(shown: Any, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arrays of an observation, in the order and by the names of `leaves`."""
    for name in names:
        part = shown
        for key in name.split("/") if isinstance(shown, dict) else ():
            part = part[key]
        yield name, part


def nest(named: Mapping[str, Any]) -> Any:
    """What `parts` took apart: a nested dictionary, or the bare value of `OBSERVATION` alone."""
    if set(named) == {OBSERVATION}:
        return named[OBSERVATION]
    whole: dict[str, Any] = {}
    for name, value in named.items():
        *path, last = name.split("/")
        place = whole
        for key in path:
            place = place.setdefault(key, {})
        place[last] = value
    return whole


def spec_of(name: str, space: spaces.Space[Any]) -> ObservationSpec:
    """How a leaf appears as a tensor: Discrete as one-hot, doubles as single floats.

    Raises
    ------
    SettingsError
        Another kind of space.
    """
    if isinstance(space, spaces.Discrete):
        return ObservationSpec((int(space.n),), torch.float32, 0.0, 1.0)
    if not isinstance(space, spaces.Box):
        raise SettingsError(
            f"{name} is {space}; Box, Discrete and Dict can be used: wrap the environment so that it shows a Box"
        )
    dtype = torch.from_numpy(np.empty(0, space.dtype)).dtype
    return ObservationSpec(
        tuple(space.shape),
        torch.float32 if dtype == torch.float64 else dtype,
        float(space.low.min()),
        float(space.high.max()),
        tuple(np.maximum(np.abs(space.low), np.abs(space.high)).astype(float).ravel().tolist())
        if len(space.shape) == 1
        else None,
    )


def tensor_of(array: Any, space: spaces.Space[Any]) -> Tensor:
    """The values of a leaf, with any leading dimensions, as `spec_of` says; a copy."""
    value = torch.from_numpy(np.array(array))
    if isinstance(space, spaces.Discrete):
        return one_hot(value.long() - int(space.start), int(space.n)).float()
    return value.float() if value.dtype == torch.float64 else value


def space_of(specs: Mapping[str, ObservationSpec]) -> spaces.Dict:
    """The space of our observations, one Box for each name."""
    return spaces.Dict(
        {
            name: spaces.Box(spec.low, spec.high, spec.shape, numpy_dtype(spec.dtype))
            for name, spec in specs.items()
        }
    )


def numpy_dtype(dtype: torch.dtype) -> Any:
    """The dtype of NumPy that is called the same."""
    return torch.empty(0, dtype=dtype).numpy().dtype
