"""The learner: it learns, each term acts, the same seed gives the same run, and it goes on where it stopped."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.learner import GeneratorLearner, LearnerSettings
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.generative.losses import LossWeights
from clairvoy.generative.perceptual import SqueezeFeatures

SMALL = VAESettings(width=8, latent=4, bins=4)

TERMS = (
    "reconstruction", "fidelity", "transmission", "outline", "depth", "density", "airlight", "simulation", "kl",
    "perceptual", "adversarial", "r1",
)  # fmt: skip


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
    for _ in range(249):
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
    told = learner(kl=0.0, simulation=0.0, depth=0.0, perceptual=0.0, adversarial=0.0).update(pairs)
    assert not {"kl", "simulation", "depth", "perceptual", "adversarial", "discriminator"} & set(told)


@pytest.mark.parametrize(
    ("term", "head"),
    [
        ("density", "density_head"),
        ("depth", "decoder.log_depth"),
        ("airlight", "airlight_head"),
        ("kl", "prior_head"),
    ],
)
def test_what_only_one_term_teaches_stands_still_without_it(pairs, term, head):
    """The objective has no other term than the one in question, and the part that it teaches moves."""
    off = dict.fromkeys((*TERMS, "adversarial", "perceptual"), 0.0)
    teaching, idle = learner(**off | {term: 1.0}), learner(**off | {"fidelity": 0.0, "outline": 1.0})
    before = [p.clone() for p in teaching.generator.get_submodule(head).parameters()]
    for one in (teaching, idle):
        one.optimizer.param_groups[0]["weight_decay"] = 0.0
        one.update(pairs)
    after = teaching.generator.get_submodule(head).parameters()
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    if term in ("depth", "kl"):
        others = idle.generator.get_submodule(head).parameters()
        assert all(torch.equal(a, b) for a, b in zip(before, others, strict=True))


def test_the_deviations_learn_and_the_picture_does_not_hear_of_it(pairs):
    """The likelihood of the density's error reaches the deviation; the restoration uses the means."""
    off = dict.fromkeys((*TERMS, "adversarial", "perceptual"), 0.0)
    trained = learner(**off | {"reconstruction": 1.0})
    _, total, _ = trained._objective(pairs)
    (gradient,) = torch.autograd.grad(total, trained.generator.density_head[2].weight)
    assert float(gradient[0].abs().max()) > 0  # the density
    assert float(gradient[1].abs().max()) == 0  # its deviation


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
    before = [value.clone() for value in trained.generator.state_dict().values()]
    head = trained.discriminator.head[0].weight.clone()
    trained.settings = replace(trained.settings, learning_rate=0.0)
    trained.update(pairs)
    assert all(
        torch.equal(a, b) for a, b in zip(before, trained.generator.state_dict().values(), strict=True)
    )
    assert not torch.equal(head, trained.discriminator.head[0].weight)


def test_the_stem_and_first_blocks_never_change_and_the_others_do(pairs):
    trained = learner()
    backbone = trained.generator.trunk.backbone
    frozen = {id(parameter) for parameter in backbone.frozen_parameters()}
    before = {name: value.clone() for name, value in backbone.named_parameters()}
    for _ in range(2):
        trained.update(pairs)
    for name, parameter in backbone.named_parameters():
        assert torch.equal(before[name], parameter) == (id(parameter) in frozen), name
        assert parameter.requires_grad != (id(parameter) in frozen), name


def test_the_backbone_learns_at_a_part_of_the_rate(pairs):
    """Adam's first step is as large as the rate, whatever the gradient; weight decay is switched off to see it."""
    trained = learner()
    own = {id(p) for p in trained.generator.trunk.backbone.parameters()}
    before = {id(p): p.clone() for p in trained.generator.parameters()}
    for group in trained.optimizer.param_groups:
        group["weight_decay"] = 0.0
    rate = trained.learning_rate()
    trained.update(pairs)
    steps = {True: 0.0, False: 0.0}
    for parameter in trained.generator.parameters():
        step = float((parameter - before[id(parameter)]).detach().abs().max())
        steps[id(parameter) in own] = max(steps[id(parameter) in own], step)
    assert steps[False] == pytest.approx(rate, rel=0.02)
    assert steps[True] == pytest.approx(0.3 * rate, rel=0.02)


def test_every_weight_that_may_change_has_one_optimizer(pairs):
    trained = learner()
    held = [id(p) for group in trained.optimizer.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in trained.generator.parameters() if p.requires_grad}


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
    averages = (one.averaged.state_dict() for one in (whole, second))
    assert all(torch.equal(a, b) for a, b in zip(*(average.values() for average in averages), strict=True))


def test_the_average_follows_the_weights(pairs):
    trained = learner()
    start = trained.averaged.decoder.last.bias.detach().clone()
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
    assert told["airlight"] == told["outline"] == told["density"] == told["depth"] == 0.0
    assert told["reconstruction"] > 0.0


def test_a_misjudged_picture_has_too_much_or_too_little_of_its_haze(pairs):
    """Undone pixel by pixel, it is the clear picture behind one part of the true haze, from -1 to 1 and not near 0."""
    trained, parts = learner(), []
    dull = replace(pairs, clear=0.75 + 0.1 * pairs.clear)  # nothing is clipped
    for _ in range(30):
        wrong = trained._misjudged(dull, 8)
        change = ((wrong - 0.9) / (dull.clear - 0.9)).flatten(1)
        part = -torch.log(change) / pairs.optical_depth.flatten(1)[:, :1]
        torch.testing.assert_close(part, part[:, :1].expand_as(part), atol=5e-3, rtol=5e-3)
        parts.append(part[:, 0])
    told = torch.cat(parts)
    assert float(told.abs().min()) >= 0.1 - 1e-3
    assert float(told.abs().max()) <= 1 + 1e-3
    assert 0.35 < float((told > 0).float().mean()) < 0.65
    assert float(told.abs().mean()) == pytest.approx(0.55, abs=0.06)


def test_a_clear_picture_is_misjudged_as_well(pairs):
    """Where no haze is known, a little is put on or taken away, or the discriminator would learn nothing of it."""
    unknown = replace(pairs, known=torch.zeros(8, dtype=torch.bool))
    clear = replace(pairs, optical_depth=torch.zeros_like(pairs.optical_depth))
    for batch in (unknown, clear):
        assert bool(((learner()._misjudged(batch, 8) - batch.clear).abs().mean(dim=(1, 2, 3)) > 1e-3).all())


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_what_the_discriminator_refuses_as_clear_is_shared_by_their_part(part):
    """The cross-entropy in closed form: restored pictures and misjudged ones weigh together what simulated ones do."""
    trained, rng = learner(misjudged=part, r1=0.0), torch.Generator().manual_seed(0)
    real, fake, wrong = (torch.rand(n, 10, 8, 8, generator=rng) for n in (4, 4, 2))
    with torch.no_grad():
        yes, no, misjudged = (-F.logsigmoid(sign * trained.discriminator(x))
                              for x, sign in ((real, 1), (fake, -1), (wrong, -1)))  # fmt: skip
    accepted = (yes[:2, 0].mean() + yes[2:, 1].mean()) / 2
    refused = ((1 - part) * no[:2, 0].mean() + part * misjudged[:, 0].mean() + no[2:, 1].mean()) / 2
    told = trained._update_discriminator(real, fake, wrong)
    torch.testing.assert_close(told["discriminator"], accepted + refused)


@pytest.mark.parametrize("part", [0.0, 0.3])
def test_a_step_of_the_discriminator_is_the_one_that_the_recipe_was_tuned_with(part):
    """Written out from the definition: two questions, three kinds of fakes, the mean of a picture's logits penalised."""
    trained, rng = learner(misjudged=part, r1=2.0), torch.Generator().manual_seed(0)
    reference = copy.deepcopy(trained.discriminator)
    optimizer = torch.optim.AdamW(
        reference.parameters(), lr=trained.settings.discriminator_learning_rate, betas=(0.5, 0.99)
    )
    for _ in range(3):
        real, fake, wrong = (torch.rand(n, 10, 8, 8, generator=rng) for n in (4, 4, 2))
        told = trained._update_discriminator(real, fake, wrong)
        real = real.clone().requires_grad_()
        yes, no = (torch.cat([reference(x)[:2, 0], reference(x)[2:, 1]]) for x in (real, fake))
        misjudged = reference(wrong)[:, 0]
        refused = ((1 - part) * F.softplus(no[:2]).mean() + F.softplus(no[2:]).mean()) / 2
        loss = F.softplus(-yes).mean() + refused + part * F.softplus(misjudged).mean() / 2
        (slope,) = torch.autograd.grad(yes.mean(dim=(1, 2)).sum(), real, create_graph=True)
        penalty = slope.square().sum(dim=(1, 2, 3)).mean() / 2
        optimizer.zero_grad()
        (loss + 2.0 * penalty).backward()
        optimizer.step()
        torch.testing.assert_close(told["discriminator"], loss.detach(), atol=1e-5, rtol=0)
        torch.testing.assert_close(told["r1"], penalty.detach(), atol=1e-5, rtol=0)
        assert float(told["misjudged_caught"]) == pytest.approx(float((misjudged < 0).float().mean()))
    for now, then in zip(trained.discriminator.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(now, then, atol=1e-5, rtol=0)


def colours(picture):
    """Last features of a toy generator: colours of blocks of eight pixels, brightness and contrast of the whole."""
    blocks = F.avg_pool2d(picture, 8)
    even = torch.ones_like(blocks[:, :1])
    brightness, contrast = picture.mean(dim=(1, 2, 3)), picture.flatten(1).std(dim=1)
    whole = [4 * even * one.view(-1, 1, 1, 1) for one in (brightness, contrast)]
    return torch.cat([blocks, blocks.square(), even, even, *whole], dim=1)


@pytest.mark.parametrize("part", [0.5, 0.0])
def test_the_discriminator_learns_to_refuse_misjudged_pictures(pairs, part):
    """Too much and too little haze is told from the true amount, and only if it is learnt."""
    trained = learner(r1=0.0, misjudged=part)
    trained.discriminator_optimizer.param_groups[0]["lr"] = 3e-3
    real = colours(torch.cat([pairs.clear, pairs.hazy]))
    caught = []
    for _ in range(250):
        told = trained._update_discriminator(
            real.clone(), real.clone(), colours(trained._misjudged(pairs, 8))
        )
        caught.append(float(told["misjudged_caught"]))
    late = sum(caught[-20:]) / 20
    if part:
        believed = (trained.discriminator(real[:8])[:, CLEAR] > 0).float().mean()
        assert late > 0.85
        assert float(believed) > 0.9
    else:
        assert late < 0.7


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
