"""Haze searches on grids of several sizes as one batched environment: what the agent sees is of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.haze.search import HazeSearch
from clairvoy.searching.glimpse import Memory


class MixedSearch:
    """Several `HazeSearch` one after the other in the batch; a `BatchedEnvironment`.

    Parameters
    ----------
    searches
        Of any grids, on one device.
    guide
        What leads: an action for each position and `glimpse.Memory` of n scenes; see `led`.

    Attributes
    ----------
    led
        Part of each search's episodes, in [0, 1], in which the action mask allows only what the guide would do: an
        agent that begins with sensible histories learns to value them first.
    """

    def __init__(
        self, searches: Sequence[HazeSearch], guide: Callable[[Tensor, Memory], Tensor] | None = None
    ) -> None:
        if not searches:
            raise SettingsError("there is no search to mix; give at least one")
        self.searches = list(searches)
        self.guide, self.led = guide, 0.0
        self.sizes = [search.num_envs for search in self.searches]
        self.num_envs = sum(self.sizes)
        self.num_actions = self.searches[0].num_actions
        self.observation_specs = self.searches[0].observation_specs

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode in every environment of every search."""
        return _joined([search.reset(generator) for search in self.searches])

    def step(self, actions: Tensor) -> Step:
        """Act in all searches; ``Step.info`` has what all of them tell."""
        steps = [
            search.step(part) for search, part in zip(self.searches, actions.split(self.sizes), strict=True)
        ]
        observation = _joined([step.observation for step in steps])
        ended = any(step.final_observation is not step.observation for step in steps)
        return Step(
            observation=observation,
            reward=torch.cat([step.reward for step in steps]),
            terminated=torch.cat([step.terminated for step in steps]),
            truncated=torch.cat([step.truncated for step in steps]),
            final_observation=_joined([step.final_observation for step in steps]) if ended else observation,
            # What follows the cut-off end of an episode is valued without the guide.
            final_action_mask=torch.cat([step.final_action_mask for step in steps]),
            info=_joined([step.info for step in steps]),
        )

    def action_mask(self) -> Tensor:
        """Actions allowed now, ``(N, 5)`` bool; where the guide leads, one."""
        return torch.cat([self._mask(search) for search in self.searches])

    def state_dict(self) -> dict[str, Tensor]:
        """Of all searches, without their scenes: build the environment on the same ones before loading."""
        return {
            f"{number}/{name}": value
            for number, search in enumerate(self.searches)
            for name, value in search.state_dict(include_scenes=False).items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned."""
        for number, search in enumerate(self.searches):
            begin = f"{number}/"
            part = {key[len(begin) :]: value for key, value in state.items() if key.startswith(begin)}
            search.load_state_dict(part, generator)

    def _mask(self, search: HazeSearch) -> Tensor:
        mask = search.action_mask()
        led = round(self.led * search.num_envs)
        if led and self.guide is not None:
            # Which episodes: the first ones of the batch, so that an episode is led throughout or not at all.
            memory = Memory(*(getattr(search.memory, item.name)[:led] for item in fields(Memory)))
            only = one_hot(self.guide(search.position[:led], memory), self.num_actions).bool()
            mask = torch.cat((only, mask[led:]))
        return mask


def _joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
