"""The learner: it learns, each term acts, the same seed gives the same run, and it goes on where it stopped."""

from dataclasses import replace

import pytest
import torch

from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.learner import GeneratorLearner, LearnerSettings
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.generative.losses import LossWeights
from clairvoy.generative.perceptual import SqueezeFeatures

SMALL = VAESettings(width=8, latent=4, bins=4)

TERMS = ("reconstruction", "transmission", "airlight", "simulation", "kl", "perceptual", "adversarial", "r1")


@pytest.fixture(scope="module")
def features():
    return SqueezeFeatures().requires_grad_(False)


def learner(features=None, updates=200, **weights):
    torch.manual_seed(0)
    return GeneratorLearner(
        DensityVAE(SMALL), Discriminator(SMALL.width), updates,
        weights=replace(LossWeights(), **weights), settings=LearnerSettings(judge_every=1, judged=2),
        perceptual=features, seed=3,
    )  # fmt: skip


def weights_of(trained):
    return [*trained.generator.state_dict().values(), *trained.discriminator.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights_of(one), weights_of(other), strict=True))


@pytest.mark.slow
def test_it_learns_the_haze_of_a_toy(pairs):
    trained = learner(perceptual=0.0, adversarial=0.0)
    first = trained.update(pairs)
    for _ in range(149):
        last = trained.update(pairs)
    assert last["transmission"] < 0.35 * first["transmission"]
    assert last["reconstruction"] < 0.6 * first["reconstruction"]


@pytest.mark.parametrize("term", TERMS)
def test_each_term_acts_and_can_be_switched_off(pairs, features, term):
    with_it, without = learner(features), learner(features, **{term: 0.0})
    told = with_it.update(pairs)
    without.update(pairs)
    assert term in told
    if term == "r1":
        generators = (with_it.generator.state_dict(), without.generator.state_dict())
        assert all(torch.equal(generators[0][name], generators[1][name]) for name in generators[0])
    assert not same(with_it, without)


def test_switched_off_terms_are_not_computed(pairs):
    told = learner(kl=0.0, simulation=0.0, perceptual=0.0, adversarial=0.0).update(pairs)
    assert not {"kl", "simulation", "perceptual", "adversarial", "discriminator"} & set(told)


def test_without_the_adversarial_term_the_discriminator_stays(pairs):
    trained = learner(adversarial=0.0)
    before = [value.clone() for value in trained.discriminator.state_dict().values()]
    trained.update(pairs)
    assert all(
        torch.equal(a, b) for a, b in zip(before, trained.discriminator.state_dict().values(), strict=True)
    )


def test_the_discriminator_learns_only_its_head(pairs):
    trained = learner(
        reconstruction=0.0, transmission=0.0, airlight=0.0, simulation=0.0, kl=0.0, adversarial=1e-12
    )
    before = trained.generator.trunk.stem.weight.clone()
    head = trained.discriminator.head[0].weight.clone()
    trained.optimizer.param_groups[0]["weight_decay"] = 0.0
    trained.settings = replace(trained.settings, learning_rate=0.0)
    trained.update(pairs)
    assert torch.equal(before, trained.generator.trunk.stem.weight)
    assert not torch.equal(head, trained.discriminator.head[0].weight)


def test_the_same_seed_is_the_same_run(pairs):
    one, other = learner(), learner()
    for _ in range(2):
        assert one.update(pairs) == other.update(pairs)
    assert same(one, other)


def test_it_goes_on_where_it_stopped(pairs):
    whole, first, second = learner(), learner(), learner()
    for _ in range(3):
        whole.update(pairs)
    first.update(pairs)
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        second.update(pairs)
    assert same(whole, second)


def test_the_average_follows_the_weights(pairs):
    trained = learner()
    start = trained.averaged.decoder.last.bias.clone()
    trained.update(pairs)
    now, average = trained.generator.decoder.last.bias, trained.averaged.decoder.last.bias
    # Before the first update the decay is (1 + 0) / (10 + 0).
    torch.testing.assert_close(average, start * 0.1 + now.detach() * 0.9)


def test_unknown_haze_teaches_by_the_picture_alone(pairs):
    unknown = replace(
        pairs, known=torch.zeros(8, dtype=torch.bool), optical_depth=torch.full_like(pairs.optical_depth, 9)
    )
    told = learner().update(unknown)
    assert told["transmission"] == 0.0
    assert told["airlight"] == 0.0
    assert told["reconstruction"] > 0.0


def test_the_learning_rate_warms_up_and_falls():
    trained = learner(updates=1000)
    rates = []
    for trained.update_count in (0, 99, 500, 1000):
        rates.append(trained.learning_rate())
    peak = trained.settings.learning_rate
    assert rates[0] == pytest.approx(peak / 100)
    assert rates[1] > 0.9 * peak
    assert rates[2] == pytest.approx(peak * (0.05 + 0.95 / 2))
    assert rates[3] == pytest.approx(peak * 0.05)
