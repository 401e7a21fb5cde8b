"""Resuming an environment that cannot tell its state: the same seed and the same actions lead to the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from clairvoy.errors import WeightsError
from clairvoy.qlearning.environment import BatchedEnvironment, ObservationSpec, Step, resets_late
from clairvoy.qlearning.transitions import Observation


class Replayed:
    """A `BatchedEnvironment` that notes its seed and all actions; a resumed run plays them again.

    Exact for every environment that its seed determines, as Gymnasium's are. It costs one byte for each action, or
    two with more than 256 of them, and as many steps when resumed as were done.
    """

    def __init__(self, environment: BatchedEnvironment) -> None:
        self.environment = environment
        self.num_envs, self.num_actions = environment.num_envs, environment.num_actions
        self.observation_specs: Mapping[str, ObservationSpec] = environment.observation_specs
        self._type = torch.uint8 if self.num_actions <= 256 else torch.int16
        self._seed = torch.Generator().get_state()
        self._actions: list[Tensor] = []
        self._shown: Observation = {}

    @property
    def resets_late(self) -> bool:
        """Whether the environment itself does."""
        return resets_late(self.environment)

    def reset_at_once(self) -> bool:
        """Let the environment itself do so, see `FromGymnasium.reset_at_once`."""
        at_once = getattr(self.environment, "reset_at_once", None)
        return not self.resets_late if at_once is None else bool(at_once())

    def render(self) -> list[Any]:
        """Pictures that the environment itself draws; none if it cannot."""
        draw = getattr(self.environment, "render", None)
        return [] if draw is None else list(draw())

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere; what was noted before is forgotten."""
        self._seed, self._actions = generator.get_state(), []
        self._shown = self.environment.reset(generator)
        return self._shown

    def step(self, actions: Tensor) -> Step:
        """Act in all environments, and note it."""
        step = self.environment.step(actions)
        self._actions.append(actions.to("cpu", self._type))
        self._shown = step.observation
        return step

    def action_mask(self) -> Tensor:
        """Actions allowed now, (N, A) bool."""
        return self.environment.action_mask()

    def state_dict(self) -> dict[str, Any]:
        """Seed, actions, and what they led to."""
        actions = torch.stack(self._actions) if self._actions else torch.zeros(0, self.num_envs)
        return {"seed": self._seed, "actions": actions, "shown": dict(self._shown)}

    def load_state_dict(self, state: Mapping[str, Any], generator: torch.Generator) -> None:
        """Play again what was noted.

        Raises
        ------
        WeightsError
            It led elsewhere.
        """
        generator.set_state(state["seed"])
        self.reset(generator)
        for actions in state["actions"]:
            self.step(actions.long())
        same = self._shown.keys() == state["shown"].keys() and all(
            torch.equal(value.cpu(), state["shown"][name].cpu()) for name, value in self._shown.items()
        )
        if not same:
            raise WeightsError(
                "the environment did not repeat itself, so this run cannot be resumed: give it state_dict and "
                "load_state_dict, or let its seed decide everything (OwnRandomness, where global random numbers are drawn)"
            )
