"""The search of one scene: what is read, and that only recognised windows change."""

import copy
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import SettingsError
from clairvoy.imaging.files import Picture
from clairvoy.imaging.hidden import fill
from clairvoy.imaging.scenes import PictureScene
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.full_resolution import FullResolution
from clairvoy.restoring.scene import SceneSearcher, WindowRestorer, choose_grid, fading_mask, sampled
from clairvoy.searching import glimpse
from clairvoy.searching.glimpse import DOWN, LEFT, RIGHT, STAY, UP


class Script:
    """Takes the actions of a list, then stays."""

    def __init__(self, *actions):
        self.actions = list(actions)

    def __call__(self, observation):
        return np.eye(5, dtype=np.float32)[[self.actions.pop(0) if self.actions else STAY]]


class Counted(PictureScene):
    """Notes which boxes were read."""

    def __init__(self, pixels, thumbnail=True):
        super().__init__(Picture(pixels))
        self.boxes, self.has_thumbnail = [], thumbnail

    def window(self, *box):
        self.boxes.append(box)
        return super().window(*box)

    def thumbnail(self):
        return super().thumbnail() if self.has_thumbnail else None


@pytest.fixture(scope="module")
def engine(untrained_weights):
    return Engine.load(untrained_weights, "cpu")


def picture(height=100, width=130, dtype=np.uint8):
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(top // 4, top // 2, (height, width, 3), dtype=dtype)


def with_agent(engine, *actions):
    led = copy.copy(engine)
    led.q_values = Script(*actions)
    return led


@pytest.mark.parametrize("thumbnail", [True, False])
def test_each_window_on_the_way_is_read_once(engine, thumbnail):
    scene = Counted(picture())
    searcher = SceneSearcher(
        with_agent(engine, RIGHT, STAY, 1, RIGHT, DOWN, STAY, STAY), scene, 4, 5, thumbnail
    )
    found = searcher.run()
    way = [(2, 2), (2, 3), (3, 3)]  # from the middle; (2, 3) and (2, 2) are crossed again
    assert scene.boxes == [tuple(int(edge) for edge in found.boxes[place]) for place in way]
    assert found.search.read == 3
    assert found.search.finished
    assert np.argwhere(found.search.recognised).tolist() == [[2, 3], [3, 3]]
    assert bool(found.known.all()) == thumbnail
    assert found.used_thumbnail == thumbnail
    assert found.haze.shape == found.sketch.shape[:2]
    assert (found.haze[~found.known] == 0).all()


def test_the_budget_is_kept(engine):
    scene = Counted(picture())
    found = SceneSearcher(with_agent(engine, *[RIGHT, RIGHT, DOWN] * 9), scene, 5, 5, False).run(
        budget=3 / 25
    )
    assert len(scene.boxes) == found.search.read == 3
    assert not found.search.finished


def test_what_cannot_be_searched(engine):
    scene = Counted(picture(), thumbnail=False)
    with pytest.raises(SettingsError, match="thumbnail"):
        SceneSearcher(engine, scene, 4, 4, True)
    with pytest.raises(SettingsError, match="fewer"):
        SceneSearcher(engine, Counted(picture(10, 10)), 20, 5)
    with pytest.raises(SettingsError, match="128"):
        SceneSearcher(engine, scene, 1, 400)
    with pytest.raises(SettingsError, match="budget"):
        SceneSearcher(engine, scene, 4, 4).run(budget=0.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_recognised_windows_change_and_pieces_fit_together(engine, dtype):
    pixels = picture(96, 128, dtype)
    found = SceneSearcher(with_agent(engine, RIGHT, STAY, DOWN, STAY, STAY), Counted(pixels), 4, 4).run()
    restorer = WindowRestorer(engine, found)
    whole = restorer(pixels, 0, 0)
    chosen = np.kron(found.search.recognised, np.ones((24, 32), bool))
    assert np.array_equal(whole[~chosen], pixels[~chosen])
    assert whole.dtype == dtype
    assert (whole[72:80, 104:120] != pixels[72:80, 104:120]).any()
    # Cut anywhere, the pieces are the whole: no seams.
    pieces = [
        np.hstack([restorer(pixels[r], r.start, 0)[:, :70], restorer(pixels[r, 70:], r.start, 70)])
        for r in (slice(0, 37), slice(37, 96))
    ]
    assert np.abs(np.vstack(pieces).astype(int) - whole.astype(int)).max() <= np.iinfo(dtype).max // 255
    assert np.array_equal(WindowRestorer(engine, found, strength=0.0)(pixels, 0, 0), pixels)
    with pytest.raises(SettingsError, match="strength"):
        WindowRestorer(engine, found, strength=2.0)


def test_restoring_every_window_inverts_the_physics(engine):
    pixels = picture(64, 64)
    stays = [STAY, LEFT, STAY, UP, STAY, STAY]
    found = SceneSearcher(with_agent(engine, *stays), Counted(pixels), 2, 2).run()
    assert int(found.search.recognised.sum()) == 3
    found = replace(found, search=replace(found.search, recognised=np.ones((2, 2), bool)))
    restored = WindowRestorer(engine, found)(pixels, 0, 0)
    t = FullResolution(found.grid, engine.released.guide, found.airlight).transmission(pixels)[..., None]
    want = ((pixels / 255 - found.airlight) / t + found.airlight).clip(0, 1) * 255
    assert np.abs(restored.astype(int) - np.rint(want).astype(int)).max() <= 1
    assert np.abs(restored.astype(int) - pixels).max() > 5


def test_the_mask_fades_inside_recognised_windows_only():
    recognised = np.zeros((3, 4), bool)
    recognised[0, :2] = recognised[1, 1] = True
    mask = fading_mask(recognised)
    chosen = np.kron(recognised, np.ones((16, 16), bool))
    assert (mask[~chosen] == 0).all()
    assert mask[1, 4] == 1.0  # towards the border of the scene it does not fade
    assert mask[0, 0] == 1.0
    inner = mask[:16, 16:32]
    assert (np.diff(inner[1]) <= 1e-6).all()  # falls towards the window on the right
    assert mask.max() == 1.0
    assert (fading_mask(np.ones((2, 2), bool)) == 1).all()


def test_filling_keeps_what_is_known_and_reaches_everything():
    pixels = np.zeros((40, 60, 3), np.float32)
    known = np.zeros((40, 60), bool)
    known[:10, :10] = True
    pixels[:10, :10] = (10, 20, 30)
    filled = fill(pixels, known)
    np.testing.assert_allclose(filled, np.broadcast_to([10.0, 20.0, 30.0], filled.shape), atol=1e-2)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_filling_adds_no_value_that_was_not_there(height, width, seed):
    rng = np.random.default_rng(seed)
    pixels, known = rng.uniform(0, 255, (height, width, 3)), rng.random((height, width)) < 0.1
    known.flat[seed % known.size] = True
    filled = fill(np.where(known[..., None], pixels, 1e30), known)
    np.testing.assert_array_equal(filled[known], pixels[known].astype(np.float32))
    tolerance = 1e-3
    assert (filled >= pixels[known].min(0) - tolerance).all()
    assert (filled <= pixels[known].max(0) + tolerance).all()


def test_filling_from_one_pixel_is_the_work_of_few_passes(monkeypatch):
    known = np.zeros((300, 400), bool)
    known[5, 7] = True
    made, resize = [], cv2.resize
    monkeypatch.setattr(
        cv2, "resize", lambda picture, size, **how: made.append(size) or resize(picture, size, **how)
    )
    assert (fill(np.full((300, 400, 3), 9.0), known) == 9).all()
    assert sum(width * height for width, height in made) < 2 * known.size


def test_sampling_a_box_is_sampling_the_whole_and_cutting():
    plane = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    whole = cv2.resize(plane, (63, 40), interpolation=cv2.INTER_LINEAR)
    part = sampled(plane, slice(3, 29), slice(11, 63), (40, 63))
    np.testing.assert_allclose(part, whole[3:29, 11:63], atol=1e-5, rtol=0)


def test_windows_are_about_square_and_as_many_as_suit_the_size():
    for height, width in ((2048, 2048), (1000, 3000), (40, 30), (12_000, 20_000), (480, 640), (1, 50)):
        rows, cols = choose_grid(height, width)
        assert 1 <= min(rows, cols) <= max(rows, cols) <= 64
        assert math.isclose(height / rows, width / cols, rel_tol=0.5) or 1 in (rows, cols)
    assert choose_grid(2048, 2048) == (16, 16)
    assert choose_grid(480, 640) == (6, 8)
    assert choose_grid(12_000, 20_000) == (38, 64)
    assert glimpse.WINDOW == 32
