"""What the agent met: the scenes of the last few sets, where it recognised haze, and how wrong the generator was there.

An episode goes on in its scenes when new ones come, so one set alone would forget most of what the agent saw.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.searching.explore import GRID


class MetScenes:
    """A ring of the last `sets` sets of `count` scenes.

    Parameters
    ----------
    count
        Scenes in a set.
    sets
        Sets kept, at least 1. Pictures are kept as bytes: 0.5 MB for a scene of 256 x 256.
    side
        Of the pictures, in pixels.
    """

    def __init__(self, count: int, sets: int, side: int) -> None:
        slots = count * sets
        self.count, self.sets, self.added = count, sets, 0
        self.hazy = torch.zeros(slots, 3, side, side, dtype=torch.uint8)
        self.clear = torch.zeros(slots, 3, side, side, dtype=torch.uint8)
        self.optical_depth = torch.zeros(slots, 1, side, side, dtype=torch.float16)
        self.airlight = torch.zeros(slots, 3, 1, 1)
        self.depth = torch.ones(slots, 1, side // 8, side // 8)
        self.real = torch.zeros(slots, dtype=torch.bool)
        self.recognised = torch.zeros(slots, GRID, GRID, dtype=torch.bool)
        self.misunderstood = torch.zeros(slots, GRID, GRID)

    def add(self, pairs: SyntheticPairs, misunderstood: Tensor, real: Tensor) -> None:
        """Begin the next set, in place of the oldest.

        Parameters
        ----------
        pairs
            `count` of them, each a scene.
        misunderstood
            Error of the generator's restoration of each window, (count, 8, 8), at least 0.
        real
            (count,) bool; a simulated scene is never drawn: the generator learns from the real world only.
        """
        at = self._slots(self.added)
        self.hazy[at] = (pairs.hazy * 255).round().to(torch.uint8)
        self.clear[at] = (pairs.clear * 255).round().to(torch.uint8)
        self.optical_depth[at] = pairs.optical_depth.to(torch.float16)
        self.airlight[at], self.depth[at] = pairs.airlight, pairs.depth
        self.real[at], self.misunderstood[at], self.recognised[at] = real, misunderstood, False
        self.added += 1

    def recognise(self, scene_set: Tensor, scene: Tensor, position: Tensor) -> None:
        """Note that haze was recognised in windows `position` (N, 2) of scenes (N,) of sets (N,); older are forgotten."""
        kept = scene_set > self.added - 1 - self.sets
        row, column = position[kept].unbind(dim=1)
        self.recognised[scene_set[kept] % self.sets * self.count + scene[kept], row, column] = True

    def attention(self) -> Tensor:
        """What the agent brings of each scene, (slots,), at least 0.

        The mean over its recognised windows of

            m exp(-m / median of m),     m the generator's error there.

        Most weight goes to what is neither understood already nor, yet, out of reach: to weigh by the error itself
        spends the updates on fog so dense that there is little to learn from it (see docs/ablation.md).
        """
        noted = self.recognised & self.real[:, None, None]
        if not bool(noted.any()):
            return torch.zeros(len(self.real))
        m = self.misunderstood
        learnable = m * torch.exp(-m / m[noted].median().clamp(min=1e-6)) + 1e-9
        return (learnable * noted).sum(dim=(1, 2)) / noted.sum(dim=(1, 2)).clamp(min=1)

    def draw(self, count: int, generator: torch.Generator, by_attention: bool) -> SyntheticPairs:
        """Draw real scenes: in proportion to `attention`, or each alike (also while nothing was recognised)."""
        weight = self.real.float()
        if by_attention and bool((attention := self.attention()).any()):
            weight = attention
        slot = torch.multinomial(weight, count, replacement=True, generator=generator)
        return SyntheticPairs(
            self.hazy[slot].float() / 255,
            self.clear[slot].float() / 255,
            self.optical_depth[slot].float(),
            self.airlight[slot],
            self.depth[slot],
        )

    def state_dict(self) -> dict[str, Any]:
        """All that later draws depend on."""
        return {
            name: value.clone() if isinstance(value, Tensor) else value for name, value in vars(self).items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        for name, value in state.items():
            setattr(self, name, value.clone() if isinstance(value, Tensor) else value)

    def _slots(self, number: int) -> slice:
        begin = number % self.sets * self.count
        return slice(begin, begin + self.count)
