"""An episode as moving pictures: as the environment draws itself, or else what is shown to the agent."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from clairvoy.drawing.plane_pictures import picture_of
from clairvoy.errors import SettingsError
from clairvoy.qlearning.rollout import Policy
from clairvoy.qlearning.transitions import Observation

SHORTEST, LONGEST = 160, 320
"""Pixels: frames are brought to have a side of at least the first, and none of more than the second."""
FRAMES = 300
"""Frames that a film has at most, about; of longer episodes every second is left out, then every second of those."""


class Film(NamedTuple):
    """One episode."""

    frames: list[np.ndarray]
    """(H, W, 3) uint8 each, in order; the first is the beginning."""
    stride: int
    """Steps from one frame to the next."""
    steps: int
    """How long it was."""
    earned: float
    """Sum of its rewards."""
    ended: bool
    """Whether it ended, or was left after the longest time."""


def film(environment: Any, policy: Policy, seed: int, longest: int = 5000) -> Film:
    """Play an episode of the first copy of an environment.

    Parameters
    ----------
    environment
        A `BatchedEnvironment`. What its ``render()`` gives is shown, if it gives something; otherwise planes of bits,
        pictures, or the latest of stacked frames that the agent sees.
    policy
        Without exploration: ``agent.act_greedily``.
    seed
        Of the episode.
    longest
        Steps after which it is left.

    Raises
    ------
    SettingsError
        There is nothing to look at.
    """
    observation = environment.reset(torch.Generator().manual_seed(seed))
    frames, stride, earned, steps, ended = [_frame(environment, observation)], 1, 0.0, 0, False
    while not ended and steps < longest:
        step = environment.step(policy(observation, environment.action_mask()))
        observation, steps = step.observation, steps + 1
        earned += float(step.reward[0])
        ended = bool(step.done[0])
        # After its end an environment draws the next episode already; what the agent saw last can still be shown.
        if steps % stride == 0 and (not ended or not _drawn(environment)):
            frames.append(_frame(environment, step.final_observation))
        if len(frames) > FRAMES:
            frames, stride = frames[::2], 2 * stride
    return Film(frames, stride, steps, earned, ended)


def _drawn(environment: Any) -> list[np.ndarray]:
    draw = getattr(environment, "render", None)
    return [] if draw is None else list(draw())


def _frame(environment: Any, observation: Observation) -> np.ndarray:
    drawn = _drawn(environment)
    if drawn:
        return _sized(np.ascontiguousarray(drawn[0][..., :3]))
    for value in observation.values():
        if value.ndim == 4 and value.dtype in (torch.bool, torch.uint8):
            return _sized(picture_of(value[0].cpu()))
    raise SettingsError(
        "the environment draws no picture of itself, and shows none: give it a render_mode of rgb_array, and what that needs"
    )


def _sized(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if max(height, width) > LONGEST:
        scale = LONGEST / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    times = min(-(-SHORTEST // min(height, width)), LONGEST // max(height, width))
    return picture.repeat(max(1, times), axis=0).repeat(max(1, times), axis=1)
