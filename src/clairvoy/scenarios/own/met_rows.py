"""What the agent met, as rows to learn from, each with how little the generator understood it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class MetRows:
    """A ring of the last rows that the agent met.

    Parameters
    ----------
    like
        A batch of rows of the right shape and type, (R, ...).
    capacity
        Rows kept.
    """

    def __init__(self, like: Tensor, capacity: int) -> None:
        self.rows = torch.zeros((capacity, *like.shape[1:]), dtype=like.dtype)
        self.misunderstood = torch.zeros(capacity)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.rows))

    def add(self, rows: Tensor, misunderstood: Tensor) -> None:
        """Keep rows (B, ...) and the generator's loss on each (B,); the oldest go."""
        kept = rows[-len(self.rows) :]
        place = (self.added + torch.arange(len(rows) - len(kept), len(rows))) % len(self.rows)
        self.rows[place] = kept.cpu()
        self.misunderstood[place] = misunderstood[-len(self.rows) :].cpu()
        self.added += len(rows)

    def weigh_again(self, surprise: Callable[[Tensor], Tensor]) -> None:
        """Judge all rows anew, by a generator that has learnt meanwhile."""
        if len(self):
            self.misunderstood[: len(self)] = surprise(self.rows[: len(self)]).cpu()

    def attention(self) -> Tensor:
        """Weight of each row, (len,), at least 0: ``m exp(-m / median m)``.

        m is the loss above that of the row understood best. Most weight goes to what is neither understood already
        nor, yet, out of reach; the same law as `MetScenes.attention`.
        """
        m = self.misunderstood[: len(self)]
        m = m - m.min()
        return m * torch.exp(-m / m.median().clamp(min=1e-6)) + 1e-9

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Rows (count, ...) drawn in proportion to `attention`."""
        return self.rows[torch.multinomial(self.attention(), count, replacement=True, generator=generator)]

    def state_dict(self) -> dict[str, Any]:
        """All that later draws depend on."""
        kept = len(self)
        return {
            "rows": self.rows[:kept].clone(),
            "misunderstood": self.misunderstood[:kept].clone(),
            "added": self.added,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.added = state["added"]
        self.rows[: len(self)], self.misunderstood[: len(self)] = state["rows"], state["misunderstood"]
