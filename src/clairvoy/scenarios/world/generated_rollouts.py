"""Rollouts that a generator makes up from real states, and the gate that decides how far they are learnt from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.qlearning.transitions import GENERATED, Transitions, joined
from clairvoy.scenarios.world.learnt_world import LearntWorld

Gate = Literal["open", "judged", "shuffled"]
"""What is admitted: all; what is trusted enough; or as many, but any: the control of an ablation."""


@dataclass(frozen=True)
class RolloutSettings:
    """Settings of `roll_out`."""

    gamma: float = 0.99
    """Discount of one step, in [0, 1]."""
    horizon: int = 3
    """Steps at most."""
    gate: Gate = "judged"
    """See `Gate`."""
    least_tau: float = 0.5
    """Least confidence in a rollout that the gate admits, in [0, 1]."""

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise SettingsError(f"horizon is {self.horizon}; a rollout takes at least 1 step")
        for name in ("gamma", "least_tau"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; it lies in [0, 1]")


class Rollouts(NamedTuple):
    """What was made."""

    transitions: Transitions | None
    """From each state that a rollout came through to its last one: a transition of as many steps, at most `horizon`.
    None if nothing was admitted."""
    metrics: dict[str, float]
    """``generated/``: ``transitions`` kept, part of the rollouts ``admitted`` by a step at least, mean ``length`` of these,
    mean ``tau`` of a step made."""


class _Steps(NamedTuple):
    """One step of all rollouts; rows that are not `admitted` mean nothing. `tau` is that of the step alone."""

    state: Tensor
    action: Tensor
    reward: Tensor
    ended: Tensor
    tau: Tensor
    admitted: Tensor


def roll_out(
    world: LearntWorld,
    act: Callable[[Tensor, int], Tensor],
    states: Tensor,
    settings: RolloutSettings,
    rng: torch.Generator,
) -> Rollouts:
    """Make up what would follow real states; a rollout ends where an episode would, or where it is not admitted.

    The rewards of a rollout are added up to its end, so that one update carries what is found there back to the state
    it began in (Feinberg et al., *Model-Based Value Expansion*, 2018, arXiv:1803.00101, eq. 3.1). That the later actions
    are the agent's own of today makes these returns on-policy, as those of a history are not.

    A rollout is trusted by the product of its steps' taus: each step strays from the world a little more. So a world that
    is well understood gives long rollouts, another short ones or none, and nobody has to say how long.

    Parameters
    ----------
    world
        Says what follows, and how much it believes it.
    act
        From states (B, ...) and the number of the step, from 0, to actions (B,) int64.
    states
        Real ones to begin in, (B, ...).
    settings
        See `RolloutSettings`. With the gate "judged" a step is admitted if the product of the taus up to it is at least
        `least_tau`.
    rng
        Of the shuffled gate.
    """
    steps: list[_Steps] = []
    running = torch.ones(len(states), dtype=torch.bool)
    trusted = torch.ones(len(states))
    count, sure = 0, 0.0
    for number in range(settings.horizon):
        action = act(states, number)
        made = world.imagine(states, action)
        passed = running.clone()
        if settings.gate != "open":
            trusted = trusted * made.tau
            passed &= trusted >= settings.least_tau
        if settings.gate == "shuffled":
            among = running.nonzero()[:, 0]
            other = among[torch.randperm(len(among), generator=rng)]
            passed[among], trusted[among] = passed[other], trusted[other]
        count, sure = count + int(running.sum()), sure + float(made.tau[running].sum())
        passed &= made.finite
        steps.append(_Steps(states, action, made.reward, made.ended, made.tau, passed))
        # What is not admitted leads nowhere: the state before it is the rollout's last.
        states = torch.where(passed.view(-1, *[1] * (states.ndim - 1)), made.state, states)
        running = passed & ~made.ended
        if not bool(running.any()):
            break
    kept = _to_the_end(steps, states, world.name, world.num_actions, settings.gamma)
    admitted = sum(int(step.admitted.sum()) for step in steps)
    begun = int(steps[0].admitted.sum())
    metrics = {
        "generated/transitions": float(admitted),
        "generated/admitted": begun / len(steps[0].admitted),
        "generated/length": admitted / max(1, begun),
        "generated/tau": sure / max(1, count),
    }
    return Rollouts(kept, metrics)


def _to_the_end(
    steps: list[_Steps], last: Tensor, name: str, num_actions: int, gamma: float
) -> Transitions | None:
    """From each state of a rollout to its last one."""
    zeros = torch.zeros(len(last))
    total, discount, sure = zeros, zeros + 1, zeros + 1
    kept: list[Transitions] = []
    for step in reversed(steps):
        total = torch.where(step.admitted, step.reward + gamma * total, total)
        discount = torch.where(step.admitted, torch.where(step.ended, 0.0, gamma * discount), discount)
        sure = torch.where(step.admitted, step.tau * sure, sure)
        index = step.admitted.nonzero()[:, 0]
        if len(index):
            kept.append(
                Transitions(
                    observation={name: step.state[index]},
                    action=step.action[index],
                    reward=total[index],
                    discount=discount[index],
                    next_observation={name: last[index]},
                    next_mask=torch.ones(len(index), num_actions, dtype=torch.bool),
                    provenance=torch.full((len(index),), GENERATED, dtype=torch.uint8),
                    tau=sure[index],
                )
            )
    return joined(kept) if kept else None
