"""What runs in a haze search: the state of all episodes, and the windows of the sets that they were drawn from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from clairvoy.searching import glimpse


@dataclass
class Episodes:
    """The state of all N episodes, each tensor leading with N. Scenes are copies: the set may be swapped.

    Only the windows are not copied: `pool` and `place` say where they lie in `WindowPools`.
    """

    scene: Tensor
    scene_set: Tensor
    provenance: Tensor
    tau: Tensor
    pool: Tensor
    place: Tensor
    hazy: Tensor
    beliefs: Tensor
    preview: Tensor
    visited: Tensor
    recognised: Tensor
    known_beliefs: Tensor
    thumbnail: Tensor
    prior: Tensor
    correction: Tensor
    weight: Tensor
    distance: Tensor
    position: Tensor
    steps: Tensor
    idle: Tensor
    read: Tensor
    max_read: Tensor
    found: Tensor

    def memory(self) -> glimpse.Memory:
        """What was seen and done, the same tensors."""
        return glimpse.Memory(
            self.visited, self.recognised, self.known_beliefs, self.thumbnail,
            self.prior, self.correction, self.weight, self.distance,
        )  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name, not copied."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def some(self, envs: Tensor) -> Episodes:
        """Copies of those of the environments ``(n,)`` int64."""
        return Episodes(**{name: value[envs] for name, value in self.tensors().items()})

    def put(self, envs: Tensor, others: Episodes) -> None:
        """Let others begin in the environments ``(n,)``."""
        for name, value in self.tensors().items():
            value[envs] = getattr(others, name)


class WindowPools:
    """Windows that episodes run in, sets of ``(M, R, C, 3, 32, 32)`` uint8; new episodes begin in the last one."""

    def __init__(self, *pools: Tensor) -> None:
        self.pools = list(pools)

    @property
    def newest(self) -> int:
        """The number of the pool that new episodes begin in."""
        return len(self.pools) - 1

    def add(self, windows: Tensor, running: Episodes | None) -> None:
        """Let new episodes begin in these; pools that no running episode is in are let go, and `pool` counts anew."""
        self.pools.append(windows)
        used = set() if running is None else set(running.pool.tolist())
        kept = sorted(used | {self.newest})
        self.pools = [self.pools[pool] for pool in kept]
        if running is not None:
            new = torch.tensor([kept.index(pool) if pool in used else 0 for pool in range(max(kept) + 1)])
            running.pool = new.to(running.pool.device)[running.pool]

    def of(self, episodes: Episodes) -> Tensor:
        """Pixels of the window that each episode stands on, ``(n, 3, 32, 32)`` uint8."""
        row, column = episodes.position.unbind(dim=1)
        newest = self.pools[self.newest]
        if bool((episodes.pool == self.newest).all()):
            return newest[episodes.place, row, column]
        seen = torch.empty((len(row), *newest.shape[3:]), dtype=torch.uint8, device=newest.device)
        for pool in episodes.pool.unique().tolist():
            here = episodes.pool == pool
            seen[here] = self.pools[pool][episodes.place[here], row[here], column[here]]
        return seen

    def scenes_of(self, episodes: Episodes) -> Tensor:
        """All windows of each episode's scene, ``(n, R, C, 3, 32, 32)`` uint8."""
        places = zip(episodes.pool.tolist(), episodes.place.tolist(), strict=True)
        return torch.stack([self.pools[pool][place] for pool, place in places])
