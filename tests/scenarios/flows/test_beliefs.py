"""Beliefs: closed groups tell nothing, what is open is learnt, rare classes count as much as frequent ones."""

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.scenarios.flows.beliefs import Beliefs, BeliefSettings, any_masks, learn_beliefs

GROUPS = torch.tensor([0, 0, 1])


def rows(count, seed=0, rare=0.5):
    """Class 1 where number 0 is high; number 2 is the same as number 0 with noise, in another group."""
    noise = torch.Generator().manual_seed(seed)
    classes = (torch.rand(count, generator=noise) < rare).long()
    first = torch.randn(count, generator=noise) * 0.3 + 2.0 * classes - 1
    return torch.stack(
        [first, torch.randn(count, generator=noise), first + torch.randn(count, generator=noise)], 1
    ), classes


@pytest.fixture(scope="module")
def learnt():
    torch.manual_seed(0)
    beliefs = Beliefs(GROUPS, 2, 16)
    encoded, classes = rows(2000, rare=0.02)
    settings = BeliefSettings(width=16, updates=300, batch=64, learning_rate=5e-3)
    return learn_beliefs(beliefs, encoded, classes, settings, torch.Generator().manual_seed(0))


def test_closed_groups_tell_nothing():
    beliefs = Beliefs(GROUPS, 2, 16)
    encoded, _ = rows(8)
    opened = torch.tensor([[True, False]]).expand(8, 2)
    other = encoded.clone()
    other[:, 2] = 100
    assert torch.equal(beliefs(encoded, opened), beliefs(other, opened))
    assert not torch.equal(beliefs(encoded, ~opened), beliefs(other, ~opened))
    assert beliefs.shown(encoded, opened)[:, 2].eq(0).all()


def test_a_rare_class_is_learnt_as_well_as_a_frequent_one(learnt):
    encoded, classes = rows(2000, seed=1)
    said = learnt(encoded, torch.ones(2000, 2, dtype=torch.bool)).argmax(1)
    for number in (0, 1):
        assert float((said == number)[classes == number].float().mean()) > 0.97


def test_what_is_opened_decides_how_sure_it_is(learnt):
    encoded, classes = rows(2000, seed=2)
    right = {}
    for name, opened in (("good", [True, False]), ("poor", [False, True]), ("none", [False, False])):
        told = learnt(encoded, torch.tensor([opened]).expand(2000, 2)).softmax(1)
        right[name] = float(told.gather(1, classes[:, None]).mean())
    assert right["good"] > 0.9 > right["poor"] > 0.6
    assert right["none"] == pytest.approx(0.5, abs=0.1)


def test_the_same_seed_learns_the_same():
    encoded, classes = rows(200)
    learnt = []
    for _ in range(2):
        torch.manual_seed(3)
        beliefs = Beliefs(GROUPS, 2, 8)
        learnt.append(
            learn_beliefs(
                beliefs, encoded, classes, BeliefSettings(updates=5), torch.Generator().manual_seed(4)
            )
        )
    for one, other in zip(learnt[0].parameters(), learnt[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_rows_of_weight_0_are_not_drawn():
    encoded, classes = rows(300)
    spoilt = torch.cat([encoded, torch.full((300, 3), torch.nan)])
    torch.manual_seed(0)
    beliefs = Beliefs(GROUPS, 2, 8)
    weights = torch.cat([torch.ones(300), torch.zeros(300)])
    learn_beliefs(
        beliefs,
        spoilt,
        classes.repeat(2),
        BeliefSettings(updates=3),
        torch.Generator().manual_seed(0),
        weights=weights,
    )
    assert all(bool(torch.isfinite(parameter).all()) for parameter in beliefs.parameters())


def test_masks_of_all_sizes():
    drawn = any_masks(4)(4000, torch.Generator().manual_seed(0))
    sizes = torch.bincount(drawn.sum(1), minlength=5) / 4000
    assert sizes.tolist() == pytest.approx(
        [0.2] * 5, abs=0.03
    )  # a uniform chance makes all sizes equally likely


def test_settings_are_checked():
    with pytest.raises(SettingsError):
        BeliefSettings(closed=1.5)
