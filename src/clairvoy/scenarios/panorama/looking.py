"""Looking around as a game: turn right, left, up or down, or stay, which takes a glimpse.

After some glimpses the sphere is completed from them. The reward is the drop of the completion's error, weighted by solid
angle. What the agent sees is the completion, which part of it was seen, and where it looks; all turned so that it looks
ahead.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.own.scene_environment import Rules, State
from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import (
    AROUND,
    DIRECTIONS,
    ELEVATIONS,
    error,
    seen_from,
    solid_angles,
    views,
)

RIGHT, LEFT, UP, DOWN, STAY = range(5)
"""The five actions."""
COARSE = 4
"""Pixels of the panorama along each side of what the agent sees as one."""
GAIN = 10.0
"""A drop of the error from 0.2 to 0.1 of the range pays 1."""


class Looking:
    """The rules, for panoramas of one size.

    Parameters
    ----------
    height
        Of the panoramas, a multiple of 8.
    glimpses
        After so many the episode ends.
    field_of_view
        Of a glimpse, in degrees.
    """

    def __init__(self, height: int, glimpses: int = 4, field_of_view: float = 70.0) -> None:
        if height % 8 or not 1 <= glimpses <= DIRECTIONS:
            raise SettingsError(
                f"height is {height} and glimpses {glimpses}; give a multiple of 8, and 1 to {DIRECTIONS} glimpses"
            )
        self.height, self.glimpses = height, glimpses
        self.views, self.weights = views(height, field_of_view), solid_angles(height)

    @property
    def rules(self) -> Rules:
        """For a `SceneEnvironment` of panoramas (R, 3, H, 2 H) uint8."""
        return Rules(5, self.begin, self.show, self.act, 10 * self.glimpses, self.allow)

    def begin(self, scene: Tensor, rng: torch.Generator, snapshot: Snapshot) -> State:
        """Nothing is seen; the agent looks at the horizon, anywhere."""
        taken = torch.zeros(len(scene), DIRECTIONS, dtype=torch.bool)
        azimuth = torch.randint(AROUND, (len(scene),), generator=rng)
        return {
            "taken": taken,
            "looks": AROUND * (len(ELEVATIONS) // 2) + azimuth,
            "completed": complete(snapshot, scene, seen_from(self.views, taken)),
        }

    def show(self, scene: Tensor, state: State) -> Observation:
        """The completion and what of it was seen, coarse, as bytes; the elevation, and which glimpses were taken."""
        azimuth = state["looks"] % AROUND
        seen = seen_from(self.views, state["taken"])[:, None].float() * 255
        coarse = F.avg_pool2d(torch.cat([state["completed"].float(), seen], dim=1), COARSE)
        width = coarse.shape[3]
        columns = (torch.arange(width) + (azimuth * width // AROUND)[:, None]) % width
        turned = coarse.gather(3, columns[:, None, None].expand_as(coarse)).round().to(torch.uint8)
        around = (torch.arange(AROUND) + azimuth[:, None]) % AROUND
        taken = state["taken"].unflatten(1, (len(ELEVATIONS), AROUND))
        return {
            "sphere": turned,
            "elevation": F.one_hot(state["looks"] // AROUND, len(ELEVATIONS)).bool(),
            "taken": taken.gather(2, around[:, None].expand_as(taken)).flatten(1),
        }

    def allow(self, scene: Tensor, state: State) -> Tensor:
        """No further up or down than there is, and no glimpse twice."""
        row = state["looks"] // AROUND
        mask = torch.ones(len(scene), 5, dtype=torch.bool)
        mask[:, UP], mask[:, DOWN] = row > 0, row < len(ELEVATIONS) - 1
        mask[:, STAY] = ~state["taken"].gather(1, state["looks"][:, None])[:, 0]
        return mask

    def act(
        self, scene: Tensor, state: State, action: Tensor, *, snapshot: Snapshot
    ) -> tuple[State, Tensor, Tensor]:
        """Turn, or look and complete anew."""
        row, azimuth = state["looks"] // AROUND, state["looks"] % AROUND
        azimuth = (azimuth + (action == RIGHT).long() - (action == LEFT).long()) % AROUND
        row = (row + (action == DOWN).long() - (action == UP).long()).clamp(0, len(ELEVATIONS) - 1)
        taken, completed = state["taken"].clone(), state["completed"].clone()
        reward = torch.zeros(len(scene))
        looking = (action == STAY).nonzero()[:, 0]
        if len(looking):
            here = scene[looking]
            before = complete(snapshot, here, seen_from(self.views, taken[looking]))
            taken[looking, state["looks"][looking]] = True
            after = complete(snapshot, here, seen_from(self.views, taken[looking]))
            drop = error(before, here, self.weights) - error(after, here, self.weights)
            completed[looking], reward[looking] = after, GAIN * drop
        over = taken.sum(dim=1) >= self.glimpses
        return {"taken": taken, "looks": AROUND * row + azimuth, "completed": completed}, reward, over
