"""Short rollouts that a generator makes up from real states, and the gate that decides which of them are learnt from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from clairvoy.generative.adversary import accept
from clairvoy.generative.transitions.learner import TransitionLearner
from clairvoy.generative.transitions.tau import TransitionTau
from clairvoy.qlearning.transitions import GENERATED, Transitions, joined

Gate = Literal["open", "judged", "shuffled"]
"""What is admitted: all; what discriminator and tau believe; or as many, but any: the control of an ablation."""


class Rollouts(NamedTuple):
    """What was made."""

    transitions: Transitions | None
    """From each state that a rollout came through to its last one: a transition of as many steps, at most `horizon`.
    None if nothing was admitted."""
    metrics: dict[str, float]


class _Steps(NamedTuple):
    """One step of all rollouts; rows that are not `admitted` mean nothing."""

    state: Tensor
    action: Tensor
    reward: Tensor
    ended: Tensor
    tau: Tensor
    admitted: Tensor


def roll_out(
    learner: TransitionLearner,
    tau: TransitionTau,
    act: Callable[[Tensor, int], Tensor],
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

    The rewards of a rollout are added up to its end, so that one update carries what is found there back to the state
    it began in (Feinberg et al., *Model-Based Value Expansion*, 2018, arXiv:1803.00101, eq. 3.1). That the later actions
    are the agent's own of today makes these returns on-policy, as those of a history are not.

    Parameters
    ----------
    learner, tau
        The generators, the discriminator and the confidence.
    act
        From states (B, ...) and the number of the step, from 0, to actions (B,) int64.
    states
        Real ones to begin in, (B, ...).
    name
        Of the state in observations.
    gamma
        Discount of one step.
    horizon
        Steps at most.
    gate, least_tau
        See `Gate`; with "judged" a step is admitted by discriminator rejection sampling, if its tau is at least
        `least_tau`.
    rng
        Of the gate.
    """
    steps: list[_Steps] = []
    running = torch.ones(len(states), dtype=torch.bool)
    made, sure = 0, 0.0
    for number in range(horizon):
        action = act(states, number)
        known = states.to(learner.device)
        step = learner.make(learner.outcomes.encode_state(known), action.to(learner.device))
        then, reward, ended = (part.cpu() for part in learner.outcomes.decode(known, step.outcome))
        # What is not finite is believed by nobody, and does not decide on the others.
        believed, logit = tau(step).nan_to_num(0.0), step.logit.cpu().nan_to_num(-1e4)
        finite = torch.isfinite(reward) & torch.isfinite(then.float()).flatten(1).all(dim=1)
        passed = running.clone()
        if gate != "open":
            passed &= accept(logit, rng) & (believed >= least_tau)
        if gate == "shuffled":
            among = running.nonzero()[:, 0]
            passed[among] = passed[among[torch.randperm(len(among), generator=rng)]]
        made, sure = made + int(running.sum()), sure + float(believed[running].sum())
        passed &= finite
        steps.append(_Steps(states, action, reward, ended, believed, passed))
        # What is not admitted leads nowhere: the state before it is the rollout's last.
        states = torch.where(passed.view(-1, *[1] * (states.ndim - 1)), then, states)
        running = passed & ~ended
        if not bool(running.any()):
            break
    kept = _to_the_end(steps, states, name, num_actions, gamma)
    admitted = sum(int(step.admitted.sum()) for step in steps)
    metrics = {
        "generated/transitions": float(admitted),
        "generated/admitted": admitted / max(1, made),
        "generated/tau": sure / max(1, made),
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
        sure = torch.where(step.admitted, torch.minimum(sure, step.tau), sure)
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
