"""What a world does beside what its generator dreams: the same actions from the same beginning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.scenarios.world.scenario import WorldScenario


@dataclass(frozen=True)
class Dream:
    """T steps of one episode, played and dreamed."""

    begin: int
    """Steps into the episode that the dream begins after."""
    game: Tensor
    """What was seen, (T + 1, ...)."""
    dream: Tensor
    """What the generator went on to see, (U + 1, ...) with U <= T: it stops where it dreams of an end, or of what is no
    number. The first is that of `game`."""
    rewards: Tensor
    """Of the game, (T,)."""
    dreamed_rewards: Tensor
    """(U,)."""
    tau: Tensor | None
    """Confidence in each step of the dream, (U,); None before it was ever calibrated."""
    ended: bool
    """Whether the episode ended with the last step of `game`, by its own rules or cut off."""
    dreamed_end: bool
    """Whether the dream's last step is an end."""


def dream(
    scenario: WorldScenario, environment: BatchedEnvironment, steps: int, begin: int, seed: int
) -> Dream | None:
    """Play the agent's greedy actions, and let the generator dream what they lead to, never shown how it went on.

    Parameters
    ----------
    scenario
        Its generator must have seen something; if it has not, there is no dream: None.
    environment
        Of the scenario's kind, and not the one trained in; its first copy is played.
    steps
        T, at most, and at least 1: it ends where the game does.
    begin
        Steps into the episode that the dream begins after, as far as it is so long; else as late as it can.
    seed
        Of the episode and the dream's noise.
    """
    if scenario.learner is None:
        return None
    seen, actions, rewards, over = _play(scenario, environment, begin + steps, seed)
    first = max(0, min(begin, len(actions) - steps))
    seen, actions, rewards = seen[first:], actions[first:], rewards[first:]
    # The dream has a source of noise of its own, so that looking at it changes nothing in the training.
    world = scenario.learnt_world(noise=torch.Generator().manual_seed(seed))
    dreamed, rewarded, sure, ends = [seen[:1]], [], [], False
    for action in actions:
        made = world.imagine(dreamed[-1], action.view(1))
        if not bool(made.finite):
            break
        dreamed.append(made.state)
        rewarded.append(made.reward)
        sure.append(made.tau)
        ends = bool(made.ended)
        if ends:
            break
    empty = torch.zeros(0)
    tau = torch.cat([empty, *sure]) if scenario.tau.fitted else None
    return Dream(first, seen, torch.cat(dreamed), rewards, torch.cat([empty, *rewarded]), tau, over, ends)


def _play(
    scenario: WorldScenario, environment: BatchedEnvironment, steps: int, seed: int
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """States (T + 1, ...), actions (T,) and rewards (T,) of the first copy, at most one episode; whether it ended."""
    observation = environment.reset(torch.Generator().manual_seed(seed))
    seen, actions, rewards, over = [observation[scenario.name][:1].cpu().clone()], [], [], False
    for _ in range(steps):
        action = scenario.agent.act_greedily(observation, environment.action_mask()).cpu()
        step = environment.step(action)
        observation = step.observation
        seen.append(step.final_observation[scenario.name][:1].cpu().clone())
        actions.append(action[:1])
        rewards.append(step.reward[:1].cpu())
        over = bool(step.done[0])
        if over:
            break
    return torch.cat(seen), torch.cat(actions), torch.cat(rewards), over
