"""The sampler keeps what the discriminator believes."""

import pytest
import torch

from clairvoy.generative.density.sampler import accept, best_restoration


def test_the_most_believed_draw_is_kept(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        posterior = generator.encode(picture)
    choice = best_restoration(
        generator, discriminator, picture, posterior, 6, torch.Generator().manual_seed(0)
    )
    assert choice.belief.shape == (6,)
    assert choice.kept == int(choice.belief.argmax())
    restored, _ = generator.restore(picture, choice.draw)
    belief = discriminator.belief(generator, restored.detach().clamp(0, 1)).mean()
    torch.testing.assert_close(belief, choice.belief.max())


def test_one_sample_is_the_mean(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        posterior = generator.encode(picture)
    choice = best_restoration(
        generator, discriminator, picture, posterior, 1, torch.Generator().manual_seed(0)
    )
    assert choice.kept == 0
    assert choice.draw == posterior.most_likely


def test_draws_differ_in_field_density_and_airlight(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        posterior = generator.encode(picture)
    for kept in range(1, 40):
        choice = best_restoration(
            generator, discriminator, picture, posterior, 4, torch.Generator().manual_seed(kept)
        )
        if choice.kept:
            break
    assert choice.kept
    for drawn, mean in zip(choice.draw, posterior.most_likely, strict=True):
        assert not torch.equal(drawn, mean)


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
