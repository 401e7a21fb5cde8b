"""Painting with no target as a game: choose one of the strokes that are proposed; belief in the last canvas is paid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clairvoy.painting.imagination import PROPOSALS, Imagination, with_strokes
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.transitions import Observation

Judge = Callable[[np.ndarray], np.ndarray]
"""From canvases (N, pixels, pixels, 3) to what is believed of each (N,), in [-1, 1]."""


@dataclass
class Finished:
    """A painting that an episode ended with: its strokes (strokes, NUMBERS) and its canvas."""

    rows: np.ndarray
    canvas: np.ndarray


class ImaginationGame:
    """A `BatchedEnvironment`. Actions: the strokes that are proposed. What is seen: the canvas after each.

    Parameters
    ----------
    imagination
        Its generator proposes.
    judge
        Pays for the last canvas of an episode.
    num_envs
        Paintings side by side; all have as many strokes.
    """

    def __init__(self, imagination: Imagination, judge: Judge, num_envs: int) -> None:
        self.imagination, self.judge, self.num_envs = imagination, judge, num_envs
        self.num_actions = PROPOSALS
        features = imagination.pixels**2 * 3
        self.observation_specs = {
            "after": ObservationSpec((PROPOSALS, features), torch.uint8, 0, 255),
            "painted": ObservationSpec((1,), torch.float32, 0.0, 1.0),
        }
        self.finished: list[Finished] = []
        self._proposed = self._after = np.zeros(0)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere."""
        self._rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        self._begin()
        self.observation = self._show()
        return self.observation

    def step(self, actions: Tensor) -> Step:
        """Paint a stroke on every canvas."""
        every = np.arange(self.num_envs)
        chosen = actions.numpy()
        self.canvases = self._after[every, chosen]
        self._rows.append(self._proposed[every, chosen])
        ends = len(self._rows) == self.imagination.strokes
        reward = np.zeros(self.num_envs)
        if ends:
            reward = self.judge(self.canvases)
            strokes = np.stack(self._rows, axis=1)
            self.finished += [
                Finished(rows, canvas) for rows, canvas in zip(strokes, self.canvases, strict=True)
            ]
        # Nothing is learnt of what lies behind an end, so the old observation may stand there.
        final = self.observation
        if ends:
            self._begin()
        self.observation = self._show()
        over = torch.full((self.num_envs,), ends)
        return Step(
            self.observation, torch.as_tensor(reward).float(), over, torch.zeros_like(over),
            final if ends else self.observation, self.action_mask(),
        )  # fmt: skip

    def action_mask(self) -> Tensor:
        """Every stroke may be painted."""
        return torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)

    def _begin(self) -> None:
        self.canvases = self.imagination.blank(self.num_envs)
        self._rows: list[np.ndarray] = []

    def _show(self) -> Observation:
        painted = len(self._rows)
        self._proposed = self.imagination.propose(self.canvases, painted, PROPOSALS, self._rng)
        self._after = with_strokes(self.canvases, self._proposed)
        pixels = np.round(self._after.reshape(self.num_envs, PROPOSALS, -1) * 255.0).astype(np.uint8)
        part = np.full((self.num_envs, 1), (painted + 1) / self.imagination.strokes, np.float32)
        return {"after": torch.as_tensor(pixels), "painted": torch.as_tensor(part)}
