"""What all generators and discriminators share: the gate, the discriminator's step, the average, frozen modules."""

import pytest
import torch
from torch import nn

from clairvoy.generative.adversary import accept, discriminator_step, frozen, moving_average


@pytest.mark.parametrize("logit", [-3.0, -1.0, 0.0])
def test_acceptance_has_the_probability_of_the_density_ratio(logit):
    kept = accept(torch.full((20000,), logit), torch.Generator().manual_seed(0), shift=0.0)
    # D / (1 - D) = exp(logit), divided by r_max = exp(0).
    assert float(kept.float().mean()) == pytest.approx(torch.tensor(logit).exp().item(), abs=0.01)


def test_rejection_sampling_turns_the_fakes_into_the_real_distribution():
    """Fakes uniform on four values, reals 0.1, 0.2, 0.3, 0.4: what is kept is distributed as the reals are."""
    real = torch.tensor([0.1, 0.2, 0.3, 0.4])
    value = torch.randint(4, (60000,), generator=torch.Generator().manual_seed(0))
    ratio = (real / 0.25)[value]
    kept = accept(torch.log(ratio), torch.Generator().manual_seed(1), shift=float(torch.log(ratio.max())))
    share = torch.bincount(value[kept], minlength=4) / kept.sum()
    torch.testing.assert_close(share, real, atol=0.015, rtol=0)


def test_an_outlier_does_not_empty_the_rest():
    logits = torch.zeros(100)
    logits[0] = 30.0
    assert float(accept(logits, torch.Generator().manual_seed(0)).float().mean()) == 1.0


def test_a_batch_of_fakes_that_are_seen_through_is_not_admitted_by_its_best():
    logits = torch.full((20000,), -2.0)
    kept = accept(logits, torch.Generator().manual_seed(0))
    # exp(-2): the largest ratio of two densities is at least 1, though the best of this batch has less.
    assert float(kept.float().mean()) == pytest.approx(0.135, abs=0.01)


@pytest.mark.parametrize("r1", [0.0, 0.5])
def test_one_step_of_a_linear_discriminator_is_the_closed_form(r1):
    """With D = sigmoid(w x): d/dw [softplus(-wx) + softplus(wy) + r1 w^2 / 2] = -x sigma(-wx) + y sigma(wy) + r1 w."""
    real, fake = torch.tensor([[2.0], [1.0]]), torch.tensor([[-1.0], [0.5]])
    head = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        head.weight.fill_(0.3)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    terms, of_fake = discriminator_step(optimizer, lambda x: head(x)[:, 0], real, fake, r1)
    w, x, y = (value.double() for value in (torch.tensor(0.3), real[:, 0], fake[:, 0]))
    gradient = (-x * torch.sigmoid(-w * x) + y * torch.sigmoid(w * y)).mean() + r1 * w
    assert head.weight.item() == pytest.approx(float(w - 0.1 * gradient), abs=1e-6)
    loss = (torch.nn.functional.softplus(-w * x) + torch.nn.functional.softplus(w * y)).mean()
    assert float(terms["discriminator"]) == pytest.approx(float(loss), abs=1e-6)
    assert float(terms["discriminator_accuracy"]) == pytest.approx(3 / 4)
    torch.testing.assert_close(of_fake, 0.3 * fake[:, 0])
    assert ("r1" in terms) == bool(r1)
    if r1:
        assert float(terms["r1"]) == pytest.approx(0.3**2 / 2)


def test_a_sample_judged_by_patches_is_penalised_by_the_mean_of_them():
    """D = w x at each of P patches: the mean has the gradient w / P at each, so the penalty is w^2 / (2 P)."""
    real = torch.rand(3, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    head = nn.Conv2d(1, 1, 1, bias=False)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.0)
    terms, _ = discriminator_step(optimizer, head, real, real, 1.0)
    assert float(terms["r1"]) == pytest.approx(head.weight.item() ** 2 / (2 * 20))


def test_generated_samples_count_as_much_as_their_weights():
    """One that counts 2 is as two that count 1, and one that counts 0 is not there: by patches, loss and accuracy."""
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, 3, 4, generator=rng), torch.rand(3, 3, 4, generator=rng) - 0.5
    heads = [nn.Sequential(nn.Linear(4, 1), nn.Flatten()) for _ in range(2)]
    heads[1].load_state_dict(heads[0].state_dict())
    weighted, counted = (torch.optim.SGD(head.parameters(), lr=0.1) for head in heads)
    said = (
        discriminator_step(weighted, heads[0], real, fake, 0.5, torch.tensor([2.0, 1.0, 0.0])),
        discriminator_step(counted, heads[1], real, fake[[0, 0, 1]], 0.5),
    )
    for name, value in said[0].terms.items():
        torch.testing.assert_close(value, said[1].terms[name])
    torch.testing.assert_close(heads[0][0].weight, heads[1][0].weight)


def test_a_step_of_the_discriminator_reaches_nothing_behind_its_samples():
    behind = torch.ones(4, 1, requires_grad=True)
    head = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    discriminator_step(optimizer, lambda x: head(x)[:, 0], 2 * behind, 3 * behind, 1.0)
    assert behind.grad is None


def test_frozen_passes_gradients_through_and_leaves_what_was_frozen_before():
    layer = nn.Linear(2, 1)
    layer.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(layer):
        layer(x).sum().backward()
    assert torch.equal(x.grad, layer.weight)
    assert layer.weight.grad is None
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad


def test_the_moving_average_follows_closely_at_first_and_copies_buffers():
    model = nn.BatchNorm1d(1, affine=True)
    average = moving_average(model, 0.5)
    want, counted = model.weight.detach().double().clone(), torch.Generator().manual_seed(0)
    for n in range(1, 30):
        with torch.no_grad():
            model.weight.copy_(torch.rand(1, generator=counted))
            model.running_mean.fill_(n)
        average.update_parameters(model)
        decay = min(0.5, n / (9 + n))
        want = decay * want + (1 - decay) * model.weight.detach().double()
        torch.testing.assert_close(average.module.weight.double(), want, atol=1e-6, rtol=0)
        assert float(average.module.running_mean) == n
    assert not average.module.weight.requires_grad
