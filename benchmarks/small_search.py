"""The haze search on which Q-learning is measured, `qlearning.py` and `history_alone.py`: synthetic, 8 x 8 windows.

Half of the steps that would visit all windows; 1 for a hazy window, less 0.5 for a false alarm and 0.01 for a step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from clairvoy.evaluation.aggregate import bootstrap
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.rollout import evaluate
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes
from clairvoy.searching.network import SearchQNetwork

FRESH = 900_000
"""Added to a seed for the final evaluation: episodes that no training and no choice of weights has seen."""
LEARNT, UNSEEN = 1, 2
"""Seeds of the scenes that are learnt from, and of those that are measured on."""


def small_search(count: int, scenes: int) -> HazeSearch:
    """`count` episodes side by side in scenes of a seed."""
    options = HazeSearchSettings(budget=0.5, false_alarm=0.5, step=0.01)
    return HazeSearch(synthetic_scenes(200, 8, 8, seed=scenes), count, options)


def search_network(seed: int) -> SearchQNetwork:
    """First weights, of a seed."""
    network = SearchQNetwork()
    initialise(network, torch.Generator().manual_seed(seed))
    return network


def search_return(policy: Any, seed: int) -> float:
    """Mean return of 128 episodes in unseen scenes."""
    generator = torch.Generator().manual_seed(FRESH + seed)
    return evaluate(small_search(128, UNSEEN), policy, 128, generator).mean_return


def mean_interval(values: list[float]) -> dict[str, float]:
    """Mean and a 95 % bootstrap interval of it."""
    found = bootstrap(values, np.mean)
    return {"mean": found.value, "low": found.low, "high": found.high}


def difference(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """The same of paired differences."""
    return mean_interval([a - b for a, b in zip(ours, theirs, strict=True)])
