"""n-step returns from environments that run side by side and end their episodes at different times."""

from __future__ import annotations

import torch
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.transitions import Observation, Transitions


def n_step_return(reward: Tensor, gamma: float) -> Tensor:
    """Discounted sum of the rewards from each step to the last one.

    Parameters
    ----------
    reward
        Rewards of n consecutive steps of one episode, oldest first, ``(n, N)``.
    gamma
        Discount of one step, in [0, 1].

    Returns
    -------
    Tensor
        ``(n, N)``: row j is ``sum_{i >= j} gamma^(i - j) reward_i`` (Sutton and Barto 2018, eq. 7.1,
        without the bootstrapped value).
    """
    step = torch.arange(reward.shape[0], device=reward.device)
    delay = step[None, :] - step[:, None]
    power = torch.as_tensor(gamma, dtype=reward.dtype, device=reward.device) ** delay.clamp(min=0)
    return torch.where(delay >= 0, power, 0.0).to(reward.dtype) @ reward


def episode_transitions(
    observation: Observation,
    action: Tensor,
    reward: Tensor,
    *,
    terminated: bool,
    next_mask: Tensor,
    provenance: Tensor,
    tau: Tensor,
    n: int,
    gamma: float,
) -> Transitions:
    """The transitions over up to n steps of one whole episode, as `NStep` would release them one by one.

    Parameters
    ----------
    observation
        ``(T + 1, ...)`` each, the last one included.
    action, reward, provenance, tau
        ``(T,)``.
    terminated
        Whether the episode ended by its own rules; otherwise it was cut, and the last value counts.
    next_mask
        Actions allowed after each step, ``(T, A)`` bool.
    n, gamma
        See `NStep`.
    """
    steps = len(action)
    start = torch.arange(steps)
    end = (start + n).clamp(max=steps)
    total, worst = torch.zeros(steps, dtype=torch.float64), tau.float().clone()
    generated = provenance.clone()
    for k in range(min(n, steps)):
        total[: steps - k] += gamma**k * reward[k:].double()
        worst[: steps - k] = torch.minimum(worst[: steps - k], tau[k:].float())
        generated[: steps - k] = torch.maximum(generated[: steps - k], provenance[k:])
    discount = (gamma ** (end - start).double()).float()
    return Transitions(
        observation={name: value[start] for name, value in observation.items()},
        action=action,
        reward=total.float(),
        discount=torch.where((end == steps) & terminated, 0.0, discount),
        next_observation={name: value[end] for name, value in observation.items()},
        next_mask=next_mask[end - 1],
        provenance=generated,
        tau=worst,
    )


class NStep:
    """Collects steps of N environments and releases every transition as soon as it is complete.

    A transition is complete when n rewards have come, or when the episode ended: then all that wait for
    rewards are released with the shorter return, and nothing of it reaches into the next episode.

    Parameters
    ----------
    n
        Number of steps of a full transition, at least 1.
    gamma
        Discount of one step, in [0, 1].
    num_envs
        Number of environments N.
    """

    def __init__(self, n: int, gamma: float, num_envs: int) -> None:
        if n < 1 or num_envs < 1:
            raise SettingsError(f"n_step is {n} and num_envs is {num_envs}; both must be at least 1")
        if not 0.0 <= gamma <= 1.0:
            raise SettingsError(f"gamma is {gamma}; a discount lies in [0, 1]")
        self.n, self.gamma, self.num_envs = n, gamma, num_envs
        self._cursor = 0
        # The last n steps, in a ring: (n, N, ...) each, made when the first step shows what they hold.
        self._steps: dict[str, Tensor] = {}
        self._waiting = torch.zeros(num_envs, dtype=torch.int64)

    def append(self, observation: Observation, action: Tensor, step: Step) -> Transitions:
        """Return the transitions that one step of all environments completes, oldest first.

        ``observation`` and ``action`` led to ``step``, and lead with N like all of it. Rows that only began an episode
        (`Step.begun`) are forgotten.
        """
        device = action.device
        kept = {f"observation/{name}": value for name, value in observation.items()}
        kept |= {
            "action": action,
            "reward": step.reward.float(),
            "provenance": step.provenance,
            "tau": step.tau,
        }
        if not self._steps:
            self._steps = {name: value.new_zeros((self.n, *value.shape)) for name, value in kept.items()}
            self._waiting = self._waiting.to(device)
        for name, value in kept.items():
            self._steps[name][self._cursor] = value
        self._cursor = (self._cursor + 1) % self.n
        self._waiting = (self._waiting + 1).clamp(max=self.n)
        if step.begun is not None:
            self._waiting = torch.where(step.begun, 0, self._waiting)

        slot = (torch.arange(self.n, device=device) + self._cursor) % self.n  # oldest first
        length = torch.arange(self.n, 0, -1, device=device)  # rewards that each row has by now
        waits = length[:, None] <= self._waiting
        row, env = (waits & ((length == self.n)[:, None] | step.done)).nonzero(as_tuple=True)
        reward_from = n_step_return(torch.where(waits, self._steps["reward"][slot], 0.0), self.gamma)
        generated = self._steps["provenance"][slot].flip(0).cummax(0).values.flip(0)
        least_tau = self._steps["tau"][slot].flip(0).cummin(0).values.flip(0)
        discount = (self.gamma ** length.double()).float()[row]
        self._waiting = torch.where(step.done, 0, self._waiting)
        return Transitions(
            observation={name: self._steps[f"observation/{name}"][slot[row], env] for name in observation},
            action=self._steps["action"][slot[row], env],
            reward=reward_from[row, env],
            discount=torch.where(step.terminated[env], 0.0, discount),
            next_observation={name: value[env] for name, value in step.final_observation.items()},
            next_mask=step.final_action_mask[env],
            provenance=generated[row, env],
            tau=least_tau[row, env],
        )

    def drop_unfinished(self) -> None:
        """Forget the steps that wait for rewards, because the environments were reset from outside."""
        self._waiting.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that decides what later steps release."""
        state = {f"steps/{name}": value.clone() for name, value in self._steps.items()}
        return state | {"cursor": torch.tensor(self._cursor), "waiting": self._waiting.clone()}

    def load_state_dict(self, state: dict[str, Tensor], device: str | torch.device = "cpu") -> None:
        """Restore what `state_dict` returned, for the same n and N."""
        self._cursor = int(state["cursor"])
        self._waiting = state["waiting"].to(device, copy=True)
        self._steps = {
            name.removeprefix("steps/"): value.to(device, copy=True)
            for name, value in state.items()
            if name.startswith("steps/")
        }
