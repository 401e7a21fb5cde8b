"""The generator: its two directions invert one another, and its pieces give what they say."""

import pytest
import torch

from clairvoy.generative.density.vae import Posterior, working_size


def test_the_density_field_is_a_hundredth_of_the_picture():
    from clairvoy.generative.density.vae import DensityVAE

    posterior = DensityVAE().encode(torch.rand(1, 3, 256, 256))
    assert posterior.mean.shape == (1, 8, 16, 16)
    assert posterior.mean.numel() / (3 * 256 * 256) < 0.011
    assert posterior.airlight.shape == (1, 3, 1, 1)


def test_restore_is_the_inverse_of_the_physics(generator):
    generator.double()
    hazy = torch.rand(2, 3, 64, 48, dtype=torch.float64)
    posterior = generator.encode(hazy)
    airlight = posterior.airlight.double()
    clear, od = generator.restore(hazy, posterior.mean.double(), airlight)
    t = torch.exp(-od)
    torch.testing.assert_close(clear * t + airlight * (1 - t), hazy)
    assert float(od.detach().min()) >= 0
    assert float(od.detach().max()) <= generator.settings.max_optical_depth


def test_simulate_puts_on_the_haze_that_it_reports(generator):
    clear = torch.rand(2, 3, 64, 64)
    airlight = torch.full((2, 3, 1, 1), 0.8)
    made = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(0))
    t = torch.exp(-made.optical_depth)
    torch.testing.assert_close(made.hazy, clear * t + 0.8 * (1 - t))
    again = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(0))
    assert torch.equal(made.hazy, again.hazy)
    other = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(1))
    assert not torch.equal(made.hazy, other.hazy)


def test_draws_have_the_mean_and_deviation_of_the_posterior():
    mean, log_variance = torch.full((1, 2, 200, 200), 3.0), torch.full((1, 2, 200, 200), -1.0)
    z = Posterior(mean, log_variance, torch.zeros(1, 3, 1, 1)).sample(torch.Generator().manual_seed(0))
    assert float(z.mean()) == pytest.approx(3.0, abs=0.01)
    assert float(z.std()) == pytest.approx(torch.exp(torch.tensor(-0.5)).item(), abs=0.01)


def test_airlight_lies_between_black_and_white(generator):
    pictures = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64), torch.rand(3, 64, 64)])
    airlight = generator.encode(pictures).airlight
    assert bool(((airlight > 0) & (airlight < 1)).all())


def test_the_guide_is_the_brightness_before_training(generator):
    dark, bright = generator.guide(torch.zeros(1, 3, 2, 2)), generator.guide(torch.ones(1, 3, 2, 2))
    assert float((bright.mean() - dark.mean()).detach()) > 0.5


@pytest.mark.parametrize(("size", "expected"), [((256, 256), (256, 256)), ((1000, 2000), (176, 368))])
def test_working_size(size, expected):
    assert working_size(*size) == expected


def test_working_size_of_extremes_is_usable():
    for height, width in ((16, 16), (1, 1), (1, 40000), (40000, 1)):
        found = working_size(height, width)
        assert all(side % 16 == 0 and 64 <= side <= 1024 for side in found)
