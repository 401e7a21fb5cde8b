"""A Q-network for worlds of many like things, with the same few actions for each: hosts of a network, units, machines."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.transitions import Observation
from clairvoy.qlearning.units import Units

EACH, WHOLE = 64, 128
"""Widths of what is made of one thing, and of all together."""


class EntityQNetwork(nn.Module):
    """Q-values of what can be done with each of E things, by one network for all of them.

    What is learnt of one thing holds for the others: the same layers see the numbers of a thing, which one it is, and a
    summary of all, and value every kind of action with it. A perceptron learns the same E times over. Deep Sets (Zaheer et
    al., NeurIPS 2017) shares layers so; here each thing has its name as well, since no two need be worth the same.

    Parameters
    ----------
    specs
        One part whose `ObservationSpec.entities` is E, at least 1, and that holds as many numbers of each. They are
        divided by their bounds, where there are some.
    num_actions
        A, at least E: those that concern no thing come first, then kind by kind one for each thing.
    each, whole
        Widths of the layers.

    Raises
    ------
    SettingsError
        There are several parts, or numbers or actions do not go round.
    """

    def __init__(
        self, specs: Mapping[str, ObservationSpec], num_actions: int, each: int = EACH, whole: int = WHOLE
    ) -> None:
        super().__init__()
        counts = [spec.entities for spec in specs.values()]
        numbers = sum(torch.Size(spec.shape).numel() for spec in specs.values())
        if len(specs) != 1 or counts[0] < 1 or numbers % counts[0] or num_actions < max(2, counts[0]):
            raise SettingsError(
                f"{numbers} numbers in {len(specs)} parts and {num_actions} actions are not those of {counts} things; give "
                "one part with as many numbers of each thing, and an action for each at least"
            )
        self.specs: Mapping[str, ObservationSpec] = dict(specs)
        self.num_actions, self.entities = num_actions, counts[0]
        kinds, of_none = divmod(num_actions, self.entities)
        self.units = Units(specs)
        self.one = nn.Linear(numbers // self.entities + self.entities, each)
        self.together = nn.Sequential(*_layer(numbers, whole), *_layer(whole, whole))
        self.seen_with_all, self.all_with_it = nn.Linear(each + self.entities, each), nn.Linear(whole, each)
        self.of_each = nn.Linear(each, kinds)
        self.of_none = nn.Linear(whole, of_none) if of_none else None
        self.value = nn.Sequential(*_layer(whole, whole), nn.Linear(whole, 1))

    def forward(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)``, float32: dueling, as in `qnetwork.DuelingQNetwork`."""
        numbers = self.units(observation)
        names = torch.eye(self.entities, device=numbers.device).expand(len(numbers), -1, -1)
        one = self.one(torch.cat([numbers.unflatten(1, (self.entities, -1)), names], dim=2))
        one = F.relu(F.layer_norm(one, one.shape[-1:]))
        together = self.together(numbers)
        both = self.seen_with_all(torch.cat([one, names], dim=2)) + self.all_with_it(together)[:, None]
        advantage = self.of_each(F.relu(F.layer_norm(both, both.shape[-1:]))).transpose(1, 2).flatten(1)
        if self.of_none is not None:
            advantage = torch.cat([self.of_none(together), advantage], dim=1)
        value: Tensor = self.value(together)
        return value + advantage - advantage.mean(dim=1, keepdim=True)


def _layer(numbers: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Linear(numbers, width), nn.LayerNorm(width), nn.ReLU()
