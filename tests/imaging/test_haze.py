"""The physics in closed form, and the draws against what the settings say."""

import math

import numpy as np
import pytest
import torch

from clairvoy.imaging.haze import (
    MAX_OPTICAL_DEPTH,
    HazeSettings,
    add_haze,
    draw_haze,
    remove_haze,
    smooth_field,
)


def test_half_the_light_lost_is_half_way_to_the_airlight():
    hazy = add_haze(np.array([0.0, 0.4, 1.0]), 0.5, 0.8)
    np.testing.assert_allclose(hazy, [0.4, 0.6, 0.9])


def test_removing_undoes_adding_in_float64():
    rng = np.random.default_rng(0)
    clear, t = rng.random((7, 5, 3)), rng.uniform(0.05, 1, (7, 5, 1))
    airlight = np.array([0.9, 0.8, 0.7])
    np.testing.assert_allclose(remove_haze(add_haze(clear, t, airlight), t, airlight), clear, atol=1e-13)


def test_uniform_haze_has_the_transmission_of_its_optical_depth():
    settings = HazeSettings(mean_optical_depth=(1.5, 1.5), patchy=0.0, clear=0.0)
    haze = draw_haze(torch.ones(3, 1, 4, 4), torch.Generator().manual_seed(0), settings)
    torch.testing.assert_close(haze.transmission, torch.full((3, 1, 4, 4), math.exp(-1.5)))


def test_optical_depth_is_proportional_to_depth():
    settings = HazeSettings(mean_optical_depth=(0.5, 0.5), patchy=0.0, clear=0.0)
    depth = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
    for unit in (1.0, 1000.0):
        od = draw_haze(depth * unit, torch.Generator().manual_seed(0), settings).optical_depth
        torch.testing.assert_close(od.flatten(), torch.tensor([0.25, 0.5, 0.75]))


def test_draws_keep_to_the_settings():
    generator = torch.Generator().manual_seed(1)
    haze = draw_haze(torch.rand(2000, 1, 4, 4) + 0.1, generator, HazeSettings(clear=0.3))
    none = (haze.optical_depth == 0).all(dim=3).all(dim=2).float().mean()
    assert abs(float(none) - 0.3) < 0.04
    assert float(haze.optical_depth.max()) <= MAX_OPTICAL_DEPTH
    assert float(haze.airlight.min()) >= 0.3
    assert float(haze.airlight.max()) <= 1.0


def test_airlight_is_neutral_as_often_as_asked_and_clips_to_white():
    depth = torch.ones(4000, 1, 1, 1)
    dim = draw_haze(depth, torch.Generator().manual_seed(2), HazeSettings(airlight=(0.6, 0.8))).airlight
    neutral = (dim.amax(dim=1) == dim.amin(dim=1)).float().mean()
    assert abs(float(neutral) - HazeSettings().neutral) < 0.03
    bright = HazeSettings(airlight=(0.55, 1.1), neutral=1.0)
    white = (
        (draw_haze(depth, torch.Generator().manual_seed(3), bright).airlight == 1).all(dim=1).float().mean()
    )
    # 0.55 + 0.55 u^0.6 >= 1 for this part of u in [0, 1].
    assert abs(float(white) - (1 - (0.45 / 0.55) ** (1 / 0.6))) < 0.03


def test_dense_haze_is_drawn_as_often_as_asked():
    """The larger of two uniform draws has the mean 2/3, one draw 1/2, on the log scale of the mean optical depth."""
    depth = torch.ones(6000, 1, 1, 1)
    for dense in (0.0, 0.6, 1.0):
        settings = HazeSettings(mean_optical_depth=(0.1, 1.0), dense=dense, patchy=0.0, clear=0.0)
        od = draw_haze(depth, torch.Generator().manual_seed(5), settings).optical_depth
        place = 1 + torch.log10(od)  # 0 at the lower limit, 1 at the upper
        assert float(place.mean()) == pytest.approx(0.5 + dense / 6, abs=0.02)


def test_a_scene_lights_its_fog_as_often_as_asked():
    """Where it does, the airlight is the scene's brightness times a factor, and never brighter than white."""
    depth, settings = (
        torch.ones(3000, 1, 1, 1),
        HazeSettings(lit=0.4, lit_by=(1.5, 1.5), neutral=1.0, clouded=0.0),
    )
    scene = torch.linspace(0.2, 0.9, 3000)
    clear = scene.view(-1, 1, 1, 1).expand(-1, 3, 1, 1)
    lit = draw_haze(depth, torch.Generator().manual_seed(6), settings, clear).airlight[:, 0, 0, 0]
    by_scene = lit == (1.5 * scene).clamp(0.22, 1.0)
    dim = scene < 0.36  # below the others' range of brightness
    assert float(by_scene[dim].float().mean()) == pytest.approx(0.4, abs=0.06)
    assert float(lit[dim & ~by_scene].min()) >= 0.55
    assert float(lit.max()) <= 1.0
    # Where the scene is not known, none is lit, and the other draws are the same.
    unknown = draw_haze(depth, torch.Generator().manual_seed(6), settings).airlight[:, 0, 0, 0]
    assert torch.equal(unknown[~by_scene], lit[~by_scene])
    assert float(unknown.min()) >= 0.55


def test_haze_takes_the_colour_of_a_far_horizon_as_often_as_asked():
    """Only where something is far beyond the rest; there the sky is of the airlight, so it shows no haze."""
    depth = torch.ones(2000, 1, 4, 4)
    depth[:, :, 0] = 8.0
    clear = torch.full((2000, 3, 4, 4), 0.1)
    sky = torch.tensor([0.5, 0.6, 0.75])
    clear[:, :, 0] = sky[:, None]
    settings = HazeSettings(horizon=0.3, lit=0.0, clouded=0.0)
    airlight = draw_haze(depth, torch.Generator().manual_seed(7), settings, clear).airlight[:, :, 0, 0]
    of_the_sky = torch.isclose(airlight, sky).all(dim=1)
    assert float(of_the_sky.float().mean()) == pytest.approx(0.3, abs=0.04)
    near = depth.clamp(max=2.0)
    airlight = draw_haze(near, torch.Generator().manual_seed(7), settings, clear).airlight[:, :, 0, 0]
    assert not torch.isclose(airlight, sky).all(dim=1).any()


def test_a_bank_of_mist_hangs_above_or_below():
    def steepness(bank):
        """Slope of the rows' mean optical depth down the picture."""
        settings = HazeSettings(patchy=1.0, bank=bank, clear=0.0, mean_optical_depth=(0.5, 0.6))
        od = draw_haze(torch.ones(400, 1, 32, 32), torch.Generator().manual_seed(4), settings).optical_depth
        rows = od.mean(dim=3)[:, 0]
        rows = rows - rows.mean(dim=1, keepdim=True)
        line = torch.linspace(-1, 1, 32)
        return rows @ line / (line @ line)

    assert float(steepness(1.0).abs().median()) > 2 * float(steepness(0.0).abs().median())
    assert 0.4 < float((steepness(1.0) > 0).float().mean()) < 0.6


def test_the_same_seed_draws_the_same_haze():
    one, other = (draw_haze(torch.ones(4, 1, 8, 8), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.optical_depth, other.optical_depth)
    assert torch.equal(one.airlight, other.airlight)


def test_smooth_noise_is_smooth_and_of_unit_size():
    field = smooth_field(200, 32, 32, torch.Generator().manual_seed(0))
    assert abs(float(field.mean())) < 0.1
    assert 0.5 < float(field.std()) < 1.5
    assert float((field[..., 1:] - field[..., :-1]).abs().mean()) < 0.25 * float(field.std())
