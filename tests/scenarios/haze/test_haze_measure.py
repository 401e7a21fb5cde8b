"""What is measured on held-out scenes, against cases where the answer is known."""

import pytest
import torch
from torch import nn

from clairvoy.cotraining.loop import Feedback
from clairvoy.generative.density.vae import VAESettings
from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.measure import find, measure, measure_sampler, picture_db
from clairvoy.scenarios.haze.search import HazeSearchSettings
from clairvoy.searching.glimpse import NUM_ACTIONS, STAY


class Stays(nn.Module):
    """An agent that always stays where it is."""

    def forward(self, observation):
        q = torch.zeros(len(observation["position"]), NUM_ACTIONS)
        q[:, STAY] = 1.0
        return q


@pytest.fixture
def scenes():
    """Two scenes full of haze, one without."""
    generator = torch.Generator().manual_seed(0)
    clear = torch.rand(3, 3, 64, 64, generator=generator)
    depth = torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1, 1).expand(3, 1, 64, 64).contiguous()
    airlight = torch.full((3, 3, 1, 1), 0.8)
    t = torch.exp(-depth)
    return SyntheticPairs(clear * t + airlight * (1 - t), clear, depth, airlight, torch.ones(3, 1, 8, 8))


@pytest.fixture
def parts():
    torch.manual_seed(0)
    return Parts.new(VAESettings(width=12))


def test_psnr_of_a_known_error():
    clear = torch.full((2, 3, 8, 8), 0.5)
    assert picture_db(clear + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1), clear).tolist() == pytest.approx(
        [20.0, 40.0], abs=1e-3
    )


def test_each_scene_is_searched_once_and_its_return_is_that_of_its_first_episode(scenes):
    settings = HazeSearchSettings(step=0.01, false_alarm=1.0)
    found = find(Stays(), scenes, torch.zeros(3, 4, 8, 8), settings)
    # Twice stay: one window found (or a false alarm in the clear scene), then done.
    assert found.mean_return == pytest.approx((1 + 1 - 1) / 3 - 0.02)
    assert found.steps == 2
    assert found.recognised.sum(dim=(1, 2)).tolist() == [1, 1, 1]
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 128)
    assert found.f1 == pytest.approx(2 * (2 / 3) * (2 / 128) / (2 / 3 + 2 / 128))


def test_what_is_not_recognised_is_not_restored_and_clear_scenes_do_not_count(scenes, parts):
    class Leaves(Stays):
        def forward(self, observation):
            return -super().forward(observation)

    settings = HazeSearchSettings(budget=0.25)
    parts.agent = Leaves()
    found = measure(parts, scenes, Feedback(), settings)
    untouched = picture_db(scenes.hazy, scenes.clear)[:2].mean()
    assert found["recall"] == 0
    assert found["searched_db"] == pytest.approx(float(untouched), abs=1e-4)
    assert found["restored_db_dense"] == pytest.approx(found["restored_db"])  # 1 - exp(-1) = 0.63
    assert measure(parts, scenes, Feedback(), settings) == found


def test_the_mean_is_the_restoration_of_the_most_likely_draw(scenes, parts):
    found = measure_sampler(parts.perceiver, scenes, draws=1)
    with torch.no_grad():
        posterior = parts.generator.encode(scenes.hazy)
        restored = parts.generator.restore(scenes.hazy, posterior.most_likely)[0].clamp(0, 1)
    assert found["mean"] == pytest.approx(float(picture_db(restored, scenes.clear).mean()), abs=1e-4)


def test_no_way_to_choose_passes_the_best_draw(scenes, parts):
    found = measure_sampler(parts.perceiver, scenes, draws=4)
    assert set(found) == {"mean", "single", "rejection", "most_believed", "highest_tau", "best"}
    assert all(
        found["best"] >= found[name] for name in ("single", "rejection", "most_believed", "highest_tau")
    )
    one = measure_sampler(parts.perceiver, scenes, draws=1)
    assert one["single"] == one["rejection"] == one["most_believed"] == one["highest_tau"] == one["best"]
