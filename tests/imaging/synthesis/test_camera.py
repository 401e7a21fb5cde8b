"""The camera after the haze: what it changes, what it must not, and that the same seed is the same photograph."""

import pytest
import torch

from clairvoy.imaging.synthesis import camera
from clairvoy.imaging.synthesis.camera import Grade, add_noise, store


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def photographs():
    return torch.rand(400, 3, 16, 16, generator=seeded(9))


def test_a_grade_acts_on_its_share_and_leaves_the_others_bit_for_bit(photographs):
    graded = Grade(len(photographs), seeded())(photographs)
    same = (graded == photographs).flatten(1).all(dim=1).float().mean()
    assert abs(float(same) - (1 - camera.GRADED)) < 0.08
    assert float(graded.min()) >= 0
    assert float(graded.max()) <= 1


def test_a_grade_is_a_curve_for_each_pixel_so_the_airlight_may_go_through_it(photographs):
    grade = Grade(len(photographs), seeded())
    one = photographs[:, :, 3:4, 5:6]
    assert torch.allclose(grade(one), grade(photographs)[:, :, 3:4, 5:6])


def test_a_grade_keeps_the_order_of_greys():
    ramp = torch.linspace(0, 1, 64).expand(200, 3, 1, 64)
    graded = Grade(200, seeded())(ramp)
    assert bool((graded.diff(dim=-1) >= 0).all())


def test_noise_has_no_mean_and_at_most_its_level():
    grey = torch.full((64, 3, 64, 64), 0.5)
    noise = add_noise(grey, seeded()) - grey
    assert abs(float(noise.mean())) < 1e-4
    levels = noise.flatten(1).std(dim=1)
    assert float(levels.max()) < camera.MAX_NOISE * 1.03
    assert float(levels.mean()) == pytest.approx(camera.MAX_NOISE / 2, rel=0.25)


def test_stored_pictures_have_256_levels_and_a_share_went_through_jpeg(photographs):
    stored = store(photographs, seeded())
    assert torch.equal((stored * 255).round() / 255, stored)
    # White noise is what JPEG cannot hold: what was not coded is within half a level.
    coded = ((stored - photographs).abs().amax(dim=(1, 2, 3)) > 0.503 / 255).float().mean()
    assert abs(float(coded) - camera.COMPRESSED) < 0.08


def test_jpeg_keeps_the_order_of_channels():
    red = torch.tensor([0.8, 0.3, 0.1]).view(1, 3, 1, 1).expand(40, 3, 16, 16)
    assert float((store(red, seeded()) - red).abs().max()) < 0.03


def test_same_seed_same_photograph(photographs):
    def shoot(seed):
        rng = seeded(seed)
        grade = Grade(len(photographs), rng)
        return store(grade(add_noise(photographs, rng).clamp(0, 1)), rng)

    assert torch.equal(shoot(3), shoot(3))
    assert not torch.equal(shoot(3), shoot(4))
