"""Scenes to search: the haze that they say they have, and the truth about it."""

import math

import numpy as np
import pytest
import torch

from clairvoy.errors import FileError, InputError
from clairvoy.imaging.files import Picture, write
from clairvoy.imaging.haze import draw_haze
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.search_agent import scenes as search_scenes
from clairvoy.scenarios.search_agent.scenes import (
    DENSE,
    SHARE,
    THIN,
    ClearViews,
    HazyView,
    Thumbnail,
    generated_haze,
    hazy_area,
    no_haze,
    paired_haze,
    pasted_haze,
    physical_haze,
    scene_set,
    square,
    truth,
)  # fmt: skip
from clairvoy.scenarios.search_agent.view_beliefs import beliefs_of_thumbnail, beliefs_of_windows
from clairvoy.searching.explore import cut_windows


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    made = Parts.new()
    for module in made.modules().values():
        module.eval().requires_grad_(False)
    return made


def clear_view(side=256):
    return torch.rand(3, side, side, generator=torch.Generator().manual_seed(0)) * 0.5


def draws(seed):
    return np.random.default_rng(seed), torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("density", [DENSE, THIN])
def test_physical_haze_has_the_share_and_density_asked_for(density):
    for seed in range(2):
        view = physical_haze(clear_view(), *draws(seed), density)
        hazy = truth(view.lost, 32)
        assert SHARE[0] <= float(hazy.float().mean()) <= SHARE[1]
        lost = torch.nn.functional.adaptive_avg_pool2d(view.lost, 32)[0, 0]
        assert density[0] <= float(lost[hazy].mean()) <= density[1]
        assert view.picture.dtype == torch.uint8


def test_the_same_seed_gives_the_same_scene_and_another_gives_another():
    one, again = (physical_haze(clear_view(), *draws(1)) for _ in range(2))
    assert torch.equal(one.picture, again.picture)
    assert not torch.equal(one.picture, physical_haze(clear_view(), *draws(2)).picture)


def test_generated_haze_is_the_generators_thinned_out(monkeypatch, parts):
    monkeypatch.setattr(search_scenes, "_TRIES", 1)
    clear = clear_view()
    one, again = (generated_haze(clear, *draws(3), parts.generator) for _ in range(2))
    assert torch.equal(one.picture, again.picture)
    asked = torch.tensor([math.exp(draws(3)[0].uniform(-1.5, 1.0))])
    noise = torch.Generator().manual_seed(3)
    airlight = draw_haze(torch.ones(1, 1, 8, 8), noise).airlight
    whole = parts.generator.simulate(clear[None], asked, airlight, noise).optical_depth
    od = -torch.log(1 - one.lost)
    assert bool((od <= whole + 1e-4).all())  # patches take away, they add nothing
    assert float(od.std()) > 0.01


def test_pasted_haze_changes_the_masked_part_only():
    clear = clear_view()
    view = pasted_haze(clear, np.full((90, 160, 3), 230, np.uint8), np.random.default_rng(0))
    mask = torch.nn.functional.interpolate(view.lost, size=(256, 256))[0, 0].bool()
    before = (clear * 255).round().to(torch.uint8)
    changed = (view.picture != before).any(dim=0)
    assert bool(changed[mask].float().mean() > 0.99)
    assert bool(view.picture[:, mask].float().mean() > 180)
    assert float((changed & ~mask).float().mean()) < 0.2  # the soft edge
    assert 0.03 < float(mask.float().mean()) < 0.6


def test_fog_of_pairs_is_fitted_exactly():
    rng = np.random.default_rng(0)
    clear = rng.integers(0, 200, (96, 128, 3)).astype(np.uint8)
    t = np.repeat(np.linspace(0.2, 1.0, 4), 32)[None, :, None]
    hazy = np.rint(clear * t + 255 * (1 - t)).astype(np.uint8)
    view = paired_haze(hazy, clear, 64)
    want = torch.from_numpy(1 - np.linspace(0.2, 1.0, 4)).float().repeat_interleave(16)
    assert float((view.lost[0, 0] - want).abs().max()) < 0.01
    assert truth(view.lost, 4)[0].tolist() == [True, True, True, False]
    with pytest.raises(InputError, match="one size"):
        paired_haze(hazy, clear[:50], 64)


def test_truth_and_area_of_a_drawn_patch():
    lost = torch.zeros(1, 1, 64, 64)
    lost[..., :16, :24] = 0.5  # one row and one and a half columns of windows of 16 pixels
    assert truth(lost, 4).nonzero().tolist() == [[0, 0], [0, 1]]
    area = hazy_area(lost, 4)
    assert float(area[0, 0]) == 1.0
    assert float(area[0, 1]) == 0.5
    assert float(area.sum()) == 1.5


def test_views_of_photographs(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    write(tmp_path / "a.png", pixels, Picture(pixels))
    views = ClearViews([tmp_path / "a.png"])
    small, large = (views(side, np.random.default_rng(0)) for side in (32, 256))
    assert small.shape == (3, 32, 32)
    assert large.shape == (3, 256, 256)
    assert float(large.min()) >= 0
    assert float(large.max()) <= 1
    flat = np.full((60, 90, 3), 77, np.uint8)
    write(tmp_path / "b.png", flat, Picture(flat))
    joined = ClearViews([tmp_path / "b.png"])(256, np.random.default_rng(0))
    torch.testing.assert_close(joined, torch.full_like(joined, 77 / 255))  # the ramps of the seams add to 1
    with pytest.raises(FileError, match="no clear photographs"):
        ClearViews([])
    assert square(pixels, 60, np.random.default_rng(0)).shape == (60, 60, 3)


def test_beliefs_are_those_of_the_code_in_use(parts):
    view = physical_haze(clear_view(128), *draws(0))
    spoilt = Thumbnail(contrast=0.5, noise=0.1, blur=1.0)
    made = scene_set([view, no_haze(clear_view(128))], parts, 4, (Thumbnail(), spoilt))
    assert made.grid == (4, 4)
    assert torch.equal(made.windows[0, 1, 2], view.picture[:, 32:64, 64:96])
    believed = beliefs_of_windows(
        parts.perceiver, cut_windows(view.picture[None], 4, 4)[0].flatten(0, 1)
    ).T.view(4, 4, 4)
    torch.testing.assert_close(made.beliefs[0], believed)
    small = torch.nn.functional.interpolate(
        view.picture[None].float() / 255, size=(256, 256), mode="bilinear", antialias=True
    )
    shown = beliefs_of_thumbnail(parts.perceiver, small.clamp(0, 1), 4, 4)[0]
    torch.testing.assert_close(made.previews[0, 0], shown)
    assert not torch.allclose(made.previews[0, 1], shown)
    assert not bool(made.hazy[1].any())
    perceived_whole = scene_set([view], parts, 4, perceived_whole=True)
    assert torch.equal(perceived_whole.beliefs, perceived_whole.previews[:, 0])
    with pytest.raises(InputError, match="4 windows need 128"):
        scene_set([HazyView(view.picture[:, :64, :64], view.lost)], parts, 4)
