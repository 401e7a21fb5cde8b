"""What the learners ask of an environment: many episodes side by side, in tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.qlearning.transitions import REAL, Observation


@dataclass(frozen=True)
class ObservationSpec:
    """Shape, type and range of one named part of an observation, without the leading N."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    low: float
    high: float
    largest: tuple[float, ...] | None = None
    """Largest magnitude of each number, flattened, infinite where nothing bounds it; None: `low` and `high` say all."""
    entities: int = 0
    """If above 0: these are the numbers of so many like things, one thing behind the other, and actions are, after those
    that concern none, kind by kind one for each thing. See `entities.EntityQNetwork`."""


@dataclass(frozen=True)
class Step:
    """What one action in each of N environments led to.

    Where an episode ended, the next one has begun already (same-step autoreset), and both are given:
    ``final_observation`` is what the action led to, ``observation`` is what to act on next.

    Attributes
    ----------
    observation
        To act on next: the first observation of the new episode where one ended.
    reward
        ``(N,)`` float32.
    terminated
        The episode ended by its own rules; nothing follows, ``(N,)`` bool.
    truncated
        The episode was cut off; a value would have followed, ``(N,)`` bool. Never where ``terminated``.
    final_observation
        What the action led to, to learn from; equals ``observation`` where no episode ended.
    final_action_mask
        Actions allowed at ``final_observation``, ``(N, A)`` bool.
    info
        Further tensors, each leading with N, about the action just taken. Two names mean something to the learners:
        ``"provenance"`` and ``"tau"``, see the properties.
    begun
        Rows where the step only began an episode, ``(N,)`` bool: the action was ignored, the reward is 0, nothing
        is to be learnt from it. Environments that reset one step late have them (Gymnasium's next-step autoreset:
        where an episode ends, ``observation`` is still its last one, and the next step begins the new one). None:
        no row, as in all scenarios here.
    """

    observation: Observation
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final_observation: Observation
    final_action_mask: Tensor
    info: dict[str, Tensor] = field(default_factory=dict)
    begun: Tensor | None = None

    @property
    def done(self) -> Tensor:
        """Whether the episode ended, in either way, ``(N,)`` bool."""
        return self.terminated | self.truncated

    @property
    def provenance(self) -> Tensor:
        """`REAL` (0) or `GENERATED` (1), ``(N,)`` uint8: whether a model had a part in the step; real if not said."""
        provenance = self.info.get("provenance")
        return (
            torch.full_like(self.terminated, REAL, dtype=torch.uint8)
            if provenance is None
            else provenance.to(torch.uint8)
        )

    @property
    def tau(self) -> Tensor:
        """Confidence in the step, ``(N,)`` float32 in [0, 1]; 1 if not said."""
        tau = self.info.get("tau")
        return torch.ones_like(self.terminated, dtype=torch.float32) if tau is None else tau.float()


class BatchedEnvironment(Protocol):
    """N environments that step together. The whole interface between a scenario and the learners.

    An environment may also have ``state_dict()`` and ``load_state_dict(state, generator)``; a run that is resumed
    then goes on inside its episodes and is exactly the uninterrupted one. Without them it begins new episodes.

    One that tells `Step.begun` has ``resets_late = True``: what has no room for such steps asks `resets_late` before.
    What a step returned is not changed later: the learners keep it.
    """

    @property
    def num_envs(self) -> int:
        """Number of environments N."""
        ...

    @property
    def num_actions(self) -> int:
        """Number of actions A."""
        ...

    @property
    def observation_specs(self) -> Mapping[str, ObservationSpec]:
        """What an observation holds, by name."""
        ...

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin a new episode in every environment; ``generator`` is kept for all later randomness."""
        ...

    def step(self, actions: Tensor) -> Step:
        """Act in every environment, ``actions`` ``(N,)`` int64."""
        ...

    def action_mask(self) -> Tensor:
        """Actions allowed now, ``(N, A)`` bool."""
        ...


def check_actions(actions: Tensor, num_envs: int, num_actions: int | None = None) -> None:
    """Refuse what is not one action for each environment.

    Parameters
    ----------
    actions
        Integers, ``(N,)``.
    num_envs
        N.
    num_actions
        They must lie in ``[0, num_actions)``; not looked at if not given.

    Raises
    ------
    InputError
        The shape is another, or an action is none that there is.
    """
    if actions.shape != (num_envs,):
        raise InputError(f"actions have shape {tuple(actions.shape)}; give ({num_envs},)")
    if num_actions is not None and not (int(actions.min()) >= 0 and int(actions.max()) < num_actions):
        raise InputError(
            f"actions are {int(actions.min())} to {int(actions.max())}; give 0 to {num_actions - 1}"
        )


def resets_late(environment: BatchedEnvironment) -> bool:
    """Whether an environment resets itself a step late, and tells it in `Step.begun`."""
    return bool(getattr(environment, "resets_late", False))
