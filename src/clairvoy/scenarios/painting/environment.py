"""Painting as a game: where to look, for how large a stroke and of which family; improve what is there; or stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clairvoy.errors import at_least
from clairvoy.painting.learnt import Learnt
from clairvoy.painting.looking import REGION_NUMBERS, WHOLE_NUMBERS, Looking, whole_canvas
from clairvoy.painting.painter import Painter, PainterSettings, Regions
from clairvoy.painting.painting import Painting
from clairvoy.painting.search import SearchSettings
from clairvoy.painting.shapes import FAMILIES, Family
from clairvoy.painting.target import Target
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.transitions import Observation

INFINITE = float("inf")


@dataclass(frozen=True)
class GameSettings:
    """Rules of the game. Reward: the error's drop in dB, less what an action costs."""

    strokes: tuple[int, int] = (20, 60)
    """How many may be painted in an episode, drawn between these."""
    redone: int = 5
    """Strokes that are improved by one action."""
    stroke_cost: float = 0.005
    """Of painting a stroke [dB]: what a millisecond of search is held to be worth, times what it takes."""
    redo_cost: float = 0.02
    """Of improving strokes [dB]."""
    longest: int = 100
    """Actions after which an episode is cut off."""

    def __post_init__(self) -> None:
        at_least(self, 1, "redone", "longest")
        at_least(self, 0.0, "stroke_cost", "redo_cost")


class PaintingGame:
    """A `BatchedEnvironment` of paintings. Actions: a region each, then improve, then stop.

    Parameters
    ----------
    targets
        Pictures to paint, drawn for each episode.
    learnt
        Its generator proposes strokes.
    num_envs
        Paintings side by side.
    families
        Of shapes that may be used.
    looks, search, settings
        See `PainterSettings`, `SearchSettings` and `GameSettings`.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        learnt: Learnt,
        num_envs: int,
        families: tuple[Family, ...] = tuple(FAMILIES.values()),
        looks: PainterSettings | None = None,
        search: SearchSettings | None = None,
        settings: GameSettings | None = None,
    ) -> None:
        self.targets, self.learnt, self.num_envs, self.families = targets, learnt, num_envs, families
        self.looks = looks or PainterSettings()
        self.search = search or SearchSettings(climbers=2, rounds=6, changes=8, sweeps=0)
        self.settings = settings or GameSettings()
        self.num_actions = self.looks.choices + 2
        shapes = {"regions": (self.looks.choices, REGION_NUMBERS), "whole": (WHOLE_NUMBERS,)}
        self.observation_specs = {
            name: ObservationSpec(shape, torch.float32, -INFINITE, INFINITE) for name, shape in shapes.items()
        }
        self.kept: list[tuple[Target, Painting]] = []
        """Paintings of the episodes that ended."""

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere."""
        self._rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        self.painters: list[Painter] = [self._new() for _ in range(self.num_envs)]
        self.regions: list[Regions] = [self._draw(painter) for painter in self.painters]
        self.steps = np.zeros(self.num_envs, int)
        self._next = np.zeros(self.num_envs, int)
        self.observation = self._show()
        return self.observation

    def step(self, actions: Tensor) -> Step:
        """Act in every painting."""
        reward, terminated = np.zeros(self.num_envs), np.zeros(self.num_envs, bool)
        for n, action in enumerate(actions.tolist()):
            reward[n], terminated[n] = self._act(n, action)
            self.regions[n] = self._draw(self.painters[n])
        self.steps += 1
        truncated = (self.steps >= self.settings.longest) & ~terminated
        final, mask = self._show(), self.action_mask()
        self.observation = final
        ended = np.flatnonzero(terminated | truncated)
        for n in ended.tolist():
            self.kept.append((self.painters[n].target, self.painters[n].painting))
            self.painters[n] = self._new()
            self.regions[n] = self._draw(self.painters[n])
        if len(ended):
            self.steps[ended] = self._next[ended] = 0
            self.observation = self._show()
        told = torch.as_tensor(reward, dtype=torch.float32)
        return Step(
            self.observation, told, torch.as_tensor(terminated), torch.as_tensor(truncated), final, mask
        )

    def action_mask(self) -> Tensor:
        """No stroke beyond the number of them, nothing improved where there are too few."""
        mask = torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)
        for n, painter in enumerate(self.painters):
            painted = len(painter.painting.strokes)
            mask[n, :-2] = painted < painter.strokes
            mask[n, -2] = painted >= self.settings.redone
        return mask

    def _act(self, n: int, action: int) -> tuple[float, bool]:
        painter, settings = self.painters[n], self.settings
        before = painter.error
        if action == self.num_actions - 1:
            return 0.0, True
        if action == self.num_actions - 2:
            begin = self._next[n] % len(painter.painting.strokes)
            for _ in painter.sweep(begin, begin + settings.redone):
                pass
            self._next[n] = begin + settings.redone
            cost = settings.redo_cost
        else:
            found = painter.find_in(painter.residual(), self.regions[n], np.array([action]))
            if found.gain > 0:
                painter.paint(found.stroke)
            cost = settings.stroke_cost
        return 10.0 * float(np.log10(max(before, 1e-9) / max(painter.error, 1e-9))) - cost, False

    def _new(self) -> Painter:
        target = self.targets[int(self._rng.integers(len(self.targets)))]
        low, high = self.settings.strokes
        return Painter(
            self.learnt, self.looks, int(self._rng.integers(low, high + 1)), target, Painting(target.size, target.mean),
            self.search, np.random.default_rng(self._rng.integers(2**31)), self.families,
        )  # fmt: skip

    @staticmethod
    def _draw(painter: Painter) -> Regions:
        wrong = (painter.target.pixels - painter.canvas) ** 2
        return painter.drawn_regions(painter.target.weight * wrong.sum(axis=2))

    def _show(self) -> Observation:
        regions, whole = [], []
        for painter, drawn in zip(self.painters, self.regions, strict=True):
            looking = Looking(painter.target.pixels, painter.canvas, painter.target.weight)
            regions.append(looking.describe(drawn.centres, drawn.sides, drawn.families))
            whole.append(whole_canvas(painter.error, len(painter.painting.strokes), painter.strokes))
        return {
            "regions": torch.as_tensor(np.stack(regions), dtype=torch.float32),
            "whole": torch.as_tensor(np.stack(whole), dtype=torch.float32),
        }
