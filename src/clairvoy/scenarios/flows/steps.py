"""Numbers by the steps that they lie above: a network then tells values apart that lie close together, as a tree does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST = 8
"""Steps of one number."""


class Steps(nn.Module):
    """Encoded rows as 1 where a number lies above a step, else -1.

    Parameters
    ----------
    number
        Which number of a row each step is of, (S,) int64.
    at
        Where it lies, (S,).
    """

    number: Tensor
    at: Tensor

    def __init__(self, number: Tensor, at: Tensor) -> None:
        super().__init__()
        self.register_buffer("number", number)
        self.register_buffer("at", at)

    def __len__(self) -> int:
        return len(self.number)

    def forward(self, encoded: Tensor) -> Tensor:
        """Of rows (..., W), (..., S)."""
        return (encoded[..., self.number] > self.at).to(encoded.dtype) * 2 - 1


def steps_of(encoded: Tensor, most: int = MOST) -> Steps:
    """Steps between the values of rows (R, W) that are equally many *different* values apart.

    Values that come often have no more steps than those that come once: what is rare lies there. A number of two values
    or fewer has none.
    """
    numbers, places = [], []
    for number in range(encoded.shape[1]):
        values = encoded[:, number].unique()
        if len(values) <= 2:
            continue
        at = values[torch.linspace(0, len(values) - 1, most + 2).long()[1:-1]].unique()
        numbers.append(torch.full((len(at),), number))
        places.append(at)
    if not numbers:
        return Steps(torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    return Steps(torch.cat(numbers), torch.cat(places))
