"""Other ways to choose where to look: by chance, by lists, by the generator's doubt, and by knowing the answer.

Each gives the directions of its glimpses in order, (B, glimpses) int64, of panoramas (B, 3, H, 2 H) uint8. They may look
anywhere at once; turning is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.scenarios.panorama.attention import PATCH, AttendingAutoencoder, attention_entropy
from clairvoy.scenarios.panorama.completion import complete, uncertainty
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, ELEVATIONS, error, seen_from
from clairvoy.scenarios.panorama.looking import Looking


def error_after(looking: Looking, snapshot: Any, panoramas: Tensor, chosen: Tensor) -> Tensor:
    """Error (B,) of the completion from the glimpses ``chosen`` (B, k)."""
    taken = F.one_hot(chosen, DIRECTIONS).sum(dim=1) > 0
    completed = complete(snapshot, panoramas, seen_from(looking.views, taken))
    return error(completed, panoramas, looking.weights)


def by_chance(count: int, glimpses: int, rng: torch.Generator) -> Tensor:
    """Any directions, none twice."""
    return torch.rand(count, DIRECTIONS, generator=rng).argsort(dim=1)[:, :glimpses]


def along_the_equator(glimpses: int) -> list[int]:
    """Level directions, as far from each other as may be; beyond eight, those above and below."""
    order = [0, 4, 2, 6, 1, 5, 3, 7]
    level = [AROUND * (len(ELEVATIONS) // 2) + turn for turn in order]
    others = [AROUND * row + turn for turn in order for row in (0, 2)]
    return (level + others)[:glimpses]


def best_list(looking: Looking, snapshot: Any, panoramas: Tensor, glimpses: int) -> list[int]:
    """The list that a greedy search finds on training panoramas: each time the direction that lowers their error most.

    Panoramas are turned at random, so the first azimuth says nothing; its relation to the later ones does.
    """
    chosen: list[int] = []
    for _ in range(glimpses):
        tried = {
            d: float(
                error_after(
                    looking, snapshot, panoramas, torch.tensor([*chosen, d]).expand(len(panoramas), -1)
                ).mean()
            )
            for d in range(DIRECTIONS)
            if d not in chosen
        }
        chosen.append(min(tried, key=lambda d: tried[d]))
    return chosen


def from_list(chosen: Sequence[int], count: int) -> Tensor:
    """The same list for all panoramas."""
    return torch.tensor(list(chosen)).expand(count, -1)


def _greedily(
    looking: Looking, count: int, glimpses: int, worth: Callable[[Tensor], Tensor], first: int
) -> Tensor:
    """Take ``first``, then each time the direction of most ``worth``, (B, DIRECTIONS) from what is taken."""
    taken = torch.zeros(count, DIRECTIONS, dtype=torch.bool)
    order = []
    for number in range(glimpses):
        best = (
            torch.full((count,), first)
            if number == 0
            else worth(taken).masked_fill(taken, -torch.inf).argmax(dim=1)
        )
        taken = taken | F.one_hot(best, DIRECTIONS).bool()
        order.append(best)
    return torch.stack(order, dim=1)


def by_variance(
    looking: Looking, snapshot: Any, panoramas: Tensor, glimpses: int, draws: int = 8, seed: int = 0
) -> Tensor:
    """Where the draws of the completion differ most, by solid angle; the first glimpse looks ahead."""

    def worth(taken: Tensor) -> Tensor:
        doubt = uncertainty(snapshot, panoramas, seen_from(looking.views, taken), draws, seed)
        return (doubt * looking.weights).flatten(1) @ looking.views.flatten(1).float().T

    return _greedily(looking, len(panoramas), glimpses, worth, AROUND)


def by_attention(looking: Looking, network: AttendingAutoencoder, panoramas: Tensor, glimpses: int) -> Tensor:
    """Where attention is spread most, by solid angle, after AME; the first glimpse looks ahead."""
    within = F.avg_pool2d((looking.views * looking.weights)[:, None], PATCH).flatten(1)

    def worth(taken: Tensor) -> Tensor:
        entropy = attention_entropy(network, panoramas, seen_from(looking.views, taken))
        return entropy.flatten(1) @ within.T

    return _greedily(looking, len(panoramas), glimpses, worth, AROUND)


def by_oracle(looking: Looking, snapshot: Any, panoramas: Tensor, glimpses: int) -> Tensor:
    """Knows the panorama: each time the direction that lowers its error most. Greedy, so not the best set that there is."""

    def worth(taken: Tensor) -> Tensor:
        after = []
        for d in range(DIRECTIONS):
            also = taken.clone()
            also[:, d] = True
            completed = complete(snapshot, panoramas, seen_from(looking.views, also))
            after.append(-error(completed, panoramas, looking.weights))
        return torch.stack(after, dim=1)

    taken = worth(torch.zeros(len(panoramas), DIRECTIONS, dtype=torch.bool)).argmax(dim=1)
    order = [taken]
    held = F.one_hot(taken, DIRECTIONS).bool()
    for _ in range(glimpses - 1):
        best = worth(held).masked_fill(held, -torch.inf).argmax(dim=1)
        held = held | F.one_hot(best, DIRECTIONS).bool()
        order.append(best)
    return torch.stack(order, dim=1)
