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


LONGEST = 30_000
"""Steps after which an evaluation cuts an episode: longer than any of Atari's, and shorter than for ever."""


@dataclass(frozen=True)
class Evaluation:
    """Episodes that a policy played, ``(E,)`` each."""

    returns: Tensor
    """Undiscounted sum of rewards, float32."""
    lengths: Tensor
    """Steps, int64."""
    cut: int = 0
    """Episodes that went on and on, and count as far as they were played."""

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
        history.append(observation, actions, step)
        observation = step.observation
    return observation


def evaluate(
    environment: BatchedEnvironment,
    policy: Policy,
    episodes: int,
    generator: torch.Generator,
    *,
    longest: int = LONGEST,
    pause: Callable[[], None] | None = None,
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
    longest
        Steps after which an episode counts as far as it was played: a policy may walk in circles where nothing ends an
        episode. One environment cannot be reset without the others, so it plays no more episodes then.
    pause
        Called before every step; what it raises ends the evaluation, as a Ctrl-C or a deadline would.
    """
    if episodes < 1 or longest < 1:
        raise SettingsError(
            f"episodes is {episodes} and longest {longest}; an evaluation plays at least 1 episode of at least 1 step"
        )
    each = -(-episodes // environment.num_envs)
    observation = environment.reset(generator)
    running = torch.zeros(environment.num_envs)
    length = torch.zeros(environment.num_envs, dtype=torch.int64)
    played = torch.zeros(environment.num_envs, dtype=torch.int64)
    returns, lengths, cut = [], [], 0
    while bool((played < each).any()):
        if pause is not None:
            pause()
        step = environment.step(policy(observation, environment.action_mask()))
        observation = step.observation
        acted = 1 if step.begun is None else (~step.begun).long().cpu()
        running, length = running + step.reward.cpu(), length + acted
        done = step.done.cpu()
        endless = (length >= longest) & ~done & (played < each)
        counts = (done | endless) & (played < each)
        returns.append(running[counts])
        lengths.append(length[counts])
        cut += int(endless.sum())
        played = torch.where(endless, each, played + done.long())
        running, length = torch.where(done, 0.0, running), torch.where(done, 0, length)
    return Evaluation(torch.cat(returns), torch.cat(lengths), cut)
