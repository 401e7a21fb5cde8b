"""Gymnasium's spaces of observations and our named tensors: the one translated into the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor
from torch.nn.functional import one_hot

from clairvoy.environments.picture_layout import channels_are_last
from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.environment import ObservationSpec

OBSERVATION = "observation"
"""Name of an observation that has none of its own."""

Channels = Literal["first", "last", "ours"]
"""Where the channels of pictures are; "ours" leaves every shape as it is, for what has been shown by us before."""


@dataclass(frozen=True)
class Leaf:
    """A space that holds an array, and where it lies in the whole.

    Attributes
    ----------
    path
        Keys of dictionaries and places in tuples that lead to it.
    space
        Box, Discrete, MultiDiscrete or MultiBinary.
    channels_last
        Whether it is a picture (H, W, C), which we show as (C, H, W).
    ours
        Whether its shape is ours already.
    """

    path: tuple[Any, ...]
    space: Any
    channels_last: bool = False
    ours: bool = False

    @cached_property
    def spec(self) -> ObservationSpec:
        """How it appears as a tensor.

        Discrete and MultiDiscrete as one-hot, one choice behind the other; a number alone as a vector of one; a grid
        (H, W) of whole numbers as (1, H, W); doubles and halves as single floats.
        """
        space = self.space
        if isinstance(space, spaces.Discrete):
            return ObservationSpec((int(space.n),), torch.float32, 0.0, 1.0)
        if isinstance(space, spaces.MultiDiscrete):
            return ObservationSpec((int(space.nvec.sum()),), torch.float32, 0.0, 1.0)
        shape, dtype = self._shape(), _tensor_dtype(space.dtype)
        if isinstance(space, spaces.MultiBinary):
            # Planes of bits are grids, fewer dimensions are numbers.
            return ObservationSpec(shape, torch.bool if len(shape) == 3 else torch.float32, 0.0, 1.0)
        largest = None
        if len(shape) == 1:
            largest = tuple(np.maximum(np.abs(space.low), np.abs(space.high)).astype(float).ravel().tolist())
        return ObservationSpec(shape, dtype, float(space.low.min()), float(space.high.max()), largest)

    def of(self, observation: Any) -> Any:
        """Its array in a whole observation, or in a batch of them."""
        for key in self.path:
            observation = observation[key]
        return observation

    def tensor(self, array: Any) -> Tensor:
        """Values with any leading dimensions, as `spec` says; a copy.

        Raises
        ------
        InputError
            They are not of the space's shape.
        """
        space, values = self.space, np.array(array)
        if isinstance(space, spaces.Discrete):
            return one_hot(torch.from_numpy(values).long() - int(space.start), int(space.n)).float()
        ndim = len(space.shape)
        if values.shape[values.ndim - ndim :] != space.shape:
            raise InputError(
                f"{'/'.join(map(str, self.path)) or 'the observation'} is {values.shape}, not {space.shape}"
            )
        leading = values.shape[: values.ndim - ndim]
        if isinstance(space, spaces.MultiDiscrete):
            chosen = torch.from_numpy(values.reshape(*leading, -1)).long()
            choices = zip(space.nvec.ravel().tolist(), space.start.ravel().tolist(), strict=True)
            hot = [one_hot(chosen[..., k] - start, count) for k, (count, start) in enumerate(choices)]
            return torch.cat(hot, dim=-1).float()
        spec = self.spec
        value = torch.from_numpy(values.astype(_numpy_carrier(values.dtype), copy=False)).to(spec.dtype)
        return (value.movedim(-1, -3).contiguous() if self.channels_last else value).reshape(
            *leading, *spec.shape
        )

    def _shape(self) -> tuple[int, ...]:
        shape = tuple(self.space.shape)
        if self.ours:
            return shape
        if self.channels_last:
            return (shape[2], *shape[:2])
        if len(shape) == 2 and not np.issubdtype(self.space.dtype, np.floating):
            return (1, *shape)
        return shape or (1,)


def leaves(space: spaces.Space[Any], channels: Channels | None = None) -> dict[str, Leaf]:
    """The spaces that hold arrays, by name.

    Parts of dictionaries and tuples are called ``camera/left`` or ``1/0``, a space that is no part `OBSERVATION`.

    Parameters
    ----------
    space
        Of an observation.
    channels
        See `Channels`; None tells it by their shape, and says so where that is a guess.

    Raises
    ------
    SettingsError
        A kind of space that cannot be told as numbers, one that holds none, or two parts of one name.
    """
    found: dict[str, Leaf] = {}
    for leaf in _walk(space, (), channels):
        name = "/".join(str(key) for key in leaf.path) or OBSERVATION
        if name in found:
            raise SettingsError(
                f"two parts of the observation are called {name!r}: rename one, with gymnasium.wrappers.TransformObservation"
            )
        found[name] = leaf
    if not found:
        raise SettingsError(f"the observation, {space}, holds nothing; show at least one part")
    return found


def named(observation: Any, parts: Mapping[str, Leaf]) -> dict[str, Tensor]:
    """An observation of Gymnasium's, or a batch of them, as ours; copies."""
    return {name: leaf.tensor(leaf.of(observation)) for name, leaf in parts.items()}


def _walk(space: spaces.Space[Any], path: tuple[Any, ...], channels: Channels | None) -> list[Leaf]:
    if isinstance(space, spaces.Dict):
        parts: list[tuple[Any, Any]] = list(space.spaces.items())
    elif isinstance(space, spaces.Tuple):
        parts = list(enumerate(space.spaces))
    else:
        return [_leaf(space, path, channels)]
    return [leaf for key, part in parts for leaf in _walk(part, (*path, key), channels)]


def _leaf(space: spaces.Space[Any], path: tuple[Any, ...], channels: Channels | None) -> Leaf:
    name = "/".join(map(str, path)) or OBSERVATION
    if not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        remedy = (
            "leave it out with gymnasium.wrappers.FilterObservation"
            if path
            else "wrap it so that it shows a Box"
        )
        raise SettingsError(
            f"{name} is {space}; Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of them can be used: "
            f"{remedy}"
        )
    shape = space.shape or ()
    if math.prod(shape) == 0:
        raise SettingsError(f"{name} is {space}, which holds no number: leave it out of the observation")
    if channels == "ours":
        return Leaf(path, space, ours=True)
    if isinstance(space, spaces.Box) and len(shape) == 3:
        last = channels == "last" if channels else channels_are_last(shape, name)
        return Leaf(path, space, last)
    return Leaf(path, space)


def nest(values: Mapping[str, Any]) -> Any:
    """Named values as a nested dictionary, or the bare value of `OBSERVATION` alone.

    Raises
    ------
    SettingsError
        A name is that of a part and that of a dictionary of parts.
    """
    if set(values) == {OBSERVATION}:
        return values[OBSERVATION]
    whole: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split("/")
        place = whole
        for key in path:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise SettingsError(
                    f"{name!r} lies within {key!r}, which is a part itself: rename one of them"
                )
        place[last] = value
    return whole


def space_of(specs: Mapping[str, ObservationSpec]) -> spaces.Dict:
    """The space of our observations, one Box for each name, with bounds that its type can hold."""
    return spaces.Dict({name: _box(spec) for name, spec in specs.items()})


def _box(spec: ObservationSpec) -> spaces.Box:
    dtype, low, high = numpy_dtype(spec.dtype), spec.low, spec.high
    if dtype == np.bool_:
        low, high = 0, 1
    elif np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        low, high = max(low, limits.min), min(high, limits.max)
    return spaces.Box(low, high, spec.shape, dtype)


def numpy_dtype(dtype: torch.dtype) -> Any:
    """The dtype of NumPy that is called the same."""
    return torch.empty(0, dtype=dtype).numpy().dtype


def _tensor_dtype(dtype: Any) -> torch.dtype:
    """Single floats for all floats; bool, bytes and whole numbers as they are, as far as torch computes with them."""
    if np.issubdtype(dtype, np.floating):
        return torch.float32
    return torch.from_numpy(np.empty(0, _numpy_carrier(dtype))).dtype


def _numpy_carrier(dtype: Any) -> Any:
    """A dtype of NumPy that torch has operations for, and that holds all values of this one, or nearly."""
    return {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64, np.dtype(np.uint64): np.int64}.get(
        np.dtype(dtype), dtype
    )
