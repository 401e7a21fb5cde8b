"""A sum tree: draw an index with probability proportional to its value, in logarithmic time."""

from __future__ import annotations

import torch
from torch import Tensor

from clairvoy.errors import SettingsError

# A binary tree over 2**18 leaves takes 18 rounds of small tensor operations for each draw. With 64 children
# per node three rounds are enough, and a round over 64 numbers costs hardly more than one over two.
_CHILDREN = 64


class SumTree:
    """Non-negative values and their partial sums, float64 on the CPU.

    Every node holds the last element of the running sum over its children, the same running sum that `find`
    descends along. A sum is never corrected by differences: rounding cannot build up, and the tree is a pure
    function of its leaves.

    Parameters
    ----------
    capacity
        Number of leaves, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise SettingsError(f"capacity is {capacity}; a sum tree needs at least 1 leaf")
        self.capacity = capacity
        self._levels: list[Tensor] = []
        width = capacity
        while width > 1 or not self._levels:
            width = -(-width // _CHILDREN)
            self._levels.append(torch.zeros(width, _CHILDREN, dtype=torch.float64))

    @property
    def total(self) -> float:
        """Sum of all values."""
        return float(self._levels[-1].cumsum(1)[0, -1])

    def get(self, index: Tensor) -> Tensor:
        """Values ``(B,)`` float64 at ``index`` ``(B,)`` int64."""
        return self._levels[0].view(-1)[index]

    def set(self, index: Tensor, value: Tensor) -> None:
        """Set the leaves ``index`` ``(B,)`` int64 to ``value`` ``(B,)``, all at least 0."""
        self._levels[0].view(-1)[index] = value.to(torch.float64)
        node = index
        for below, above in zip(self._levels[:-1], self._levels[1:], strict=True):
            node = node // _CHILDREN
            above.view(-1)[node] = below[node].cumsum(1)[:, -1]

    def find(self, height: Tensor) -> Tensor:
        """Leaves at ``height`` ``(B,)``, each in [0, total): the first whose running sum exceeds it.

        Never returns a leaf of value 0 unless all are 0.
        """
        node = torch.zeros_like(height, dtype=torch.int64)
        for level in reversed(self._levels):
            running = level[node].cumsum(1)
            # Rounding can lift what is left to the sum of this node: stay below, or a leaf of value 0 is hit.
            below_end = torch.nextafter(running[:, -1], torch.zeros_like(height))
            height = torch.minimum(height, below_end)
            child = (running <= height[:, None]).sum(1).clamp(max=_CHILDREN - 1)
            before = running.gather(1, (child - 1).clamp(min=0)[:, None])[:, 0]
            height = torch.where(child > 0, height - before, height)
            node = node * _CHILDREN + child
        return node.clamp(max=self.capacity - 1)
