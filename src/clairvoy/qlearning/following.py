"""A network that follows another: a target network, or an average of the weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Following:
    """Moves the weights of a follower a share of the way to those of a leader, each time that it is asked.

    With a small share the follower's parameters are an exponential moving average of the leader's. Buffers, such as the
    units that numbers are told in, are copied. The tensors are looked up once: to ask two networks for their `state_dict`
    takes longer than to move small ones.

    Parameters
    ----------
    follower, leader
        Two networks alike, which keep their tensors: weights are loaded into them in place.
    share
        Part of the way, in (0, 1]; 1 copies.
    """

    def __init__(self, follower: nn.Module, leader: nn.Module, share: float) -> None:
        self._followers, self._leaders = list(follower.parameters()), list(leader.parameters())
        self._copied = list(zip(follower.buffers(), leader.buffers(), strict=True))
        self._move = get_ema_multi_avg_fn(1 - share)

    @torch.no_grad()
    def move(self) -> None:
        """Move once."""
        self._move(self._followers, self._leaders, 0)
        for held, led in self._copied:
            held.copy_(led)
