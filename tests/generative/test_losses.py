"""Each term of the objective against its closed form."""

import math

import pytest
import torch

from clairvoy.generative import losses
from clairvoy.generative.density.vae import Field


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
    known, deviation = torch.tensor([True]), torch.full((1, 1, 1, 1), 0.1)
    half = torch.full((1, 1, 4, 4), math.log(2))
    likelihood = 0.5 * (0.2 / 0.1) ** 2 + math.log(0.1)
    found = float(losses.airlight_loss(airlight, deviation, target, half, known))
    assert found == pytest.approx(0.5 * (0.2 + 0.02 * likelihood))
    assert float(losses.airlight_loss(airlight, deviation, target, torch.zeros_like(half), known)) == 0.0
    assert float(losses.airlight_loss(airlight, deviation, target, half, ~known)) == 0.0


def test_the_airlights_deviation_is_told_of_its_brightness_alone():
    """A wrong colour of the right brightness is an error, but no reason to be unsure of the brightness."""
    target = torch.full((1, 3, 1, 1), 0.8)
    airlight = target + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)
    deviation = torch.full((1, 1, 1, 1), 0.1)
    dense = torch.full((1, 1, 4, 4), 50.0)
    found = float(losses.airlight_loss(airlight, deviation, target, dense, torch.tensor([True])))
    assert found == pytest.approx(0.2 / 3 + 0.02 * math.log(0.1))


@pytest.mark.parametrize("scale", [0.1, 0.01])
def test_fidelity_is_the_log_of_each_pictures_error(scale):
    """A tenth of the error is as much of a gain in a picture that is nearly right as in one that is far from it."""
    clear = torch.full((2, 3, 4, 4), 0.5, dtype=torch.float64)
    off = torch.tensor([0.2, scale], dtype=torch.float64).view(2, 1, 1, 1)
    found = float(losses.fidelity_loss(clear + off, clear))
    assert found == pytest.approx(0.5 * (math.log(0.04 + 3e-5) + math.log(scale**2 + 3e-5)))
    # What a display cuts off counts no more.
    far = losses.fidelity_loss(clear + 40, clear), losses.fidelity_loss(clear + 0.6, clear)
    torch.testing.assert_close(*far)


def test_fidelity_pulls_towards_the_truth():
    clear = torch.full((2, 3, 4, 4), 0.5)
    restored = (clear + torch.tensor([0.1, -0.1]).view(2, 1, 1, 1)).requires_grad_()
    losses.fidelity_loss(restored, clear).backward()
    assert bool((restored.grad[0] > 0).all())
    assert bool((restored.grad[1] < 0).all())


def transmission_of(values):
    """The optical depth of these transmissions."""
    return -torch.log(torch.as_tensor(values, dtype=torch.float64))


def test_outline_is_the_error_of_the_slopes_at_each_scale():
    """A ramp of t against an even one: its slope is twice as steep at half the size, and counts at every scale."""
    ramp = 0.3 + 0.02 * torch.arange(8, dtype=torch.float64)
    od = transmission_of(ramp.view(1, 1, 1, 8).expand(1, 1, 8, 8))
    even = transmission_of(torch.full((1, 1, 8, 8), 0.4))
    known = torch.tensor([True])
    assert float(losses.outline_loss(od, even, known, scales=1)) == pytest.approx(0.02)
    assert float(losses.outline_loss(od, even, known, scales=2)) == pytest.approx(0.02 + 0.04)
    assert float(losses.outline_loss(od, even, known)) == pytest.approx(0.02 + 0.04 + 0.08)
    upright = od.transpose(2, 3)
    assert float(losses.outline_loss(upright, even, known)) == pytest.approx(0.14)


def test_outline_heeds_no_even_error_and_only_what_is_known():
    target = transmission_of(torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2)
    shifted = transmission_of(torch.exp(-target) + 0.1)
    known = torch.tensor([True, True])
    assert float(losses.outline_loss(shifted, target, known)) == pytest.approx(0.0, abs=1e-12)
    wrong = torch.stack([target[0], target[1].flip(-1)])
    one, both = (losses.outline_loss(wrong, target, k) for k in (torch.tensor([True, False]), known))
    assert float(one) == pytest.approx(0.0, abs=1e-12)
    assert float(both) > 0.1


def test_depth_is_told_up_to_a_factor():
    depth = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 1, 2, 2)
    known = torch.tensor([True])
    for factor in (1.0, 7.0):
        assert float(losses.depth_loss(torch.log(factor * depth), depth, known)) == pytest.approx(0, abs=1e-6)
    # Nothing told: the mean distance of log 1, 2, 4, 8 from their mean.
    even = losses.depth_loss(torch.zeros(1, 1, 2, 2), depth, known)
    assert float(even) == pytest.approx(math.log(2) * (1.5 + 0.5 + 0.5 + 1.5) / 4)
    assert float(losses.depth_loss(torch.zeros(1, 1, 2, 2), depth, ~known)) == 0.0


def test_depth_pulls_what_is_far_to_be_told_as_far():
    told = torch.zeros(1, 1, 1, 2, requires_grad=True)
    losses.depth_loss(told, torch.tensor([1.0, 5.0]).view(1, 1, 1, 2), torch.tensor([True])).backward()
    near, far = told.grad.flatten().tolist()
    assert far < 0 < near


def gap(mean, deviation, target):
    """`gap_loss` of single numbers, in float64, and its gradients by mean and deviation."""
    told = [torch.tensor([[[[x]]]], dtype=torch.float64, requires_grad=True) for x in (mean, deviation)]
    loss = losses.gap_loss(*told, torch.tensor([[[[target]]]], dtype=torch.float64), torch.tensor([True]))
    loss.backward()
    return float(loss.detach()), *(float(one.grad) for one in told)


def test_a_gap_is_the_distance_and_the_deviations_likelihood():
    loss, _, _ = gap(1.5, 0.2, 1.0)
    assert loss == pytest.approx(0.5 + 0.5 * (0.5 / 0.2) ** 2 + math.log(0.2))


@pytest.mark.parametrize("error", [0.05, 0.4, 2.0])
def test_the_best_deviation_is_the_error_itself(error):
    assert gap(1 + error, error, 1.0)[2] == pytest.approx(0, abs=1e-9)
    assert gap(1 + error, 0.9 * error, 1.0)[2] < 0  # too sure: larger is better
    assert gap(1 + error, 1.1 * error, 1.0)[2] > 0


@pytest.mark.parametrize("deviation", [0.01, 0.3, 10.0])
def test_a_bold_deviation_does_not_excuse_the_mean(deviation):
    assert gap(1.5, deviation, 1.0)[1] == 1.0
    assert gap(0.5, deviation, 1.0)[1] == -1.0


def test_a_gap_counts_only_what_is_known():
    mean, one = torch.tensor([0.5, 9.0]).view(2, 1, 1, 1), torch.ones(2, 1, 1, 1)
    known = torch.tensor([True, False])
    assert float(losses.gap_loss(mean, one, torch.zeros(2, 1, 1, 1), known)) == pytest.approx(0.5 + 0.125)


def test_kl_divergence_is_that_of_torch():
    rng = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(3, 2, 4, 5, generator=rng, dtype=torch.float64)

    q, p = Field(draw(), draw()), Field(draw(), draw())
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
