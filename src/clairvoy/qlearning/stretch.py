"""A stretch of steps of all environments, recorded while the agent explores; the memory of an on-line learner."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.environment import BatchedEnvironment, Step
from clairvoy.qlearning.transitions import GENERATED, Observation


@dataclass
class Stretch:
    """T steps of N environments, in tensors that the next stretch overwrites.

    Attributes
    ----------
    observation
        ``(T, N, ...)`` each.
    action
        ``(T, N)`` int64.
    reward
        ``(T, N)`` float32.
    terminated, truncated
        ``(T, N)`` bool.
    next_value
        Best allowed Q-value at what the action led to, ``(T, N)`` float32: at the last observation of an episode
        where it was truncated. Of the network as it was then. Meaningless where ``terminated``.
    begun
        Rows that only began an episode, ``(T, N)`` bool, see `environment.Step`; None if there are none.
    tau
        Confidence in steps of generated episodes, 1 for real ones, ``(T, N)``; None if all are real.
    """

    observation: Observation
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    next_value: Tensor
    begun: Tensor | None = None
    tau: Tensor | None = None

    @classmethod
    def empty(cls, steps: int, observation: Observation, device: torch.device) -> Stretch:
        """Room for ``steps`` steps of environments that show observations like this one, ``(N, ...)`` each."""
        shape = (steps, len(next(iter(observation.values()))))
        return cls(
            {
                name: torch.zeros((steps, *value.shape), dtype=value.dtype, device=device)
                for name, value in observation.items()
            },
            torch.zeros(shape, dtype=torch.int64, device=device),
            torch.zeros(shape, device=device),
            torch.zeros(shape, dtype=torch.bool, device=device),
            torch.zeros(shape, dtype=torch.bool, device=device),
            torch.zeros(shape, device=device),
        )

    def returns(self, running: Tensor) -> tuple[Tensor, Tensor]:
        """Undiscounted returns of the episodes that ended in the stretch.

        Parameters
        ----------
        running
            What the episodes had earned before the stretch, ``(N,)``.

        Returns
        -------
        running : Tensor
            What those that go on have earned, ``(N,)``.
        ended : Tensor
            Of those that ended, ``(E,)``.
        """
        reward, done = self.reward.cpu(), (self.terminated | self.truncated).cpu()
        ended = []
        for earned, over in zip(reward, done, strict=True):
            running = running + earned
            if bool(over.any()):
                ended.append(running[over])
                running = torch.where(over, 0.0, running)
        return running, torch.cat(ended) if ended else reward.new_zeros(0)


@torch.no_grad()
def record(
    agent: Agent,
    environment: BatchedEnvironment,
    observation: Observation,
    steps: int,
    epsilon: float,
    generator: torch.Generator,
    reuse: Stretch | None = None,
) -> tuple[Stretch, Observation]:
    """Explore for a stretch.

    Parameters
    ----------
    agent
        Its network chooses, with probability ``epsilon`` an allowed action is drawn instead.
    environment
        Already reset.
    observation
        What ``environment.reset`` or the last `record` returned.
    steps
        T, of each environment.
    epsilon
        In [0, 1].
    generator
        On the CPU.
    reuse
        An earlier stretch of the same shape, to be overwritten: nothing is allocated then.

    Returns
    -------
    stretch : Stretch
        On the agent's device.
    observation : Observation
        To go on from.

    Raises
    ------
    InputError
        A mask allows no action where an episode goes on.
    """
    device = agent.device
    stretch = reuse or Stretch.empty(steps, observation, device)
    stretch.begun = stretch.tau = None
    # Drawn at once: which draw belongs to which step does not depend on what happens.
    draws = torch.rand(steps, environment.num_envs, 1 + environment.num_actions, generator=generator)
    explores, keys = (draws[..., 0] < epsilon).to(device), draws[..., 1:].to(device)
    cut: list[tuple[int, Tensor, Observation, Tensor]] = []
    for t in range(steps):
        value, best, mask, shown = _evaluate(agent, environment, observation)
        if t:
            stretch.next_value[t - 1] = value
        action = torch.where(explores[t], keys[t].masked_fill(~mask, -1.0).argmax(dim=1), best)
        # Kept before the step: an environment may show one tensor, changed at each step.
        for name, part in shown.items():
            stretch.observation[name][t] = part
        step = environment.step(action)
        stretch.action[t], stretch.reward[t] = action, step.reward
        stretch.terminated[t], stretch.truncated[t] = step.terminated, step.truncated
        if bool(step.truncated.any()):
            rows = step.truncated.nonzero()[:, 0]
            last = {name: part[rows] for name, part in step.final_observation.items()}
            cut.append((t, rows, last, step.final_action_mask[rows]))
        _note(stretch, step, t, device)
        observation = step.observation
    stretch.next_value[-1] = _evaluate(agent, environment, observation)[0]
    if cut:
        last = {name: torch.cat([part[2][name] for part in cut]) for name in observation}
        mask = torch.cat([part[3] for part in cut]).to(device)
        value = agent.q_values(last).masked_fill(~mask, -torch.inf).amax(dim=1)
        time = torch.cat([torch.full_like(rows, t) for t, rows, _, _ in cut]).to(device)
        stretch.next_value[time, torch.cat([rows for _, rows, _, _ in cut]).to(device)] = value
    if bool((torch.isneginf(stretch.next_value) & ~stretch.terminated).any()):
        raise InputError(
            "the mask forbids every action in at least one row; allow one, or end the episode there"
        )
    return stretch, observation


def _evaluate(
    agent: Agent, environment: BatchedEnvironment, observation: Observation
) -> tuple[Tensor, Tensor, Tensor, Observation]:
    """Best Q-value, best action, mask and observation, all on the agent's device."""
    shown = {name: part.to(agent.device) for name, part in observation.items()}
    mask = environment.action_mask().to(agent.device)
    value, best = agent.network(shown).masked_fill(~mask, -torch.inf).max(dim=1)
    return value, best, mask, shown


def _note(stretch: Stretch, step: Step, t: int, device: torch.device) -> None:
    """Keep what few environments tell: late resets, and steps of generated episodes."""
    if step.begun is not None and bool(step.begun.any()):
        if stretch.begun is None:
            stretch.begun = torch.zeros_like(stretch.terminated)
        stretch.begun[t] = step.begun
    provenance, tau = step.info.get("provenance"), step.info.get("tau")
    if provenance is not None and tau is not None and bool((provenance == GENERATED).any()):
        if stretch.tau is None:
            stretch.tau = torch.ones_like(stretch.reward)
        stretch.tau[t] = torch.where(provenance == GENERATED, tau, 1.0).to(device)
