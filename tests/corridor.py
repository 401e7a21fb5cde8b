"""A corridor that can be solved by hand: every learner must master it within seconds, in the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from clairvoy.errors import InputError, at_least
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.transitions import Observation

LEFT, RIGHT = 0, 1


@dataclass(frozen=True)
class CorridorSettings:
    """Settings of a `Corridor`."""

    cells: int = 8
    """Length L of the corridor, both doors included; at least 3."""
    small_reward: float = 0.2
    """Pay at the left door. The right door pays 1."""
    step_cost: float = 0.05
    """Taken from the reward of every step."""
    max_steps: int = 32
    """An episode is truncated after this many steps."""

    def __post_init__(self) -> None:
        at_least(self, 3, "cells")
        at_least(self, 1, "max_steps")


class Corridor:
    """Cells in a row with a door at each end: a small sure reward is often nearer than the large one.

    An episode begins in a random cell between the doors. Actions: `LEFT` (0), `RIGHT` (1). Reaching a door
    terminates the episode. Observation: ``cell`` ``(N, L)`` float32, one-hot.
    """

    num_actions = 2

    def __init__(
        self,
        num_envs: int,
        settings: CorridorSettings | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.num_envs = num_envs
        self.settings = settings or CorridorSettings()
        self.device = torch.device(device)
        self.observation_specs = {"cell": ObservationSpec((self.settings.cells,), torch.float32, 0.0, 1.0)}
        self._generator = torch.Generator()
        self.cell = torch.ones(num_envs, dtype=torch.int64, device=self.device)
        self.steps = torch.zeros_like(self.cell)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere."""
        self._generator = generator
        self.cell, self.steps = self._starts(), torch.zeros_like(self.steps)
        return self._observation()

    def step(self, actions: Tensor) -> Step:
        """Go one cell; see `Step`."""
        if actions.shape != (self.num_envs,):
            raise InputError(f"actions have shape {tuple(actions.shape)}; give ({self.num_envs},)")
        last = self.settings.cells - 1
        self.cell = self.cell + torch.where(actions.to(self.device) == RIGHT, 1, -1)
        self.steps = self.steps + 1
        pay = (self.cell == last) * 1.0 + (self.cell == 0) * self.settings.small_reward
        terminated = (self.cell == 0) | (self.cell == last)
        truncated = (self.steps >= self.settings.max_steps) & ~terminated
        final_observation = self._observation()
        done = terminated | truncated
        self.cell = torch.where(done, self._starts(), self.cell)
        self.steps = torch.where(done, 0, self.steps)
        return Step(
            observation=self._observation(),
            reward=(pay - self.settings.step_cost).float(),
            terminated=terminated,
            truncated=truncated,
            final_observation=final_observation,
            final_action_mask=self.action_mask(),
        )

    def action_mask(self) -> Tensor:
        """Both directions, always: ``(N, 2)`` bool."""
        return torch.ones(self.num_envs, self.num_actions, dtype=torch.bool, device=self.device)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that later steps depend on."""
        return {
            "cell": self.cell.clone(),
            "steps": self.steps.clone(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned; ``generator`` is used from now on and set to the saved state."""
        self.cell = state["cell"].to(self.device, copy=True)
        self.steps = state["steps"].to(self.device, copy=True)
        self._generator = generator or self._generator
        self._generator.set_state(state["generator"].cpu())

    def optimal_return(self, cell: Tensor, gamma: float = 1.0) -> Tensor:
        """Best return from ``cell`` ``(...)``, in closed form: the better of the two doors.

        d steps to a door that pays p return ``gamma^(d-1) p - step_cost (1 - gamma^d) / (1 - gamma)``.
        """
        values = []
        for distance, pay in ((cell, self.settings.small_reward), (self.settings.cells - 1 - cell, 1.0)):
            steps = distance.double()
            cost = steps if gamma == 1.0 else (1 - gamma**steps) / (1 - gamma)
            values.append(gamma ** (steps - 1) * pay - self.settings.step_cost * cost)
        return torch.maximum(*values)

    def _starts(self) -> Tensor:
        cells = torch.randint(
            1,
            self.settings.cells - 1,
            (self.num_envs,),
            generator=self._generator,
            device=self._generator.device,
        )
        return cells.to(self.device)

    def _observation(self) -> Observation:
        return {"cell": one_hot(self.cell, self.settings.cells).float()}
