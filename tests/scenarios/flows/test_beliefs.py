"""Beliefs: closed groups tell nothing, what is open is learnt, rare classes are drawn as often as is asked for."""

import pytest
import torch
import torch.nn.functional as F

from clairvoy.errors import SettingsError
from clairvoy.scenarios.flows.beliefs import (
    BALANCES,
    Beliefs,
    BeliefSettings,
    Draws,
    any_masks,
    learn_beliefs,
)
from clairvoy.scenarios.flows.perceptrons import Perceptrons
from clairvoy.scenarios.flows.steps import Steps, steps_of

GROUPS = torch.tensor([0, 0, 1])
STEPS = Steps(torch.tensor([0, 2]), torch.tensor([0.0, 0.5]))


def rows(count, seed=0, rare=0.5):
    """Class 1 where number 0 is high; number 2 is the same as number 0 with noise, in another group."""
    noise = torch.Generator().manual_seed(seed)
    classes = (torch.rand(count, generator=noise) < rare).long()
    first = torch.randn(count, generator=noise) * 0.3 + 2.0 * classes - 1
    return torch.stack(
        [first, torch.randn(count, generator=noise), first + torch.randn(count, generator=noise)], 1
    ), classes


def beliefs_of(seed=0, width=8, classes=2, benign=1):
    torch.manual_seed(seed)
    return Beliefs(GROUPS, classes, benign, STEPS, width, 1)


@pytest.fixture(scope="module")
def learnt():
    encoded, classes = rows(2000, rare=0.05)
    settings = BeliefSettings(width=16, voters=1, updates=300, batch=64, learning_rate=5e-3)
    return learn_beliefs(beliefs_of(0, 16), encoded, classes, settings, torch.Generator().manual_seed(0))


def test_closed_groups_tell_nothing():
    beliefs = beliefs_of()
    encoded, _ = rows(8)
    opened = torch.tensor([[True, False]]).expand(8, 2)
    other = encoded.clone()
    other[:, 2] = 100
    assert torch.equal(beliefs(encoded, opened), beliefs(other, opened))
    assert not torch.equal(beliefs(encoded, ~opened), beliefs(other, ~opened))
    assert beliefs.shown(encoded, opened)[:, 2].eq(0).all()


def test_a_rare_class_is_learnt(learnt):
    encoded, classes = rows(2000, seed=1)
    said = learnt(encoded, torch.ones(2000, 2, dtype=torch.bool)).argmax(1)
    for number in (0, 1):
        assert float((said == number)[classes == number].float().mean()) > 0.95


def test_what_is_opened_decides_how_sure_it_is(learnt):
    encoded, classes = rows(2000, seed=2, rare=0.05)
    attack = {}
    for name, opened in (("good", [True, False]), ("poor", [False, True]), ("none", [False, False])):
        told = learnt(encoded, torch.tensor([opened]).expand(2000, 2)).exp()
        assert torch.allclose(told.sum(1), torch.ones(2000), atol=1e-5)
        attack[name] = float(told[classes == 1, 1].mean())
    assert attack["good"] > 0.9 > attack["poor"] > attack["none"]
    # Knowing nothing, an attack is as likely as it is drawn: 0.05, by the roots of the frequencies 0.187, balanced 0.5.
    assert attack["none"] == pytest.approx((0.05 + 0.187 + 0.5) / 3, abs=0.05)


def test_what_is_unlike_anything_seen_is_an_attack_of_a_kind_that_all_vote_on():
    beliefs = beliefs_of(classes=4, benign=2)
    encoded, opened = rows(5)[0], torch.ones(5, 2, dtype=torch.bool)
    votes = beliefs.votes(beliefs.of_whole, encoded, opened).softmax(2)
    assert votes.shape == (2 * len(BALANCES), 5, 5)
    mean, said = votes.mean(0), beliefs(encoded, opened).exp()
    assert torch.allclose(said[:, :2], mean[:, :2], atol=1e-6)
    assert torch.allclose(said[:, 2:].sum(1), mean[:, 2:].sum(1), atol=1e-6)
    assert torch.allclose(said[:, 3] / said[:, 2], mean[:, 3] / mean[:, 2], atol=1e-5)


def test_whole_rows_and_parts_have_voters_of_their_own():
    beliefs = beliefs_of()
    encoded, opened = rows(4)[0], torch.tensor([[True, True], [True, False], [True, True], [False, False]])
    for voters, asked in ((beliefs.of_whole, [0, 2]), (beliefs.of_parts, [1, 3])):
        before = beliefs(encoded, opened)
        assert torch.equal(beliefs(encoded[asked], opened[asked]), before[asked])
        with torch.no_grad():
            voters.biases[-1][..., 0] += 1
        changed = (beliefs(encoded, opened) != before).any(1)
        assert changed.nonzero()[:, 0].tolist() == asked


def test_where_nothing_is_closed_only_whole_rows_are_learnt():
    encoded, classes = rows(100)
    before, noise = beliefs_of(), torch.Generator().manual_seed(0)
    settings = BeliefSettings(voters=1, updates=3, batch=8, closed=0.0)
    after = learn_beliefs(beliefs_of(), encoded, classes, settings, noise)
    same = [torch.equal(*pair) for pair in zip(before.parameters(), after.parameters(), strict=True)]
    of_parts = {id(parameter) for parameter in before.of_parts.parameters()}
    assert same == [id(parameter) in of_parts for parameter in before.parameters()]


def test_half_the_voters_do_not_see_the_steps():
    beliefs = beliefs_of()
    beliefs.steps.at.fill_(-100.0)
    encoded, opened = rows(4)[0], torch.ones(4, 2, dtype=torch.bool)
    before = beliefs.votes(beliefs.of_parts, encoded, opened)
    beliefs.steps.at.fill_(100.0)
    changed = (beliefs.votes(beliefs.of_parts, encoded, opened) != before).flatten(1).any(1)
    assert changed.tolist() == [False, True] * len(BALANCES)


def test_side_by_side_is_one_after_another():
    torch.manual_seed(0)
    sees = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    both, told = Perceptrons(3, 8, 2, sees), torch.randn(5, 3)
    for place in range(2):
        now = told * sees[place]
        for layer in range(3):
            now = now @ both.weights[layer][place] + both.biases[layer][place]
            now = F.silu(F.layer_norm(now, (8,))) if layer < 2 else now
        assert torch.allclose(both(told)[place], now, atol=1e-6)
        assert torch.allclose(both(told.expand(2, 5, 3))[place], now, atol=1e-6)


def test_steps_lie_between_different_values_however_often_they_come():
    numbers = torch.cat([torch.zeros(1000), torch.arange(10.0)])
    encoded = torch.stack([numbers, (numbers > 3).float()], 1)
    steps = steps_of(encoded, most=4)
    assert steps.number.tolist() == [0, 0, 0, 0]  # a bit has none
    assert steps.at.tolist() == [1.0, 3.0, 5.0, 7.0]
    assert steps(torch.tensor([[4.0, 1.0]])).tolist() == [[1.0, 1.0, -1.0, -1.0]]
    assert len(steps_of(encoded[:, 1:])) == 0


def test_the_same_seed_learns_the_same():
    encoded, classes = rows(200)
    one, other = (
        learn_beliefs(
            beliefs_of(3),
            encoded,
            classes,
            BeliefSettings(voters=1, updates=5),
            torch.Generator().manual_seed(4),
        )
        for _ in range(2)
    )
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))


def test_classes_are_drawn_as_the_balance_says():
    classes = torch.tensor([0] * 900 + [1] * 100)
    noise = torch.Generator().manual_seed(0)
    for balance, rare in ((0.0, 0.1), (0.5, 0.25), (1.0, 0.5)):
        assert float(classes[Draws(classes, balance)(20_000, noise)].float().mean()) == pytest.approx(
            rare, abs=0.01
        )


def test_rows_of_weight_0_are_not_drawn():
    classes = torch.tensor([0] * 4 + [1] * 4)
    weights = torch.tensor([0.0, 1, 0, 3, 2, 0, 0, 0])
    drawn = torch.bincount(
        Draws(classes, 0.0, weights)(20_000, torch.Generator().manual_seed(0)), minlength=8
    )
    assert (drawn / 20_000).tolist() == pytest.approx([0, 0.125, 0, 0.375, 0.5, 0, 0, 0], abs=0.01)


def test_masks_of_all_sizes():
    drawn = any_masks(4)(4000, torch.Generator().manual_seed(0))
    sizes = torch.bincount(drawn.sum(1), minlength=5) / 4000
    assert sizes.tolist() == pytest.approx(
        [0.2] * 5, abs=0.03
    )  # a uniform chance makes all sizes equally likely


def test_settings_are_checked():
    with pytest.raises(SettingsError):
        BeliefSettings(closed=1.5)
    with pytest.raises(SettingsError, match="benign"):
        beliefs_of(benign=2)
