"""A batch of transitions: what was seen, what was done, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

Observation: TypeAlias = dict[str, Tensor]
"""What N agents see at once: named tensors, each ``(N, ...)``, of any dtype."""

REAL = 0
"""Provenance of a transition that an environment over real data produced."""
GENERATED = 1
"""Provenance of a transition in which a generative model had a part."""


@dataclass(frozen=True)
class Transitions:
    """B transitions, each over m >= 1 steps of one episode.

    Attributes
    ----------
    observation
        Seen at time t, ``(B, ...)`` each.
    action
        Taken at time t, ``(B,)`` int64.
    reward
        Return of the m steps, ``sum_{k<m} gamma^k r_{t+k}``, ``(B,)`` float32.
    discount
        What the value of ``next_observation`` counts: ``gamma^m``, or 0 where the episode terminated. A
        truncated episode keeps ``gamma^m``: it was cut, not over. ``(B,)`` float32 in [0, 1].
    next_observation
        Seen at time t + m; at an episode's end its last observation, never the first of the next episode.
    next_mask
        Actions allowed at ``next_observation``, ``(B, A)`` bool.
    provenance
        ``REAL`` (0) or ``GENERATED`` (1), ``(B,)`` uint8. Over several steps: generated if any step was.
    tau
        Confidence in the transition, in [0, 1], ``(B,)`` float32; 1 for real data. Over several
        steps: the least.
    weight
        Importance weight in the loss, ``(B,)`` float32 in [0, 1]; None counts as 1.
    index
        Place in the history that the batch was sampled from, ``(B,)`` int64; None if it was not.
    """

    observation: Observation
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_observation: Observation
    next_mask: Tensor
    provenance: Tensor
    tau: Tensor
    weight: Tensor | None = None
    index: Tensor | None = None

    def __len__(self) -> int:
        return self.action.shape[0]

    def rows(self, index: Tensor | slice) -> Transitions:
        """Return some of the transitions: those at ``index`` ``(K,)`` int64, or a slice of them as views."""
        return replace(
            self,
            observation={name: value[index] for name, value in self.observation.items()},
            action=self.action[index],
            reward=self.reward[index],
            discount=self.discount[index],
            next_observation={name: value[index] for name, value in self.next_observation.items()},
            next_mask=self.next_mask[index],
            provenance=self.provenance[index],
            tau=self.tau[index],
            weight=None if self.weight is None else self.weight[index],
            index=None if self.index is None else self.index[index],
        )

    def to(self, device: str | torch.device) -> Transitions:
        """Return the same transitions on another device."""
        return replace(
            self,
            observation={name: value.to(device) for name, value in self.observation.items()},
            action=self.action.to(device),
            reward=self.reward.to(device),
            discount=self.discount.to(device),
            next_observation={name: value.to(device) for name, value in self.next_observation.items()},
            next_mask=self.next_mask.to(device),
            provenance=self.provenance.to(device),
            tau=self.tau.to(device),
            weight=None if self.weight is None else self.weight.to(device),
            index=None if self.index is None else self.index.to(device),
        )


def joined(parts: Sequence[Transitions]) -> Transitions:
    """Return the transitions of all parts, at least one, one behind the other; all of one environment.

    ``weight`` and ``index`` are kept where every part has them.
    """

    def all_of(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], dict):
            return {key: torch.cat([value[key] for value in values]) for key in values[0]}
        return None if any(value is None for value in values) else torch.cat(values)

    return Transitions(**{one.name: all_of(one.name) for one in fields(Transitions)})
