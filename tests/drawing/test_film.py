"""An episode as moving pictures: each frame is the step that it is said to be."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from corridor import Corridor, CorridorSettings
from PIL import Image

from clairvoy.drawing import film as module
from clairvoy.drawing.animation import animation
from clairvoy.drawing.film import FRAMES, LONGEST, SHORTEST, film
from clairvoy.drawing.palette import GROUND
from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import ObservationSpec


def right(observation, mask):
    return torch.ones(len(mask), dtype=torch.int64)


def left(observation, mask):
    return torch.zeros(len(mask), dtype=torch.int64)


class Seen(Corridor):
    """Shows the corridor as a picture one cell high, in one of three ways."""

    kind = "bits"

    def _observation(self):
        cell = super()._observation()["cell"][:, None, None, :]
        if self.kind == "bits":
            return {"planes": cell.bool()}
        grey = (200 * cell).to(torch.uint8)
        return {"frames": torch.cat([grey * 0] * (2 if self.kind == "colours" else 3) + [grey], dim=1)}


class Drawn(Corridor):
    """Draws itself: as bright as the number of its cell."""

    def render(self):
        return [np.full((8, 10, 3), int(cell), np.uint8) for cell in self.cell]


def lit(frame):
    """The cell that is not ground, of eight."""
    row = frame[0].astype(int)
    off = np.abs(row - row[np.argmin(np.abs(row - GROUND).sum(axis=1))]).sum(axis=1)
    return int(off.argmax() * 8 / len(row))


def test_every_frame_is_a_step_of_the_episode():
    corridor = Seen(1)
    played = film(corridor, right, seed=3)
    corridor.reset(torch.Generator().manual_seed(3))
    begin = int(corridor.cell)
    assert [lit(frame) for frame in played.frames] == list(range(begin, 8))
    assert (played.steps, played.ended, played.stride) == (7 - begin, True, 1)
    assert played.earned == pytest.approx(1 - 0.05 * (7 - begin))


def test_an_environment_that_draws_itself_is_shown_as_it_draws():
    corridor = Drawn(2)
    played = film(corridor, left, seed=3)
    corridor.reset(torch.Generator().manual_seed(3))
    begin = int(corridor.cell[0])
    # After the end it draws the next episode: the last step is not shown.
    assert [int(frame[0, 0, 0]) for frame in played.frames] == list(range(begin, 0, -1))
    assert played.frames[0].shape == (160, 200, 3)


@pytest.mark.parametrize(("kind", "channels"), [("colours", 3), ("frames", 4)])
def test_of_bytes_three_are_colours_and_others_frames_the_latest_last(kind, channels):
    corridor = Seen(1)
    corridor.kind = kind
    frame = film(corridor, right, seed=3).frames[0]
    brightest = frame.reshape(-1, 3)[frame.reshape(-1, 3).sum(axis=1).argmax()].tolist()
    assert brightest == ([0, 0, 200] if kind == "colours" else [200, 200, 200])


def test_long_episodes_are_shown_in_longer_strides_and_left_at_last():
    class Endless(Drawn):
        def step(self, actions):
            step = super().step(torch.where(self.cell > 1, actions, 1))
            return replace(step, truncated=torch.zeros_like(step.truncated))

    played = film(Endless(1, CorridorSettings(max_steps=10**9)), left, seed=0, longest=1000)
    assert (played.steps, played.ended, played.stride) == (1000, False, 4)
    assert FRAMES / 2 <= len(played.frames) <= FRAMES


@pytest.mark.parametrize("shape", [(600, 400), (10, 10), (1, 8), (84, 84), (210, 160), (2000, 3)])
def test_frames_are_neither_too_small_nor_too_large_to_see(shape):
    sized = module._sized(np.zeros((*shape, 3), np.uint8))
    assert max(sized.shape[:2]) <= LONGEST
    assert min(sized.shape[:2]) >= SHORTEST or max(sized.shape[:2]) > LONGEST // 2
    assert sized.shape[2] == 3


def test_where_there_is_nothing_to_look_at_it_is_said():
    with pytest.raises(SettingsError, match="draws no picture of itself"):
        film(Corridor(1), right, seed=0)
    assert Corridor(1).observation_specs["cell"] == ObservationSpec((8,), torch.float32, 0.0, 1.0)


def test_an_animation_holds_its_frames():
    frames = [np.full((4, 6, 3), 60 * k, np.uint8) for k in range(4)]
    with Image.open(BytesIO(animation(frames, 50))) as shown:
        assert (shown.n_frames, shown.size) == (4, (6, 4))
        for k in range(4):
            shown.seek(k)
            assert np.abs(np.asarray(shown.convert("RGB")).astype(int) - 60 * k).max() <= 4
