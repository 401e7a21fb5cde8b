"""Discrete CQL: learning from a history that nobody adds to, without believing in what it does not show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clairvoy.errors import at_least
from clairvoy.qlearning.dqn import DQN, DQNSettings


@dataclass(frozen=True)
class CQLSettings(DQNSettings):
    """Settings of a `CQL`."""

    conservatism: float = 1.0
    """alpha, the weight of the penalty, in units of return; at 0 this is DQN."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 0, "conservatism")


def conservative_penalty(q: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """How much higher all actions are valued than the one that was taken, and the gradient of that.

    ``mean(logsumexp_a Q(s, a) - Q(s, a_taken))``; its gradient is ``(softmax(Q) - onehot(a_taken)) / B``.

    Parameters
    ----------
    q
        ``(B, A)``.
    action
        ``(B,)`` int64.

    Returns
    -------
    penalty : Tensor
        ``()``, above 0.
    gradient : Tensor
        ``(B, A)``.

    References
    ----------
    Kumar et al., *Conservative Q-Learning for Offline Reinforcement Learning*, NeurIPS 2020, eq. 4: CQL(H).
    """
    taken = action[:, None]
    penalty = (q.logsumexp(dim=1) - q.gather(1, taken)[:, 0]).mean()
    gradient = q.softmax(dim=1).scatter_add(1, taken, torch.full_like(taken, -1.0, dtype=q.dtype))
    return penalty, gradient / len(q)


class CQL(DQN):
    """A `DQN` whose loss has the `conservative_penalty` added: for `learn_from_history` without an environment.

    DQN believes a target that is too high, and finds out by acting. A history that nobody adds to cannot correct
    it; the penalty pushes down what the history does not show.
    """

    settings: CQLSettings

    def __init__(
        self, network: nn.Module, settings: CQLSettings | None = None, device: str | torch.device = "cpu"
    ) -> None:
        super().__init__(network, settings or CQLSettings(), device)

    def loss_and_gradient(self, q: Tensor, action: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """As in `DQN`, with the penalty added."""
        loss, gradient = super().loss_and_gradient(q, action, weight)
        penalty, slope = conservative_penalty(q, action)
        return loss + self.settings.conservatism * penalty, gradient + self.settings.conservatism * slope
