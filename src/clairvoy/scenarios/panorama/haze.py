"""Haze on the sphere, the second task of the scenario: turn, and recognise the views that are hazy.

Part of each panorama lies in fog, which is the thicker the farther things are. The agent sees what it has looked at so far.
*Stay* is the act of recognition: there is haze in this view. The reward is 1 for a hazy view that was not recognised before,
else 0, plus penalties whose weights may be 0. An episode ends when all hazy views are recognised, or when the agent stays
where it stayed before: it is done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import at_least, between
from clairvoy.imaging.haze import add_haze
from clairvoy.imaging.synthesis.depth import ByteImage, FloatImage
from clairvoy.imaging.synthesis.panoramas import render_panorama, sphere_rays
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.own.scene_environment import Rules, State
from clairvoy.scenarios.panorama.directions import (
    AROUND,
    DIRECTIONS,
    ELEVATIONS,
    seen_from,
    solid_angles,
    views,
)
from clairvoy.scenarios.panorama.looking import COARSE, DOWN, LEFT, RIGHT, STAY, UP


@dataclass(frozen=True)
class HazyViewsSettings:
    """What counts, and what it costs."""

    hazy_from: float = 0.3
    """Mean of 1 - transmission over a view, by solid angle, from which on it is hazy."""
    steps: int = 40
    """After so many an episode is cut off."""
    false_alarm: float = 0.0
    """Penalty for recognising haze in a clear view."""
    step: float = 0.0
    """Penalty for each action."""

    def __post_init__(self) -> None:
        between(self, 0, 1, "hazy_from")
        at_least(self, 1, "steps")
        at_least(self, 0, "false_alarm", "step")


class HazyViews:
    """The rules, for panoramas of one size that are rows (4, H, 2 H) uint8: colours, and 1 - transmission.

    Parameters
    ----------
    height
        Of the panoramas, a multiple of 8.
    settings
        See `HazyViewsSettings`.
    """

    def __init__(self, height: int, settings: HazyViewsSettings | None = None) -> None:
        self.height, self.settings = height, settings or HazyViewsSettings()
        self.views = views(height)
        part = self.views * solid_angles(height)
        self._within = (part / part.sum(dim=(1, 2), keepdim=True)).flatten(1)

    @property
    def rules(self) -> Rules:
        """For a `SceneEnvironment`."""
        return Rules(5, self.begin, self.show, self.act, self.settings.steps, self.allow)

    def hazy(self, scene: Tensor) -> Tensor:
        """Which views of rows (B, 4, H, 2 H) are hazy, (B, DIRECTIONS) bool: the truth."""
        return self.over_views(scene[:, 3].float() / 255) >= self.settings.hazy_from

    def over_views(self, plane: Tensor) -> Tensor:
        """Means of planes (B, H, 2 H) over each view, by solid angle, (B, DIRECTIONS)."""
        return plane.flatten(1) @ self._within.T

    def begin(self, scene: Tensor, rng: torch.Generator) -> State:
        """The agent looks at the horizon, anywhere."""
        looks = AROUND * (len(ELEVATIONS) // 2) + torch.randint(AROUND, (len(scene),), generator=rng)
        return {
            "looks": looks,
            "visited": F.one_hot(looks, DIRECTIONS).bool(),
            "settled": torch.zeros(len(scene), DIRECTIONS, dtype=torch.bool),
        }

    def show(self, scene: Tensor, state: State) -> Observation:
        """What was looked at, coarse, as bytes, black elsewhere, with where that is; what is settled; the elevation.

        All is turned so that the agent looks ahead.
        """
        azimuth = state["looks"] % AROUND
        seen = seen_from(self.views, state["visited"])[:, None]
        planes = torch.cat([scene[:, :3] * seen, seen.to(torch.uint8) * 255], dim=1)
        coarse = F.avg_pool2d(planes.float(), COARSE)
        width = coarse.shape[3]
        columns = (torch.arange(width) + (azimuth * width // AROUND)[:, None]) % width
        around = (torch.arange(AROUND) + azimuth[:, None]) % AROUND
        told = {}
        for name in ("visited", "settled"):
            rows = state[name].unflatten(1, (len(ELEVATIONS), AROUND))
            told[name] = rows.gather(2, around[:, None].expand_as(rows)).flatten(1)
        return {
            "sphere": coarse.gather(3, columns[:, None, None].expand_as(coarse)).round().to(torch.uint8),
            "elevation": F.one_hot(state["looks"] // AROUND, len(ELEVATIONS)).bool(),
            **told,
        }

    def allow(self, scene: Tensor, state: State) -> Tensor:
        """No further up or down than there is."""
        row = state["looks"] // AROUND
        mask = torch.ones(len(scene), 5, dtype=torch.bool)
        mask[:, UP], mask[:, DOWN] = row > 0, row < len(ELEVATIONS) - 1
        return mask

    def act(self, scene: Tensor, state: State, action: Tensor) -> tuple[State, Tensor, Tensor]:
        """Turn, or say that there is haze here."""
        row, azimuth = state["looks"] // AROUND, state["looks"] % AROUND
        azimuth = (azimuth + (action == RIGHT).long() - (action == LEFT).long()) % AROUND
        row = (row + (action == DOWN).long() - (action == UP).long()).clamp(0, len(ELEVATIONS) - 1)
        looks, hazy, stays = AROUND * row + azimuth, self.hazy(scene), action == STAY
        here = F.one_hot(state["looks"], DIRECTIONS).bool()
        again = stays & (state["settled"] & here).any(dim=1)
        is_hazy = (hazy & here).any(dim=1)
        settled = state["settled"] | (here & stays[:, None])
        reward = (stays & ~again & is_hazy).float()
        reward = reward - self.settings.false_alarm * (stays & ~again & ~is_hazy).float() - self.settings.step
        over = again | (settled | ~hazy).all(dim=1)
        visited = state["visited"] | F.one_hot(looks, DIRECTIONS).bool()
        return {"looks": looks, "visited": visited, "settled": settled}, reward, over


def fog_bank(distance: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Transmission (H, 2 H) of fog that lies on one or two sides of a panorama, of distances (H, 2 H) in metres.

    Where the fog is, transmission is exp(-beta d): d in units of the median distance, up to three of them, and beta from
    0.5 to 2.5.
    """
    rays = sphere_rays(distance.shape[0])
    lies = np.zeros(distance.shape)
    for _ in range(int(rng.integers(1, 3))):
        azimuth = rng.uniform(0, 2 * np.pi)
        middle = np.array([np.sin(azimuth), rng.uniform(-0.3, 0.3), np.cos(azimuth)])
        lies = np.maximum(lies, np.exp(rng.uniform(3, 8) * (rays @ (middle / np.linalg.norm(middle)) - 1)))
    away = np.clip(distance / np.median(distance), 0, 3)
    return np.exp(-rng.uniform(0.5, 2.5) * lies * away).astype(np.float32)


def render_hazy(height: int, rng: np.random.Generator) -> ByteImage:
    """A rendered panorama that lies partly in fog, as a row of `HazyViews`, (4, height, 2 height) uint8."""
    clear, distance = render_panorama(height, rng)
    transmission = fog_bank(distance, rng)[..., None]
    hazy = add_haze(
        clear / np.float32(255), transmission, rng.uniform(0.55, 1.0) * (1 + rng.normal(0, 0.03, 3))
    )
    row = np.concatenate([np.clip(hazy, 0, 1), 1 - transmission], axis=2)
    return np.asarray((row * 255).round().astype(np.uint8).transpose(2, 0, 1))
