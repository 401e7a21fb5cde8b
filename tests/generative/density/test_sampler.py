"""The sampler keeps what the discriminator believes."""

import torch

from clairvoy.generative.density.sampler import best_restoration


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
