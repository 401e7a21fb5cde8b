"""Scenes: the same number is the same scene, and what is hazy is so by the physics."""

import numpy as np
import pytest
import torch

from clairvoy.errors import FileError
from clairvoy.imaging.files import Picture, write
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis import camera
from clairvoy.imaging.synthesis.scenes import (
    Photographs,
    SceneMaker,
    ScenePool,
    haze_scenes,
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
    return SceneMaker(Photographs(sorted(tmp_path.iterdir())), size=64, seed=5)


def test_a_rewound_pool_holds_the_same_scenes(maker):
    pool, other = ScenePool(maker, 4), ScenePool(maker, 4)
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
    pool = ScenePool(maker, 4)
    pool.extend(4)
    scenes = pool.draw(16, torch.Generator().manual_seed(0), HazeSettings(clear=0.0))
    t = torch.exp(-scenes.optical_depth)
    expected = (scenes.clear * t + scenes.airlight * (1 - t)).clamp(0, 1)
    # Sensor noise has a deviation of at most 0.01; 8-bit rounding adds 0.002.
    assert float((scenes.hazy - expected).abs().mean()) < 0.011
    assert float((scenes.hazy * 255 - (scenes.hazy * 255).round()).abs().max()) < 1e-4


def test_tone_keeps_to_the_range_and_three_in_ten_as_they_are():
    clear = torch.rand(600, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    toned = vary_tone(clear, torch.Generator().manual_seed(1))
    assert float(toned.min()) >= 0
    assert float(toned.max()) <= 1
    same = (toned == clear).flatten(1).all(dim=1).float().mean()
    assert abs(float(same) - 0.3) < 0.07


def test_no_haze_is_only_noise():
    clear = torch.full((8, 3, 16, 16), 0.5)
    scenes = haze_scenes(
        clear, torch.ones(8, 1, 16, 16), torch.Generator().manual_seed(0), HazeSettings(clear=1.0)
    )
    assert float(scenes.optical_depth.abs().max()) == 0.0
    assert float((scenes.hazy - scenes.clear).abs().mean()) < 0.02


def test_a_grade_is_on_both_pictures_and_on_the_airlight(monkeypatch):
    monkeypatch.setattr(camera, "GRADED", 1.0)
    monkeypatch.setattr(camera, "COMPRESSED", 0.0)
    clear = torch.full((32, 3, 16, 16), 0.4)
    depth = torch.ones(32, 1, 16, 16)
    scenes = haze_scenes(
        clear, depth, torch.Generator().manual_seed(0), HazeSettings(mean_optical_depth=(3.4, 3.5), clear=0.0)
    )
    # At an optical depth of 3.4 the hazy picture shows the airlight and 3 % of the scene.
    even = scenes.optical_depth.flatten(1).std(dim=1) == 0
    assert even.sum() > 10
    assert float((scenes.hazy - scenes.airlight).mean(dim=(1, 2, 3))[even].abs().max()) < 0.05
    assert float(scenes.clear.flatten(1).mean(dim=1).std()) > 0.03


def test_no_photographs_is_an_error():
    with pytest.raises(FileError, match="no photographs"):
        Photographs([])
