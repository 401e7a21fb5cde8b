"""Scenes: the same number is the same scene, and what is hazy is so by the physics."""

import numpy as np
import pytest
import torch

from clairvoy.errors import FileError
from clairvoy.imaging.files import Picture, write
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis import camera
from clairvoy.imaging.synthesis import views as synthesis
from clairvoy.imaging.synthesis.views import (
    Photographs,
    ViewMaker,
    ViewPool,
    haze_views,
    vary_tone,
)


@pytest.fixture
def maker(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(3):
        pixels = np.ascontiguousarray(
            rng.integers(0, 255, (6, 8, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
        )
        write(tmp_path / f"{index}.png", pixels, Picture(pixels))
    return ViewMaker(Photographs(sorted(tmp_path.iterdir())), size=64, seed=5)


def test_a_rewound_pool_holds_the_same_scenes(maker):
    pool, other = ViewPool(maker, 4), ViewPool(maker, 4)
    pool.extend(7)
    other.rewind(7)
    assert torch.equal(pool.clear, other.clear)
    assert torch.equal(pool.depth, other.depth)
    assert len(pool) == 4


def test_scenes_differ_from_one_another(maker):
    (one, depth), (other, _) = maker(0), maker(1)
    assert not np.array_equal(one, other)
    assert depth.min() > 0


def test_hazy_is_clear_behind_the_haze_that_is_told(maker, monkeypatch):
    monkeypatch.setattr(camera, "GRADED", 0.0)
    monkeypatch.setattr(camera, "COMPRESSED", 0.0)
    pool = ViewPool(maker, 4)
    pool.extend(4)
    pairs = pool.draw(16, torch.Generator().manual_seed(0), HazeSettings(clear=0.0))
    t = torch.exp(-pairs.optical_depth)
    expected = (pairs.clear * t + pairs.airlight * (1 - t)).clamp(0, 1)
    # Sensor noise has a deviation of at most 0.01; 8-bit rounding adds 0.002.
    assert float((pairs.hazy - expected).abs().mean()) < 0.011
    assert float((pairs.hazy * 255 - (pairs.hazy * 255).round()).abs().max()) < 1e-4


def test_tone_keeps_to_the_range_and_three_in_ten_as_they_are():
    clear = torch.rand(600, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    toned = vary_tone(clear, torch.Generator().manual_seed(1))
    assert float(toned.min()) >= 0
    assert float(toned.max()) <= 1
    same = (toned == clear).flatten(1).all(dim=1).float().mean()
    assert abs(float(same) - 0.3) < 0.07


def test_no_haze_is_only_noise():
    clear = torch.full((8, 3, 16, 16), 0.5)
    pairs = haze_views(
        clear, torch.ones(8, 1, 16, 16), torch.Generator().manual_seed(0), HazeSettings(clear=1.0)
    )
    assert float(pairs.optical_depth.abs().max()) == 0.0
    assert float((pairs.hazy - pairs.clear).abs().mean()) < 0.02


def test_a_grade_is_on_both_pictures_and_on_the_airlight(monkeypatch):
    monkeypatch.setattr(camera, "GRADED", 1.0)
    monkeypatch.setattr(camera, "COMPRESSED", 0.0)
    clear = torch.full((32, 3, 16, 16), 0.4)
    depth = torch.ones(32, 1, 16, 16)
    pairs = haze_views(
        clear, depth, torch.Generator().manual_seed(0), HazeSettings(mean_optical_depth=(3.4, 3.5), clear=0.0)
    )
    # At an optical depth of 3.4 the hazy picture shows the airlight and 3 % of the scene.
    even = pairs.optical_depth.flatten(1).std(dim=1) == 0
    assert even.sum() > 10
    assert float((pairs.hazy - pairs.airlight).mean(dim=(1, 2, 3))[even].abs().max()) < 0.05
    assert float(pairs.clear.flatten(1).mean(dim=1).std()) > 0.03


def test_depth_is_told_coarsely_with_the_scene():
    """Means over blocks of eight pixels, in the depth's own unit."""
    depth = torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0)) + 0.5
    pairs = haze_views(torch.full((2, 3, 16, 24), 0.5), depth, torch.Generator().manual_seed(0))
    blocks = depth.view(2, 1, 2, 8, 3, 8).mean(dim=(3, 5))
    torch.testing.assert_close(pairs.depth, blocks)


def test_scenes_are_rendered_as_often_as_asked(maker, monkeypatch):
    """A room is told by its depth, 1, and the outdoors by theirs, 2; other scenes are views of the photographs."""

    def rendered(depth):
        return lambda textures, height, width, rng: (
            np.zeros((height, width, 3), np.uint8), np.full((height, width), depth, np.float32)
        )  # fmt: skip

    monkeypatch.setattr(synthesis, "render_room", rendered(1.0))
    monkeypatch.setattr(synthesis, "render_outdoor_haze", rendered(2.0))
    mixed = ViewMaker(maker.photographs, size=32, seed=5, rooms=0.3, outdoors=0.5)
    kinds = []
    for index in range(300):
        _, depth = mixed(index)
        flat = depth.min() == depth.max() and depth.max() in (1.0, 2.0)
        kinds.append(int(depth[0, 0]) if flat else 0)
    share = np.bincount(kinds, minlength=3) / 300
    np.testing.assert_allclose(share, [0.2, 0.3, 0.5], atol=0.07)


def test_scenes_that_lie_on_a_side_are_the_same_scenes_turned(maker, monkeypatch):
    monkeypatch.setattr(synthesis, "ON_ITS_SIDE", 0.0)
    upright = [maker(index) for index in range(8)]
    monkeypatch.setattr(synthesis, "ON_ITS_SIDE", 1.0)
    quarters = set()
    for (clear, depth), index in zip(upright, range(8), strict=True):
        turned, its_depth = maker(index)
        found = [k for k in range(4) if np.array_equal(np.rot90(clear, k), turned)]
        assert found in ([1], [3])
        np.testing.assert_array_equal(np.rot90(depth, found[0]), its_depth)
        quarters.update(found)
    assert quarters == {1, 3}


def test_no_photographs_is_an_error():
    with pytest.raises(FileError, match="no photographs"):
        Photographs([])
