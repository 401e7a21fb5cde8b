"""The ensemble learns worlds that are known in closed form, knows where it has not been, and resumes exactly."""

import pytest
import torch
from known_worlds import coin, dot, encoded, gaps, learner, train, turning

from clairvoy.errors import SettingsError
from clairvoy.generative.transitions.learner import TransitionLearnerSettings
from clairvoy.generative.transitions.vae import TransitionVAESettings


@pytest.mark.slow
def test_it_learns_a_world_of_numbers():
    world, unseen = turning(2000), turning(500, seed=5)
    learning = learner(world)
    assert gaps(learning, unseen).mean() > 0.9
    train(learning, world, 450)
    # Drawn, with all the noise that is drawn: a tenth of the spread of what happens.
    assert gaps(learning, unseen).median() < 0.1
    assert gaps(learning, unseen).mean() < 0.15
    state, action, _, _, ended = unseen
    then, reward, over = learning.outcomes.decode(
        state, learning.make(*encoded(learning, unseen)[:2]).outcome
    )
    torch.testing.assert_close(reward, then[:, 0], atol=0.15, rtol=0)
    assert (over == ended).float().mean() > 0.85
    # The turn keeps the distance from the middle, and its sense is the action's.
    torch.testing.assert_close(then.norm(dim=1), state.norm(dim=1), atol=0.2, rtol=0)
    turn = state[:, 0] * then[:, 1] - state[:, 1] * then[:, 0]
    far = state.norm(dim=1) > 0.4
    assert bool(((turn > 0) == (action == 1))[far].all())


@pytest.mark.slow
def test_it_learns_a_world_of_bits():
    world, unseen = dot(2000), dot(300, seed=5)
    learning = learner(world, members=1, learning_rate=3e-3)
    assert gaps(learning, unseen).mean() > 0.9
    train(learning, world, 300, batch=32)
    assert gaps(learning, unseen).mean() < 0.15
    state, _, then, reward, ended = unseen
    said, paid, over = learning.outcomes.decode(state, learning.make(*encoded(learning, unseen)[:2]).outcome)
    assert (said == then).flatten(1).all(dim=1).float().mean() > 0.8
    assert (over == ended).float().mean() > 0.95
    assert (paid - reward).abs().mean() < 0.1


@pytest.mark.slow
def test_it_draws_what_chance_decides_as_often_as_it_happens():
    world, unseen = coin(2000), coin(2000, seed=5)
    learning = learner(world, members=1)
    train(learning, world, 600)
    state, action, _, _, _ = unseen
    then, reward, ended = learning.outcomes.decode(
        state, learning.make(*encoded(learning, unseen)[:2]).outcome
    )
    assert ended[action == 1].float().mean() == pytest.approx(0.7, abs=0.06)
    assert ended[action == 0].float().mean() == pytest.approx(0.3, abs=0.06)
    # One coin decides where it goes and what it pays: drawn together, by z.
    up = then[:, 0] > state[:, 0]
    assert ((reward > 0.5) == up).float().mean() > 0.95
    assert up[action == 1].float().mean() > up[action == 0].float().mean() + 0.2


@pytest.mark.slow
def test_noise_shrinks_to_what_is_left_and_can_grow_again():
    """The bound on it must not be a trap: a clamped parameter below it would never have a gradient again."""
    world = turning(500)
    learning = learner(world, members=1, noise_learning_rate=0.05)
    scale = learning.outcomes.kind.log_scale.detach()
    train(learning, world, 400)
    assert float(scale.max()) < -2.5
    assert float(scale.min()) >= -4
    scale.fill_(-4.0)
    state, action, outcome = encoded(learning, world)
    shuffled = outcome[torch.randperm(500, generator=torch.Generator().manual_seed(0))]
    for _ in range(30):
        learning.update(state, action, shuffled)  # now nothing can be foretold
    assert float(scale.min()) > -3


@pytest.mark.slow
def test_members_disagree_where_they_have_not_been():
    world = turning(1000, low=-1.0, high=0.0)
    learning = learner(world)
    train(learning, world, 300)

    def spread(where):
        return learning.make(*encoded(learning, where)[:2]).spread

    seen, never = spread(turning(300, 5, low=-1.0, high=0.0)), spread(turning(300, 5, low=1.5, high=2.5))
    assert never.mean() > 3 * seen.mean()
    assert never.median() > seen.quantile(0.9)


def test_spread_and_doubt_are_those_of_what_the_members_say():
    world = dot(40)
    learning = learner(world)
    train(learning, world, 3)
    state, action, _ = encoded(learning, world)
    before = learning.noise.get_state()
    made = learning.make(state, action)
    learning.noise.set_state(before)
    with torch.no_grad():
        said = torch.stack(
            [member.predict(state, action, learning.noise) for member in learning.members]
        ).double()
    said[..., 1:] = said[..., 1:].sigmoid()  # the reward is the one number
    torch.testing.assert_close(
        made.spread.double(), said.std(dim=0, correction=0).mean(dim=1), rtol=1e-4, atol=1e-7
    )
    chance = said[..., 1:].mean(dim=0)
    torch.testing.assert_close(
        made.doubt.double(), (chance - chance.square()).mean(dim=1), rtol=1e-4, atol=1e-7
    )
    torch.testing.assert_close(made.logit, learning.judge(state, action, made.outcome))
    assert made.outcome[:, 1:].mul(1e5).round().unique().tolist() == [0, 1e5]  # bits are drawn hard


def test_ends_drawn_too_often_are_put_back_to_their_odds():
    """`end_shift` is taken off the log odds of an end, and off nothing else (King and Zeng 2001, eq. 7)."""
    world = turning(4000)
    learning = learner(world, candidates=1)
    train(learning, world, 5)
    state, action, _ = encoded(learning, world)
    start = learning.noise.get_state()
    with torch.no_grad():
        said = torch.stack([member.predict(state, action, learning.noise) for member in learning.members])
    made = {}
    for shift in (0.0, 1.5):
        learning.noise.set_state(start)
        learning.end_shift = shift
        made[shift] = learning.make(state, action)
    # Of a world of numbers the end is the only bit: doubt is p (1 - p), p the mean of the members' corrected chances.
    odds = said[..., -1].double().exp() / torch.tensor(1.5, dtype=torch.float64).exp()
    chance = (odds / (1 + odds)).mean(dim=0)
    torch.testing.assert_close(made[1.5].doubt.double(), chance * (1 - chance), rtol=1e-4, atol=1e-7)
    ended = {shift: (step.outcome[:, -1] > 0.5).double() for shift, step in made.items()}
    assert float(ended[1.5].mean()) == pytest.approx(
        float(chance.mean()), abs=0.02
    )  # error of 4000 draws: 0.008
    assert float(ended[0.0].mean()) > float(ended[1.5].mean()) + 0.1
    assert torch.equal(made[0.0].outcome[:, :-1], made[1.5].outcome[:, :-1])


def test_what_is_sure_to_end_stays_sure():
    world = turning(64)
    learning = learner(world, members=1)
    learning.members[0].predict = lambda state, action, noise: torch.tensor([0.0, 0.0, 0.0, 30.0]).expand(
        64, 4
    )
    learning.end_shift = 3.0
    state, action, _ = encoded(learning, world)
    assert bool((learning.make(state, action).outcome[:, -1] > 0.5).all())


def test_the_discriminator_tells_made_from_real():
    world, unseen = turning(500), turning(400, seed=5)
    # A generator that hardly learns: what it makes stays easy to tell.
    learning = learner(world, learning_rate=1e-6, noise_learning_rate=1e-6, adversarial=0.0, judge_every=1,
                       discriminator_learning_rate=3e-3)  # fmt: skip
    state, action, outcome = encoded(learning, unseen)

    def apart():
        real, made = learning.judge(state, action, outcome), learning.make(state, action).logit
        return float(real.mean() - made.mean()), float(torch.cat([real > 0, made < 0]).float().mean())

    assert apart()[0] == pytest.approx(0, abs=0.1)
    terms = train(learning, world, 200)
    further, right = apart()
    assert further > 1
    assert right > 0.7
    assert terms["discriminator_accuracy"] > 0.7
    assert terms["discriminator"] < 2 * 0.6931  # what a coin gets


def gradients(adversarial, updates):
    """What each parameter was told in the last of some updates, before any clipping."""
    world = turning(64)
    learning = learner(world, adversarial=adversarial, gradient_clip=1e9, learning_rate=1e-12,
                       noise_learning_rate=1e-12, discriminator_learning_rate=1e-12)  # fmt: skip
    for _ in range(updates):
        learning.update(*encoded(learning, world))
    return {name: value.grad for name, value in learning.members.named_parameters()}


@pytest.mark.parametrize(("updates", "judged"), [(1, 0), (5, 1), (9, 2), (13, 0)])
def test_the_objection_pulls_the_member_judged_and_no_other(updates, judged):
    alone, pulled = gradients(0.0, updates), gradients(0.25, updates)
    for name, told in pulled.items():
        changed = not torch.allclose(told, alone[name], rtol=1e-3, atol=1e-9)
        if not name.startswith(f"{judged}."):
            assert not changed, name
        if "feature_layers" in name or "posterior" in name:
            assert not changed, name  # what judges is not moved to please itself
        if name == f"{judged}.net.decoder.0.weight":
            assert changed
    # At the last layer the objection pulls as hard as its weight says (Esser et al. 2021, eq. 7).
    last = f"{judged}.net.last.weight"
    ratio = (pulled[last] - alone[last]).norm() / alone[last].norm()
    assert float(ratio) == pytest.approx(0.25, rel=0.02)


def test_it_objects_in_turns_and_learns_at_every_update():
    world = turning(64)
    learning = learner(world, judge_every=3)
    told = [train(learning, world, 1, seed=step) for step in range(7)]
    assert ["adversarial" in terms for terms in told] == [True, False, False, True, False, False, True]
    assert all("discriminator_accuracy" in terms for terms in told)


def test_the_discriminator_sees_noise_that_the_world_does_not_have():
    """A twentieth of what a step changes, told by how far it is from what the generators expect."""
    world, unseen = turning(500), turning(400, seed=5)
    learning = learner(
        world, members=1, candidates=1, learning_rate=1e-9, noise_learning_rate=1e-9, adversarial=0
    )
    state, action, outcome = encoded(learning, world)
    with torch.no_grad():
        learning.outcomes.kind.log_scale.fill_(-3)
    # A generator that is right, but for its noise.
    truth = {
        tuple(row.tolist()): line
        for row, line in zip(torch.cat([state, action[:, None]], 1), outcome, strict=True)
    }
    learning.members[0].predict = lambda state, action, noise: exact(state, action)
    learning.members[0].expect = lambda state, action: exact(state, action, chances=True)
    there, did, came = encoded(learning, unseen)
    truth |= {
        tuple(row.tolist()): line for row, line in zip(torch.cat([there, did[:, None]], 1), came, strict=True)
    }

    def exact(state, action, chances=False):
        rows = torch.stack([truth[tuple(row.tolist())] for row in torch.cat([state, action[:, None]], 1)])
        bits = rows[:, 3:] if chances else (rows[:, 3:] - 0.5) * 60
        return torch.cat([rows[:, :3], bits], dim=1)

    train(learning, world, 150)
    real, made = learning.judge(there, did, came), learning.make(there, did).logit
    assert torch.cat([real > 0, made < 0]).float().mean() > 0.9


def test_of_the_candidates_the_discriminator_takes_those_in_proportion_to_its_ratio():
    """A generator that is fair where the world is not, and a discriminator that knows by how much."""
    world = coin(4000)
    learning = learner(world, members=1, candidates=32)
    state, action, _ = encoded(learning, world)
    fair = torch.zeros(4000, learning.outcomes.kind.width)
    learning.members[0].predict = lambda state, action, noise: fair
    up, ended = (lambda outcome: outcome[:, 0] > 0), (lambda outcome: outcome[:, -1] > 0.5)
    odds = torch.tensor(0.8 / 0.2).log()
    learning._judge = lambda state, action, outcome, expected: (
        torch.where(up(outcome), odds, 0.0) + torch.where(ended(outcome), 9.0, 0.0)
    )
    made = learning.make(state, action).outcome
    # Standard error of 4000 draws 0.008; what 32 candidates leave of the bias is as small. An end is no matter of choice.
    assert float(up(made).float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float(ended(made).float().mean()) == pytest.approx(0.5, abs=0.03)
    learning._judge = lambda state, action, outcome, expected: outcome.new_zeros(len(outcome))
    assert float(up(learning.make(state, action).outcome).float().mean()) == pytest.approx(0.5, abs=0.03)


def state_of(learning):
    return [*learning.members.state_dict().values(), *learning.discriminator.state_dict().values(),
            learning.outcomes.kind.log_scale, learning.noise.get_state()]  # fmt: skip


@pytest.mark.parametrize("make", [turning, dot], ids=["numbers", "bits"])
def test_resume_and_the_same_seed(make):
    world = make(64)
    whole, same, half, resumed, other = (learner(world, seed=seed) for seed in (0, 0, 0, 9, 1))
    half.end_shift = 0.75
    for learning in (whole, same, other):
        train(learning, world, 5, batch=16)
        train(learning, world, 5, batch=16, seed=2)
    train(half, world, 5, batch=16)
    saved = half.state_dict()
    train(half, world, 3, batch=16, seed=7)  # what was saved is a copy: going on does not change it
    resumed.load_state_dict(saved)
    train(resumed, world, 5, batch=16, seed=2)
    assert (resumed.update_count, resumed.end_shift) == (10, 0.75)
    for a, b, c in zip(state_of(whole), state_of(same), state_of(resumed), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
    assert not torch.equal(whole.members[0].last_layer, other.members[0].last_layer)
    assert not torch.equal(whole.members[0].last_layer, whole.members[1].last_layer)


def test_what_is_not_finite_teaches_nothing():
    world = turning(32)
    learning = learner(world)
    state, action, outcome = encoded(learning, world)
    before = [value.clone() for value in learning.members.parameters()]
    learning.update_count = 1  # nobody objects
    learning.update(torch.full_like(state, torch.nan), action, outcome)
    assert all(torch.equal(a, b) for a, b in zip(before, learning.members.parameters(), strict=True))


def test_bad_settings():
    for name in (
        "members",
        "learning_rate",
        "noise_learning_rate",
        "discriminator_learning_rate",
        "judge_every",
        "candidates",
    ):
        with pytest.raises(SettingsError, match=f"{name} is 0; it must be (above 0|at least 1)"):
            TransitionLearnerSettings(**{name: 0})
    with pytest.raises(SettingsError, match="r1 is -1"):
        TransitionLearnerSettings(r1=-1)


def test_an_ensemble_of_one_has_no_spread():
    world = turning(16)
    learning = learner(world, TransitionVAESettings(latent=1, width=8), members=1)
    assert learning.make(*encoded(learning, world)[:2]).spread.tolist() == [0] * 16
