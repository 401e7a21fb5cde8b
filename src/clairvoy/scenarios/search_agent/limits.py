"""What keeps a searcher from restoring all haze: what it believes of windows, the way that it takes, or its budget.

A searcher needs two things. It must come to stand on hazy windows: that is its path. And it must say there that they are
hazy: that is its belief. Each can be exchanged for that of the oracle, which gives four figures for the part of the
hazy area that is restored within a budget:

====================  ===================  ===================
..                    the agent's path     the oracle's path
====================  ===================  ===================
the agent's belief    `Walk.restored`      `led_by_truth`
the truth             `Walk.seen`          the oracle
====================  ===================  ===================

`Shares.of` parts what is missing by these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.search_agent.baselines import towards_nearest
from clairvoy.searching.glimpse import BELIEF_CHANNELS, STAY, Memory, Observation

Scores: TypeAlias = NDArray[np.float64]
"""Parts of the hazy area, of any shape."""

Searcher: TypeAlias = Callable[[HazeSearch, Observation], tuple[Tensor, Tensor]]
"""From a search and what is seen to actions ``(n,)`` int64, and whether each scene is left now, ``(n,)`` bool: what is
left is not acted on any more."""


@dataclass(frozen=True)
class Walk:
    """What a searcher reached in each of n scenes. Areas are parts of the hazy area that lies in hazy windows."""

    restored: Tensor
    """Area of the hazy windows that it recognised, ``(n,)`` in [0, 1]."""
    seen: Tensor
    """Area of the hazy windows that it read: what it would have restored on this path had it known, ``(n,)`` in [0, 1]."""
    read: Tensor
    """Part of the windows that it read, ``(n,)`` in [0, 1]."""
    false_alarms: Tensor
    """Windows without haze that it recognised, ``(n,)`` int64."""


@torch.no_grad()
def walk(
    scenes: SceneSet, area: Tensor, searcher: Searcher, *, preview: bool = False, budget: float = 1.0
) -> Walk:
    """Let a searcher search every scene once from its middle, with nothing to tell it that all haze is found.

    Parameters
    ----------
    scenes
        All with some haze.
    area
        Hazy part of each window, ``(n, R, C)`` in [0, 1]; see `scenes.hazy_area`.
    searcher
        See `Searcher`.
    preview
        Whether it has the thumbnail.
    budget
        Part of the windows that may be read; steps are limited to 2.5 for each of them.
    """
    total = (area * scenes.hazy).sum(dim=(1, 2))
    if not bool((total > 0).all()):
        raise InputError("a scene has no hazy area, so no part of it can be restored; leave it out")
    settings = HazeSearchSettings(
        budget=2.5 * budget, reads=(budget, budget), start="centre", preview=float(preview),
        end_when_found=False, go_on=True,
    )  # fmt: skip
    search, count = HazeSearch(scenes, len(scenes), settings), len(scenes)
    observation = search.reset_each(torch.Generator().manual_seed(0))
    each, running = torch.arange(count), torch.ones(count, dtype=torch.bool)
    visited, recognised = torch.zeros_like(scenes.hazy), torch.zeros_like(scenes.hazy)
    visited[each, search.position[:, 0], search.position[:, 1]] = True
    while True:
        actions, left = searcher(search, observation)
        running = running & ~left
        if not bool(running.any()):
            break
        step = search.step(actions)
        at = (each, *step.info["position"].unbind(dim=1))
        visited[at] |= running
        recognised[at] |= running & (step.info["recognised"] | step.info["false_alarm"])
        running = running & ~step.done
        observation = step.observation

    def part(windows: Tensor) -> Tensor:
        return (area * (windows & scenes.hazy)).sum(dim=(1, 2)) / total

    return Walk(
        part(recognised), part(visited), visited.float().mean(dim=(1, 2)),
        (recognised & ~scenes.hazy).sum(dim=(1, 2)),
    )  # fmt: skip


def led_by_truth(position: Tensor, memory: Memory, hazy: Tensor, says: Tensor) -> tuple[Tensor, Tensor]:
    """Go the oracle's way, and recognise where somebody else says so; a `Searcher`'s answer.

    Each hazy window is gone to once, the nearest first. What is not recognised there is left behind.

    Parameters
    ----------
    position, memory
        See `baselines`.
    hazy
        The truth, ``(N, R, C)`` bool.
    says
        Whether the other one would recognise the window that it stands on, ``(N,)`` bool.
    """
    onwards, any_left = towards_nearest(position, hazy & ~memory.visited)
    at = (torch.arange(len(position)), *position.unbind(dim=1))
    says = says & ~memory.recognised[at]
    return torch.where(says, STAY, onwards), ~says & ~any_left


def true_beliefs(beliefs: Tensor, lost: Tensor) -> Tensor:
    """Beliefs as they would be if the haze of each window were known.

    Haze is the true part of the light lost. Spread, clearness and tau are those of the window whose believed haze comes
    nearest to it, among all that are given: an agent knows how they go together.

    Parameters
    ----------
    beliefs
        ``(M, 4, R, C)``, see `glimpse.BELIEF_CHANNELS`.
    lost
        Mean 1 - t of each window, ``(M, R, C)`` in [0, 1].
    """
    haze = BELIEF_CHANNELS.index("haze")
    known = beliefs.movedim(1, 3).flatten(0, 2)
    known = known[known[:, haze].argsort(stable=True)]
    wanted, levels = lost.flatten().contiguous(), known[:, haze].contiguous()
    above = torch.searchsorted(levels, wanted).clamp(max=len(levels) - 1)
    below = (above - 1).clamp(min=0)
    nearer = torch.where(wanted - levels[below] <= levels[above] - wanted, below, above)
    true = known[nearer]
    true[:, haze] = wanted
    return true.unflatten(0, lost.shape).movedim(3, 1).contiguous()


@dataclass(frozen=True)
class Shares:
    """Why hazy area is missing: the three add up to all that is.

    A share is below 0 where the agent does better than the oracle, which knows the haze but not the shortest way.
    """

    budget: Scores
    """What the oracle does not restore either."""
    path: Scores
    """What the way that was taken costs."""
    belief: Scores
    """What is lost because a window that was read was not recognised."""

    @classmethod
    def of(cls, restored: Scores, seen: Scores, led: Scores, oracle: Scores) -> Shares:
        """Part 1 - `restored` by the four figures of the module.

        What a cause costs depends on whether the other one was removed before. Each gets the mean of both orders: its
        Shapley value (Shapley, *A Value for n-Person Games*, 1953), the only fair way to part a sum in which both are
        treated alike.
        """
        belief = ((seen - restored) + (oracle - led)) / 2
        path = ((led - restored) + (oracle - seen)) / 2
        return cls(1 - oracle, path, belief)
