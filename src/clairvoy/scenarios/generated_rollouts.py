"""Short rollouts that a generator makes up from real states, and the gate that decides which of them are learnt from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from clairvoy.generative.sampler import accept
from clairvoy.generative.transition_learner import TransitionLearner
from clairvoy.generative.transition_tau import TransitionTau
from clairvoy.qlearning.transitions import GENERATED, Transitions

Gate = Literal["open", "judged", "shuffled"]
"""What is admitted: all; what discriminator and tau believe; or as many, but any: the control of an ablation."""


class Rollouts(NamedTuple):
    """What was made."""

    transitions: list[Transitions]
    """Of each step of the rollouts, what was admitted."""
    metrics: dict[str, float]


def roll_out(
    learner: TransitionLearner,
    tau: TransitionTau,
    act: Callable[[Tensor], Tensor],
    states: Tensor,
    *,
    name: str,
    num_actions: int,
    gamma: float,
    horizon: int,
    gate: Gate,
    least_tau: float,
    rng: torch.Generator,
) -> Rollouts:
    """Make up what would follow real states; a rollout ends where an episode would, or where it is not admitted.

    Parameters
    ----------
    learner, tau
        The generators, the discriminator and the confidence.
    act
        From states (B, ...) to actions (B,) int64.
    states
        Real ones to begin in, (B, ...).
    name
        Of the state in observations.
    gamma
        Discount of one step.
    horizon
        Steps at most.
    gate, least_tau
        See `Gate`; with "judged" a transition is admitted by discriminator rejection sampling, if its tau is at
        least `least_tau`.
    rng
        Of the gate.
    """
    kept, made, admitted, sure = [], 0, 0, 0.0
    for _ in range(horizon):
        action = act(states)
        encoded = learner.outcomes.encode_state(states.to(learner.device))
        step = learner.make(encoded, action.to(learner.device))
        then, reward, ended = (
            part.cpu() for part in learner.outcomes.decode(states.to(learner.device), step.outcome)
        )
        believed = tau(step)
        finite = torch.isfinite(reward) & torch.isfinite(then.float()).flatten(1).all(dim=1)
        passed = torch.ones(len(states), dtype=torch.bool)
        if gate != "open":
            passed = accept(step.logit.cpu(), rng) & (believed >= least_tau)
        if gate == "shuffled":
            passed = passed[torch.randperm(len(passed), generator=rng)]
        made, sure = made + len(states), sure + float(believed.sum())
        index = (passed & finite).nonzero()[:, 0]
        admitted += len(index)
        states_before, states, ended = states[index], then[index], ended[index]
        kept.append(
            Transitions(
                observation={name: states_before},
                action=action[index],
                reward=reward[index],
                discount=torch.where(ended, 0.0, gamma),
                next_observation={name: states},
                next_mask=torch.ones(len(index), num_actions, dtype=torch.bool),
                provenance=torch.full((len(index),), GENERATED, dtype=torch.uint8),
                tau=believed[index],
            )
        )
        states = states[~ended]
        if not len(states):
            break
    metrics = {
        "generated/transitions": float(admitted),
        "generated/admitted": admitted / max(1, made),
        "generated/tau": sure / max(1, made),
    }
    return Rollouts([part for part in kept if len(part)], metrics)
