"""Each term of the objective against its closed form."""

import math

import pytest
import torch

from clairvoy.generative import losses
from clairvoy.generative.density.vae import Posterior


def test_reconstruction_is_the_mean_absolute_error_up_to_one():
    clear = torch.zeros(1, 3, 2, 2)
    assert float(losses.reconstruction_loss(clear + 0.25, clear)) == pytest.approx(0.25)
    assert float(losses.reconstruction_loss(clear + math.e, clear)) == pytest.approx(2.0)


def test_transmission_counts_only_what_is_known():
    od = torch.full((2, 1, 4, 4), math.log(2))
    target = torch.zeros(2, 1, 4, 4)
    target[1] = 50.0
    known = torch.tensor([True, False])
    assert float(losses.transmission_loss(od, target, known)) == pytest.approx(0.5)
    assert float(losses.transmission_loss(od, target, torch.zeros(2, dtype=torch.bool))) == 0.0


def test_airlight_counts_as_much_as_it_shows():
    airlight, target = torch.full((1, 3, 1, 1), 0.7), torch.full((1, 3, 1, 1), 0.9)
    known = torch.tensor([True])
    half = torch.full((1, 1, 4, 4), math.log(2))
    assert float(losses.airlight_loss(airlight, target, half, known)) == pytest.approx(0.1)
    assert float(losses.airlight_loss(airlight, target, torch.zeros_like(half), known)) == 0.0


def test_kl_divergence_is_that_of_torch():
    rng = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(3, 2, 4, 5, generator=rng, dtype=torch.float64)

    q, p = Posterior(draw(), draw(), draw()), Posterior(draw(), draw(), draw())
    normal = [torch.distributions.Normal(one.mean, torch.exp(one.log_variance / 2)) for one in (q, p)]
    expected = torch.distributions.kl_divergence(*normal).sum(dim=(1, 2, 3))
    torch.testing.assert_close(losses.kl_divergence(q, p), expected)
    torch.testing.assert_close(losses.kl_divergence(q, q), torch.zeros(3, dtype=torch.float64))


def test_adversarial_terms_are_the_cross_entropy_of_a_sigmoid():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(50, generator=rng), torch.randn(50, generator=rng)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    expected = cross_entropy(real, torch.ones(50)) + cross_entropy(fake, torch.zeros(50))
    torch.testing.assert_close(losses.discriminator_loss(real, fake), expected)
    torch.testing.assert_close(losses.adversarial_loss(fake), cross_entropy(fake, torch.ones(50)))


def test_r1_of_a_linear_discriminator_is_half_its_squared_weight():
    weight = torch.tensor([1.0, -2.0, 3.0]).view(1, 3, 1, 1)
    real = torch.rand(4, 3, 1, 1, requires_grad=True)
    logits = (real * weight).sum(dim=(1, 2, 3))
    assert float(losses.r1_penalty(logits, real)) == pytest.approx(0.5 * (1 + 4 + 9))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_gradient_correction_makes_both_terms_pull_alike(scale):
    layer = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    inside = torch.randn(7, generator=torch.Generator().manual_seed(1))
    main, adversarial = (layer @ inside).square().mean(), scale * (layer @ inside).abs().mean()
    ratio = losses.gradient_correction(main, adversarial, layer, limit=1e9)
    assert not ratio.requires_grad
    (pull,) = torch.autograd.grad(main, layer, retain_graph=True)
    (corrected,) = torch.autograd.grad(ratio * adversarial, layer)
    assert float(corrected.norm()) == pytest.approx(float(pull.norm()), rel=1e-4)


def test_gradient_correction_is_limited():
    layer = torch.ones(2, requires_grad=True)
    assert float(losses.gradient_correction(layer.sum(), 1e-9 * layer.sum(), layer, limit=7.0)) == 7.0
