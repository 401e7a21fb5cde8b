"""The discriminator: a sigmoid on the generator's last features, and a question for each direction."""

import torch

from clairvoy.generative.density.discriminator import CLEAR, HAZY


def test_it_judges_patches_of_sixteen_pixels(generator, discriminator):
    logits = discriminator.judge(generator, torch.rand(2, 3, 64, 96), HAZY)
    assert logits.shape == (2, 1, 4, 6)


def test_belief_is_the_sigmoid_of_the_logit(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64)
    logits = discriminator.judge(generator, picture, CLEAR).detach()
    torch.testing.assert_close(discriminator.belief(generator, picture, CLEAR), 1 / (1 + torch.exp(-logits)))


def test_the_two_questions_have_answers_of_their_own(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64)
    assert not torch.equal(
        discriminator.belief(generator, picture, CLEAR), discriminator.belief(generator, picture, HAZY)
    )


def test_features_made_smaller_change_nothing_but_the_density_counts(discriminator):
    features = torch.rand(1, 10, 8, 8)
    smaller, denser = features.clone(), features.clone()
    smaller[:, :-2] *= 0.01
    denser[:, -2] *= 0.01
    torch.testing.assert_close(discriminator(features), discriminator(smaller))
    assert float((discriminator(features) - discriminator(denser)).detach().abs().max()) > 1e-3


def test_what_it_says_reaches_the_picture(generator, discriminator):
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    discriminator.judge(generator, picture).sum().backward()
    assert float(picture.grad.abs().sum()) > 0
