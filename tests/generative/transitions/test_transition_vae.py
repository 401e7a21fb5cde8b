"""One step of a world: its bound recomputed from the parts, its prior, and grids that do not divide."""

import copy

import pytest
import torch
from known_worlds import coin, dot, turning
from torch.distributions import Bernoulli, Normal, kl_divergence

from clairvoy.errors import SettingsError
from clairvoy.generative.transitions.outcomes import Outcomes
from clairvoy.generative.transitions.vae import TransitionDiscriminator, TransitionVAE, TransitionVAESettings

SMALL = TransitionVAESettings(latent=3, width=16, channels=8)


def model(world):
    state, action, then, reward, ended = world
    outcomes = Outcomes(state, then, reward)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = TransitionVAE(outcomes, 2, SMALL)
        for layer in (made.prior, made.posterior):  # apart from one another, as after some training
            torch.nn.init.normal_(layer.weight, std=0.3)
            torch.nn.init.normal_(layer.bias, std=0.3)
        torch.nn.init.normal_(outcomes.kind.log_scale, std=0.3)
    return made, outcomes.encode_state(state), action, outcomes.encode(state, then, reward, ended)


@pytest.mark.parametrize("world", [turning, dot], ids=["numbers", "bits"])
def test_the_loss_is_the_evidence_lower_bound_of_its_parts(world):
    made, state, action, outcome = model(world(12))
    loss = made.loss(state, action, outcome, torch.Generator().manual_seed(4))
    exact = copy.deepcopy(made).double()
    net, state, outcome = exact.net, state.double(), outcome.double()
    hot = torch.eye(2, dtype=torch.float64)[action]
    context = net.context(state, hot)
    p, q = (
        Normal(parameters[:, :3], parameters[:, 3:].clamp(-8, 4).mul(0.5).exp())
        for parameters in (
            exact.prior(net.summary(context)),
            exact.posterior(exact.encoder(state, hot, outcome)),
        )
    )
    noise = torch.randn(12, 3, generator=torch.Generator().manual_seed(4)).double()
    outputs = net.decode(state, context, q.mean + q.stddev * noise)
    kind = made.outcomes.kind
    numbers, bits = len(kind.numbers), len(kind.bits)
    assert numbers + bits == kind.entries == outcome.shape[1]
    likely = (
        Normal(outputs[:, :numbers], kind.log_scale.double().exp()).log_prob(outcome[:, :numbers]).sum(dim=1)
    )
    likely = likely + Bernoulli(logits=outputs[:, numbers:]).log_prob(outcome[:, numbers:]).sum(dim=1)
    bound = likely - kl_divergence(q, p).sum(dim=1)
    torch.testing.assert_close(loss.double(), -bound / (numbers + bits), rtol=1e-5, atol=1e-5)
    assert bool((kl_divergence(q, p).sum(dim=1) > 0.1).all())


def test_a_prediction_is_the_decoder_at_a_draw_from_the_prior():
    made, state, action, _ = model(coin(12))
    said = made.predict(state, action, torch.Generator().manual_seed(4))
    hot = torch.eye(2)[action]
    context = made.net.context(state, hot)
    mean, log_variance = made.prior(made.net.summary(context)).chunk(2, dim=1)
    z = mean + (0.5 * log_variance).exp() * torch.randn(12, 3, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(said, made.net.decode(state, context, z))
    assert not torch.allclose(said, made.predict(state, action, torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("kind", ["bits", "frames"])
@pytest.mark.parametrize(
    ("height", "across", "side"), [(10, 10, 1), (20, 40, 4), (17, 16, 1), (84, 84, 6), (34, 17, 17)]
)
def test_grids_of_any_size(kind, height, across, side):
    """Cut into patches of at most 16 across where sides divide, else as far as they do; and begins with standing still."""
    draw = torch.Generator().manual_seed(0)
    shape = (2, 1 if kind == "bits" else 2, height, across)
    state = (
        torch.rand(shape, generator=draw) < 0.5
        if kind == "bits"
        else torch.randint(0, 256, shape).to(torch.uint8)
    )
    outcomes = Outcomes(state, state, torch.tensor([1.0, 0.0]))
    made = TransitionVAE(outcomes, 2, SMALL)
    assert made.net.patches.downscale_factor == side
    outputs = made.predict(outcomes.encode_state(state), torch.tensor([0, 1]), draw)
    seen = outputs[:, 1:-1] if kind == "bits" else outputs[:, :-2]
    shift = made.net.whole(
        made.net.last.bias.detach().view(1, -1, 1, 1).expand(1, -1, height // side, across // side)
    )
    stays = outcomes.encode_state(state)[:, -1:] if kind == "frames" else 4 * outcomes.encode_state(state) - 2
    torch.testing.assert_close(seen, (stays + shift).flatten(1))


@pytest.mark.parametrize("kind", ["bits", "frames"])
def test_the_discriminator_sees_planes_where_they_are(kind):
    """An encoded outcome has the reward before bits, but behind pixels; neither may end up in the picture."""
    draw = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 256, (2, 3, 8, 8), generator=draw)
    state = raw > 127 if kind == "bits" else raw.to(torch.uint8)
    then = state.roll(1, 3)
    outcomes = Outcomes(state, then, torch.tensor([1.0, -0.25]))
    made, told = TransitionDiscriminator(outcomes, 2, SMALL), []
    for part in (made.encoder.convolutions, made.encoder.join):
        part.register_forward_pre_hook(lambda module, given: told.append(given[0]))
    outcome = outcomes.encode(state, then, torch.tensor([1.0, -0.25]), torch.tensor([False, True]))
    made(outcomes.encode_state(state), torch.tensor([1, 0]), outcome, 2 * outcome)
    looked, joined = told
    seen = outcomes.encode_state(then)[:, (-1 if kind == "frames" else 0) :]
    assert torch.equal(looked, torch.cat([outcomes.encode_state(state), seen, 2 * seen], dim=1))
    # Action, reward and end join behind, and how far these are from what was expected.
    assert joined[:, -6:].tolist() == [[0, 1, 1, 0, 2, 0], [1, 0, -0.25, 1, -0.5, 2]]


def test_what_is_expected_is_the_decoder_at_the_priors_mean():
    made, state, action, _ = model(coin(12))
    expected = made.expect(state, action)
    context = made.net.context(state, torch.eye(2)[action])
    said = made.net.decode(state, context, made.prior(made.net.summary(context))[:, :3])
    numbers = len(made.outcomes.kind.numbers)
    torch.testing.assert_close(expected, torch.cat([said[:, :numbers], said[:, numbers:].sigmoid()], dim=1))


def test_bad_settings():
    for name in ("latent", "width", "channels"):
        with pytest.raises(SettingsError, match=f"{name} is 0; it must be at least 1"):
            TransitionVAESettings(**{name: 0})
