"""Acting in a batched environment: to fill the history, or to be measured. The two never mix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.history import History
from clairvoy.qlearning.transitions import Observation

Policy: TypeAlias = Callable[[Observation, Tensor], Tensor]
"""From an observation and the mask ``(N, A)`` of allowed actions to actions ``(N,)`` int64."""


@dataclass(frozen=True)
class Evaluation:
    """Episodes that a policy played, ``(E,)`` each."""

    returns: Tensor
    """Undiscounted sum of rewards, float32."""
    lengths: Tensor
    """Steps, int64."""

    @property
    def mean_return(self) -> float:
        """Mean of ``returns``."""
        return float(self.returns.mean())


def collect(
    environment: BatchedEnvironment, policy: Policy, history: History, observation: Observation, steps: int
) -> Observation:
    """Act ``steps`` times in all environments and append every step to ``history``.

    Parameters
    ----------
    environment
        Already reset.
    policy
        Explores, if it is to learn.
    history
        Built for as many environments and actions.
    observation
        What `reset` or the last `collect` returned.
    steps
        Steps of each environment.

    Returns
    -------
    Observation
        To go on from.
    """
    for _ in range(steps):
        actions = policy(observation, environment.action_mask())
        # A copy: an environment that shows one tensor, changed at each step, must not change what was seen.
        observation = {name: value.clone() for name, value in observation.items()}
        step = environment.step(actions)
        history.append(
            observation,
            actions,
            step.reward,
            step.terminated,
            step.truncated,
            step.final_observation,
            next_mask=step.final_action_mask,
            provenance=step.info.get("provenance"),
            tau=step.info.get("tau"),
            begun=step.begun,
        )
        observation = step.observation
    return observation


def evaluate(
    environment: BatchedEnvironment, policy: Policy, episodes: int, generator: torch.Generator
) -> Evaluation:
    """Play whole episodes and report them; nothing is learnt or kept.

    Every environment plays the same number of episodes (``episodes`` rounded up to a multiple of N). Taking
    the first that finish instead would favour short ones.

    Parameters
    ----------
    environment
        Reset here.
    policy
        Without exploration: ``agent.act_greedily``, or a baseline.
    episodes
        At least 1.
    generator
        Decides starts and scenes: the same seed gives every policy the same first episodes.
    """
    if episodes < 1:
        raise SettingsError(f"episodes is {episodes}; an evaluation plays at least 1")
    each = -(-episodes // environment.num_envs)
    observation = environment.reset(generator)
    running = torch.zeros(environment.num_envs)
    length = torch.zeros(environment.num_envs, dtype=torch.int64)
    played = torch.zeros(environment.num_envs, dtype=torch.int64)
    returns, lengths = [], []
    while bool((played < each).any()):
        step = environment.step(policy(observation, environment.action_mask()))
        observation = step.observation
        acted = 1 if step.begun is None else (~step.begun).long().cpu()
        running, length = running + step.reward.cpu(), length + acted
        done = step.done.cpu()
        counts = done & (played < each)
        returns.append(running[counts])
        lengths.append(length[counts])
        played = played + done.long()
        running, length = torch.where(done, 0.0, running), torch.where(done, 0, length)
    return Evaluation(torch.cat(returns), torch.cat(lengths))
