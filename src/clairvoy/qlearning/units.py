"""In what units a network is given numbers: their bounds where the environment says some, else the largest seen."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.transitions import Observation, Transitions

UNBOUNDED = 1e6
"""A bound beyond this is none."""
LEAST_UNIT = 1e-3
"""A number that was hardly ever other than 0 is given in these units."""
PIXELS = 255.0
"""Unit of bytes of which the environment says no more than that they are bytes."""
MOST_CODES = 32
"""Bytes none of which is above this are no pixels, but codes: kinds of things, as in MiniGrid."""
ENOUGH = 256
"""Observations that this is judged by, at least."""
SETTLED_AT = 20_000
"""Observations after which units are left as they are."""


class Units(nn.Module):
    """Named parts of an observation, joined, each number divided by its unit.

    Parameters
    ----------
    specs
        Shapes, types and bounds of the parts, by name; other names are ignored.
    channels
        Whether a unit is that of a channel of grids (C, H, W), and not of a single number.
    """

    unit: Tensor
    bounded: Tensor

    def __init__(self, specs: Mapping[str, ObservationSpec], channels: bool = False) -> None:
        super().__init__()
        self.names, self.channels = tuple(specs), channels
        self.counts = [
            spec.shape[0] if channels else torch.Size(spec.shape).numel() for spec in specs.values()
        ]
        self.bytes = [spec.dtype == torch.uint8 and spec.high >= PIXELS for spec in specs.values()]
        """Parts of which a range of 0 to 255 may be true, or no more than what the type can hold."""
        self._said = False
        parts = zip(specs.values(), self.counts, strict=True)
        bounds = torch.cat([torch.zeros(0), *(_bounds(spec, count) for spec, count in parts)])
        self.register_buffer("bounded", (bounds > 0) & (bounds < UNBOUNDED))
        self.register_buffer("unit", torch.where(self.bounded, bounds, 1.0))

    def forward(self, observation: Observation) -> Tensor:
        """Numbers ``(N, numbers)`` float32, or grids ``(N, channels, H, W)``."""
        unit = self.unit[:, None, None] if self.channels else self.unit
        return self._joined(observation) / unit

    @torch.no_grad()
    def settle(self, observation: Observation) -> Tensor:
        """Take units from observations ``(N, ...)``, N >= 1; the new units in old ones, one for each."""
        seen = self._joined({name: observation[name].to(self.unit.device) for name in self.names}).abs()
        largest = seen.amax(dim=(0, 2, 3)) if self.channels else seen.amax(dim=0)
        unit = torch.where(self.bounded, self.unit, largest.clamp(min=LEAST_UNIT))
        begin = 0
        for name, count, is_bytes in zip(self.names, self.counts, self.bytes, strict=True):
            part = slice(begin, begin + count)
            begin += count
            if is_bytes and len(seen) >= ENOUGH:
                codes = bool(largest[part].max() <= MOST_CODES)
                unit[part] = largest[part].clamp(min=1) if codes else PIXELS
                if codes and not self._said:
                    self._said = True
                    warnings.warn(
                        f"{name} is said to be bytes from 0 to 255, and none is above {int(largest[part].max())}: "
                        "taken for codes, not for pixels",
                        stacklevel=3,
                    )
        ratio = unit / self.unit
        self.unit.copy_(unit)
        return ratio

    def _joined(self, observation: Observation) -> Tensor:
        parts = [observation[name].float() for name in self.names]
        return torch.cat(parts if self.channels else [part.flatten(1) for part in parts], dim=1)


def _bounds(spec: ObservationSpec, count: int) -> Tensor:
    """Largest magnitude of each number of a part, (count,)."""
    if spec.dtype == torch.bool:
        return torch.ones(count)
    bound = max(abs(spec.low), abs(spec.high))
    if spec.dtype == torch.uint8:
        return torch.full((count,), min(bound, PIXELS))
    largest = spec.largest if spec.largest is not None and len(spec.largest) == count else (bound,) * count
    return torch.tensor(largest, dtype=torch.float32)


class Seen(Protocol):
    """A `History`, or something of its kind."""

    def __len__(self) -> int: ...

    def recent(self, count: int) -> Transitions:
        """The last so many transitions."""
        ...


class Settling:
    """Tells networks the units of what is seen, each time that twice as much was seen as before.

    What a network computes stays the same; an agent that gets better goes where random play never was.

    Parameters
    ----------
    least
        Observations that the first units are taken from, at least.

    Attributes
    ----------
    settled
        Observations that the units were last taken from; a part of a run's state.
    """

    def __init__(self, least: int = ENOUGH) -> None:
        self.least, self.settled = least, 0

    def due(self, seen: int) -> bool:
        """Whether it is time, after so many observations."""
        return self.settled < SETTLED_AT and seen >= max(self.least, 2 * self.settled)

    def __call__(self, networks: Iterable[nn.Module], observation: Observation, seen: int) -> None:
        """Settle all networks on observations ``(N, ...)``, after `seen` of them in all."""
        self.settled = seen
        for network in networks:
            settle(network, observation)

    def from_history(self, networks: Iterable[nn.Module], history: Seen) -> None:
        """The same from what a history holds, if it is time and the networks take units."""
        networks, held = list(networks), len(history)
        if self.due(held) and any(isinstance(part, Units) for part in networks[0].modules()):
            self(networks, history.recent(held).observation, held)


def settle(network: nn.Module, observation: Observation) -> None:
    """Let every encoder in a network that takes units take them from observations ``(N, ...)``."""
    for module in network.modules():
        take = None if isinstance(module, Units) else getattr(module, "settle", None)
        if callable(take):
            take(observation)
