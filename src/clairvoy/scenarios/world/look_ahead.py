"""Look-ahead by a learnt world: where Q-values do not tell the actions apart, their outcomes are made up and valued.

A decision is improved by short rollouts of the policy itself, as in Tesauro and Galperin (*On-line Policy Improvement using
Monte-Carlo Search*, NeurIPS 1996), here in a world that was learnt and is trusted only as far as tau says.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clairvoy.errors import InputError, above, at_least, between
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.policy import greedy, in_difficulty
from clairvoy.qlearning.transitions import Observation, Transitions
from clairvoy.scenarios.world.learnt_world import LearntWorld


@dataclass(frozen=True)
class LookAheadSettings:
    """Settings of a `LookAhead`."""

    steps: int = 10
    """Steps that are made up for each action, its own the first."""
    draws: int = 4
    """Outcomes made up for each action, at least 2: their spread says how sure their mean is."""
    gamma: float = 0.99
    """Discount of one step, in [0, 1]."""
    confidence: float = 1.0
    """The action that the agent prefers gives way where another one is worth more by so many times the agent's own
    uncertainty; two standard errors of the draws come on top."""

    def __post_init__(self) -> None:
        at_least(self, 1, "steps")
        at_least(self, 2, "draws")
        between(self, 0, 1, "gamma")
        above(self, 0, "confidence")


@torch.no_grad()
def uncertainty(agent: Agent, steps: Transitions) -> float:
    """How far off the acting network's Q-values are: their root mean square TD error on real steps, in units of return.

    `MixedHistory.held_out` has such steps. The agent has learnt from them, so this is a lower bound.
    """
    q = agent.acting_values(steps.observation).gather(1, steps.action.to(agent.device)[:, None])[:, 0]
    value = agent.acting_values(steps.next_observation).amax(dim=1)
    error = steps.reward.to(q.device) + steps.discount.to(q.device) * value - q
    return float(error.square().mean().sqrt())


class LookAhead:
    """A policy: the agent's greedy action, except where it is in difficulty and its world is surer than it is.

    In difficulty are states in which the best two Q-values differ by less than twice their uncertainty. There each action is
    followed by the agent's own greedy ones in the learnt world, all actions and draws in one batch; what was paid is added
    up, and the end valued by the agent. The differences to the preferred action are weighted by tau, the least of the
    steps; the largest counts if it is beyond the uncertainty.

    Parameters
    ----------
    agent
        Whose Q-values are asked.
    world
        What `WorldScenario.learnt_world` gives, with a noise of its own.
    doubt
        The uncertainty of a Q-value, in units of return; see `uncertainty`.
    settings
        See `LookAheadSettings`.

    Attributes
    ----------
    decisions, looked, changed
        How many states were decided; in how many it looked ahead; in how many it chose another action than the agent would.
    """

    def __init__(
        self, agent: Agent, world: LearntWorld, doubt: float, settings: LookAheadSettings | None = None
    ) -> None:
        if not doubt >= 0:
            raise InputError(f"doubt is {doubt}; give the uncertainty of a Q-value, at least 0")
        self.agent, self.world, self.doubt = agent, world, doubt
        self.settings = settings or LookAheadSettings()
        self.decisions, self.looked, self.changed = 0, 0, 0

    def __call__(self, observation: Observation, mask: Tensor | None = None) -> Tensor:
        """Actions ``(N,)`` int64 for observations ``(N, ...)``; the mask ``(N, A)`` says which are allowed."""
        q = self.agent.acting_values(observation)
        action = greedy(q, mask)
        hard = in_difficulty(q, mask, 2 * self.doubt).nonzero()[:, 0]
        self.decisions, self.looked = self.decisions + len(q), self.looked + len(hard)
        if not len(hard):
            return action
        preferred = action[hard][:, None]
        value, error, tau = self.outcomes(observation[self.world.name][hard.to("cpu")])
        worth = torch.minimum(tau, tau.gather(1, preferred)) * (value - value.gather(1, preferred))
        least = self.settings.confidence * self.doubt
        sure = worth - 2 * (error.square() + error.gather(1, preferred).square()).sqrt() > least
        sure &= torch.ones_like(sure) if mask is None else mask[hard].to(sure.device)
        best = worth.masked_fill(~sure, -torch.inf).argmax(dim=1, keepdim=True)
        chosen = torch.where(sure.any(dim=1, keepdim=True), best, preferred)[:, 0]
        self.changed += int((chosen != preferred[:, 0]).sum())
        return action.index_copy(0, hard, chosen)

    @torch.no_grad()
    def outcomes(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each action A leads to from states (N, ...): value, its standard error, and tau, (N, A) each."""
        count, actions, draws = len(states), self.world.num_actions, self.settings.draws
        at = states.cpu().repeat_interleave(actions * draws, dim=0)
        action = torch.arange(actions).repeat_interleave(draws).repeat(count)
        total, discount, sure = torch.zeros(len(at)), torch.ones(len(at)), torch.ones(len(at))
        for number in range(self.settings.steps):
            if number:
                action = greedy(self.agent.acting_values({self.world.name: at})).cpu()
            made = self.world.imagine(at, action)
            running = discount > 0
            # What is no number is believed by nobody, and leads nowhere.
            sure = torch.where(running, torch.minimum(sure, torch.where(made.finite, made.tau, 0.0)), sure)
            total = total + discount * torch.where(made.finite, made.reward, 0.0)
            discount = torch.where(made.ended, 0.0, self.settings.gamma * discount)
            at = torch.where(made.finite.view(-1, *[1] * (at.ndim - 1)), made.state, at)
        total = total + discount * self.agent.acting_values({self.world.name: at}).amax(dim=1).cpu()
        value, sure = total.view(count, actions, draws), sure.view(count, actions, draws)
        device = self.agent.device
        return tuple(
            part.to(device) for part in (value.mean(dim=2), value.std(dim=2) / draws**0.5, sure.mean(dim=2))
        )  # type: ignore[return-value]
