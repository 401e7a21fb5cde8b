"""Double dueling DQN on n-step transitions, and learning from history alone."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.history import History
from clairvoy.qlearning.n_step import n_step_return
from clairvoy.qlearning.transitions import GENERATED, Transitions

__all__ = ["DQN", "DQNSettings", "double_q_target", "huber", "learn_from_history", "n_step_return"]


@dataclass(frozen=True)
class DQNSettings:
    """Settings of a `DQN`. The discount is not among them: every transition brings its own."""

    learning_rate: float = 3e-4
    """Step size of Adam."""
    huber_delta: float = 1.0
    """TD error, in units of return, above which the loss grows linearly."""
    max_grad_norm: float = 10.0
    """The gradient of all parameters together is scaled down to this norm."""
    polyak: float = 0.01
    """Share of the online network that moves into the target network, in (0, 1]; 1 copies it."""
    target_period: int = 1
    """Updates between two moves of the target network."""
    conservatism: float = 0.0
    """Weight of CQL's penalty on actions that the history does not hold; for learning with no environment."""
    tau_exponent: float = 1.0
    """A generated transition counts tau ** this in the loss; at 0 it counts as much as a real one."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "huber_delta", "max_grad_norm", "polyak", "target_period"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("conservatism", "tau_exponent"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if self.polyak > 1:
            raise SettingsError(f"polyak is {self.polyak}; it is a share, at most 1")


def double_q_target(
    reward: Tensor, discount: Tensor, q_next_online: Tensor, q_next_target: Tensor, next_mask: Tensor
) -> Tensor:
    """Target of double Q-learning: the online network chooses the next action, the target network values it.

    Parameters
    ----------
    reward
        Return of the steps of the transition, ``(B,)``.
    discount
        What the next value counts, 0 after termination, ``(B,)``.
    q_next_online, q_next_target
        Q-values of the next observation by either network, ``(B, A)``.
    next_mask
        Actions allowed there, ``(B, A)`` bool. A row may be all False if its discount is 0.

    Returns
    -------
    Tensor
        ``(B,)``.

    References
    ----------
    van Hasselt, Guez and Silver, *Deep Reinforcement Learning with Double Q-learning*, AAAI 2016, eq. 4.
    """
    choice = q_next_online.masked_fill(~next_mask, -torch.inf).argmax(dim=1, keepdim=True)
    return reward + discount * q_next_target.gather(1, choice)[:, 0]


def huber(error: Tensor, delta: float) -> Tensor:
    """``error^2 / 2`` up to ``delta``, then its tangent: a gradient of at most ``delta`` (Huber 1964)."""
    size = error.abs()
    inside = size.clamp(max=delta)
    return inside * (size - 0.5 * inside)


class DQN(Agent):
    """A Q-learning agent: online network, target network, optimizer.

    Parameters
    ----------
    network
        Module from an `Observation` to Q-values ``(N, A)``; `DuelingQNetwork` for one.
    settings
        See `DQNSettings`.
    device
        Where both networks lie; observations are moved there.

    Attributes
    ----------
    td_error
        Signed TD errors ``(B,)`` of the last `update`, for `History.update_priorities`.
    updates
        Number of updates so far.
    """

    def __init__(
        self, network: nn.Module, settings: DQNSettings | None = None, device: str | torch.device = "cpu"
    ) -> None:
        super().__init__(network, device)
        self.settings = settings or DQNSettings()
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate)
        self.updates = 0
        self.td_error = torch.zeros(0, device=self.device)

    def update(self, transitions: Transitions) -> dict[str, float]:
        """One step of the optimizer on a batch.

        Returns
        -------
        dict
            ``loss``, ``td_error`` (mean absolute), ``q`` (mean of the actions taken), ``grad_norm`` (before
            clipping).

        Raises
        ------
        InputError
            The loss is not finite.
        """
        batch = transitions.to(self.device)
        q = self.network(batch.observation)
        q_taken = q.gather(1, batch.action[:, None])[:, 0]
        with torch.no_grad():
            target = double_q_target(
                batch.reward,
                batch.discount,
                self.network(batch.next_observation),
                self.target(batch.next_observation),
                batch.next_mask,
            )
        error = target - q_taken
        loss = (self._weight(batch) * huber(error, self.settings.huber_delta)).mean()
        if self.settings.conservatism > 0:
            # CQL(H), Kumar et al., NeurIPS 2020, eq. 4: push down all actions, push up those that were taken.
            loss = loss + self.settings.conservatism * (q.logsumexp(dim=1) - q_taken).mean()
        if not bool(torch.isfinite(loss)):
            raise InputError(
                "the loss is not finite: check rewards and observations for NaN, or lower learning_rate"
            )
        self.optimizer.zero_grad()
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.settings.target_period == 0:
            self._move_target()
        self.td_error = error.detach()
        return {
            "loss": float(loss.detach()),
            "td_error": float(self.td_error.abs().mean()),
            "q": float(q_taken.detach().mean()),
            "grad_norm": float(grad_norm),
        }

    def state_dict(self) -> dict[str, Any]:
        """Both networks, the optimizer and the count of updates: copies, untouched by later updates."""
        return copy.deepcopy(
            {
                "network": self.network.state_dict(),
                "target": self.target.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "updates": self.updates,
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; further updates are those of the uninterrupted run."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.updates = int(state["updates"])

    def _weight(self, batch: Transitions) -> Tensor:
        trust = torch.where(batch.provenance == GENERATED, batch.tau**self.settings.tau_exponent, 1.0)
        return trust if batch.weight is None else trust * batch.weight

    @torch.no_grad()
    def _move_target(self) -> None:
        online, target = self.network.state_dict(), self.target.state_dict()
        for name, value in target.items():
            if value.is_floating_point():
                value.lerp_(online[name], self.settings.polyak)
            else:
                value.copy_(online[name])


def learn_from_history(
    agent: DQN,
    history: History,
    updates: int,
    batch_size: int = 64,
    importance_exponent: float | None = None,
) -> dict[str, float]:
    """Learn Q-values from history alone: no environment is asked.

    Parameters
    ----------
    agent
        The learner. With a history that nobody adds to, give it some ``conservatism``.
    history
        Sampled by priority; the priorities follow the new TD errors.
    updates
        Number of batches, at least 1.
    batch_size
        Transitions in each.
    importance_exponent
        Overrides the history's setting.

    Returns
    -------
    dict
        Means of what `DQN.update` returns.
    """
    if updates < 1:
        raise SettingsError(f"updates is {updates}; learning needs at least 1")
    sums: dict[str, float] = {}
    for _ in range(updates):
        batch = history.sample(batch_size, importance_exponent)
        for name, value in agent.update(batch).items():
            sums[name] = sums.get(name, 0.0) + value
        if batch.index is not None:
            history.update_priorities(batch.index, agent.td_error)
    return {name: value / updates for name, value in sums.items()}
