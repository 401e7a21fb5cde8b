"""Double dueling DQN on n-step transitions, and learning from history alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError, above, at_least, between
from clairvoy.processes.ranks import ALONE, Ranks
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.following import Following
from clairvoy.qlearning.n_step import n_step_return
from clairvoy.qlearning.transitions import GENERATED, Observation, Transitions

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
    average: float = 1.0
    """Share of the online network that moves into an average of it after each update, in (0, 1]; below 1 the average
    acts where nothing is explored. A policy jumps from update to update, far more than its values do; the average of
    the weights does not (Izmailov et al., *Averaging Weights*, UAI 2018)."""
    tau_exponent: float = 1.0
    """A generated transition counts tau ** this in the loss; at 0 it counts as much as a real one."""
    double: bool = True
    """Whether the online network chooses the next action; off, the target network does, a third cheaper."""

    def __post_init__(self) -> None:
        above(self, 0, "learning_rate", "huber_delta", "max_grad_norm", "polyak", "average")
        at_least(self, 1, "target_period")
        at_least(self, 0, "tau_exponent")
        between(self, 0, 1, "polyak", "average")


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
        Q-values of the next observation by either network, ``(B, A)``. The same for both is plain Q-learning.
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


def clip_gradients(parameters: Sequence[nn.Parameter], max_norm: float) -> float:
    """Scale all gradients together down to ``max_norm``, if they exceed it; return their norm before.

    `torch.nn.utils.clip_grad_norm_` scales in every case, and takes three times as long on small networks.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
    if norm > max_norm:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


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
    ranks
        Those that learn together, each from its part of every batch.

    Attributes
    ----------
    td_error
        Signed TD errors ``(B,)`` of the last `update`, for `History.update_priorities`.
    updates
        Number of updates so far.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: DQNSettings | None = None,
        device: str | torch.device = "cpu",
        ranks: Ranks = ALONE,
    ) -> None:
        super().__init__(network, device)
        self.ranks = ranks
        self.settings = settings or DQNSettings()
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self._target_follows = Following(self.target, self.network, self.settings.polyak)
        self.averaged: nn.Module | None = None
        """The network with averaged weights, if there is one."""
        if self.settings.average < 1:
            self.averaged = copy.deepcopy(self.network).requires_grad_(False)
            self._average_follows = Following(self.averaged, self.network, self.settings.average)
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.settings.learning_rate, fused=True)
        self.updates = 0
        self.td_error = torch.zeros(0, device=self.device)

    @property
    def acting(self) -> nn.Module:
        """The network that acts greedily: the average, if there is one."""
        return self.network if self.averaged is None else self.averaged

    @property
    def networks(self) -> list[nn.Module]:
        """All networks: what learns, the target, the average."""
        return [self.network, self.target, *([] if self.averaged is None else [self.averaged])]

    def take_weights(self, weights: Mapping[str, Any]) -> None:
        """Act, and go on learning, by weights that `acting` had before.

        The target takes them too: networks that were given numbers in other units than these (`units.settle`) could
        not be mixed with them. The optimizer stays as it is.
        """
        for network in self.networks:
            network.load_state_dict(weights)

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
            The loss is not finite; nothing was learnt.
        """
        batch = transitions.to(self.device)
        return self.descend(batch.observation, batch.action, self.targets(batch), self.weights(batch))

    def descend(
        self, observation: Observation, action: Tensor, target: Tensor, weight: Tensor
    ) -> dict[str, float]:
        """What `update` does once the targets and the weights ``(B,)`` of its batch are known."""
        q = self.network(observation)
        with torch.no_grad():
            q_taken = q.gather(1, action[:, None])[:, 0]
            self.td_error = target - q_taken
            loss, gradient = self.loss_and_gradient(q, action, weight)
            measured = torch.stack((loss, self.td_error.abs().mean(), q_taken.mean())).tolist()
        if not math.isfinite(measured[0]):
            raise InputError(
                "the loss is not finite: check rewards and observations for NaN, or lower learning_rate"
            )
        for parameter in self.parameters:
            parameter.grad = None
        # The loss is a closed form of the Q-values, and so is its gradient: only the network is left to autograd.
        q.backward(gradient)
        self.ranks.average_gradients(self.parameters)
        grad_norm = clip_gradients(self.parameters, self.settings.max_grad_norm)
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.settings.target_period == 0:
            self._target_follows.move()
        if self.averaged is not None:
            self._average_follows.move()
        return {"loss": measured[0], "td_error": measured[1], "q": measured[2], "grad_norm": grad_norm}

    def loss_and_gradient(self, q: Tensor, action: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Mean weighted Huber loss of `td_error`, ``()``, and its gradient with respect to ``q``, ``(B, A)``."""
        delta = self.settings.huber_delta
        loss = (weight * huber(self.td_error, delta)).mean()
        slope = weight * self.td_error.clamp(-delta, delta) / -len(action)
        return loss, torch.zeros_like(q).scatter_(1, action[:, None], slope[:, None])

    @torch.no_grad()
    def targets(self, transitions: Transitions, q_next_target: Tensor | None = None) -> Tensor:
        """TD targets ``(B,)``, see `double_q_target`; ``q_next_target`` is `next_values`, if known already."""
        batch = transitions
        if q_next_target is None:
            q_next_target = self.next_values(batch)
        q_next_online = self.network(batch.next_observation) if self.settings.double else q_next_target
        return double_q_target(batch.reward, batch.discount, q_next_online, q_next_target, batch.next_mask)

    def weights(self, transitions: Transitions) -> Tensor:
        """What each transition counts in the loss, ``(B,)``: importance, times trust where it was generated."""
        batch = transitions
        trust = torch.where(batch.provenance == GENERATED, batch.tau**self.settings.tau_exponent, 1.0)
        return trust if batch.weight is None else trust * batch.weight

    @torch.no_grad()
    def next_values(self, transitions: Transitions) -> Tensor:
        """Q-values ``(B, A)`` of the target network at the next observations."""
        q: Tensor = self.target(transitions.next_observation)
        return q

    def target_rests(self, updates: int) -> bool:
        """Whether the target network stays as it is during the next ``updates`` updates, but for their end."""
        return self.updates % self.settings.target_period + updates <= self.settings.target_period

    def state_dict(self) -> dict[str, Any]:
        """Both networks, the optimizer and the count of updates: copies, untouched by later updates."""
        averaged = {} if self.averaged is None else {"averaged": self.averaged.state_dict()}
        return copy.deepcopy(
            averaged
            | {
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
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.updates = int(state["updates"])


class Replay(Protocol):
    """What batches are drawn from: a `History`, or a `mixed_history.MixedHistory`."""

    def __len__(self) -> int: ...

    def sample(
        self, batch_size: int, importance_exponent: float | None = None, batches: int = 1
    ) -> Transitions:
        """Draw batches, one behind the other, with ``index`` set; see `History.sample`."""
        ...

    def update_priorities(self, index: Tensor, td_error: Tensor) -> None:
        """Take the TD errors (B,) of the transitions at these places."""
        ...


def learn_from_history(
    agent: DQN,
    history: Replay,
    updates: int,
    batch_size: int = 64,
    importance_exponent: float | None = None,
    draw_ahead: int = 8,
) -> dict[str, float]:
    """Learn Q-values from history alone: no environment is asked.

    Parameters
    ----------
    agent
        The learner. For a history that nobody adds to, take a `cql.CQL`.
    history
        Sampled by priority; the priorities follow the new TD errors.
    updates
        Number of batches, at least 1.
    batch_size
        Transitions in each.
    importance_exponent
        Overrides the history's setting.
    draw_ahead
        Batches drawn at once, before the priorities follow: saves time, and on a history of uniform priorities
        changes nothing but the order of draws. At 1 each batch knows the errors of the one before.

    Returns
    -------
    dict
        Means of what `DQN.update` returns.
    """
    if updates < 1 or draw_ahead < 1:
        raise SettingsError(f"updates is {updates} and draw_ahead {draw_ahead}; both must be at least 1")
    sums: dict[str, float] = {}
    for begin in range(0, updates, draw_ahead):
        batches = min(draw_ahead, updates - begin)
        drawn = history.sample(batch_size, importance_exponent, batches).to(agent.device)
        # While the target network rests, its values of all batches come from one pass; and without double, the targets.
        together = agent.next_values(drawn) if agent.target_rests(batches) else None
        known = None if together is None or agent.settings.double else agent.targets(drawn, together)
        weight, errors = agent.weights(drawn), []
        each = len(drawn) // batches  # a history may give smaller batches than were asked for
        for k in range(0, len(drawn), each):
            rows = slice(k, k + each)
            if known is not None:
                target = known[rows]
            else:
                target = agent.targets(drawn.rows(rows), None if together is None else together[rows])
            shown = {name: value[rows] for name, value in drawn.observation.items()}
            metrics = agent.descend(shown, drawn.action[rows], target, weight[rows])
            errors.append(agent.td_error)
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + value
        if drawn.index is not None:
            history.update_priorities(drawn.index, torch.cat(errors))
    return {name: value / updates for name, value in sums.items()}
