"""Rows unlike anything seen: what they are made of, and that they help where an attack was never learnt."""

import pytest
import torch

from clairvoy.scenarios.flows.beliefs import Beliefs, BeliefSettings, learn_beliefs
from clairvoy.scenarios.flows.steps import steps_of
from clairvoy.scenarios.flows.strange import StrangeHelp, do_strange_rows_help, pieced, strange_rows

GROUPS = torch.tensor([0, 0, 1])
SETTINGS = BeliefSettings(width=16, voters=1, updates=150, batch=32, learning_rate=5e-3)
PLACES = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]])
"""Of harmless flows and of three attacks."""


def flows(count, seed, numbers=(0, 1, 2, 3)):
    noise = torch.Generator().manual_seed(seed)
    classes = torch.tensor(numbers).repeat_interleave(count)
    return PLACES[classes] + 0.3 * torch.randn(len(classes), 3, generator=noise), classes


LEARNT = flows(150, 0)


def new_beliefs(size, seed):
    torch.manual_seed(seed)
    return Beliefs(GROUPS, 4, 1, steps_of(LEARNT[0]), size.width, size.voters)


def everywhere(count, seed=5):
    """What a generator of no great skill makes up: all that lies around, and of no class."""
    noise = torch.Generator().manual_seed(seed)
    return 12 * torch.rand(count, 3, generator=noise) - 6, torch.full((count,), -1)


def test_a_group_is_taken_from_one_flow_as_a_whole():
    harmless, others = torch.arange(30.0).reshape(10, 3), 100 + torch.arange(60.0).reshape(20, 3)
    rows = pieced(harmless, others, GROUPS, 4000, torch.Generator().manual_seed(0))
    foreign = rows >= 100
    assert torch.equal(foreign[:, 0], foreign[:, 1])
    assert torch.equal(rows[:, 1] - rows[:, 0], torch.ones(4000))
    assert foreign[:, 1:].float().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.03)


def test_as_many_are_pieced_together_as_were_made_up():
    made = everywhere(50)[0]
    rows = strange_rows(LEARNT, made, 1, GROUPS, torch.Generator().manual_seed(0))
    assert torch.equal(rows[:50], made)
    assert rows.shape == (100, 3)


def test_what_was_never_learnt_is_taken_for_an_attack():
    known = flows(150, 0, (0, 1))
    unknown, opened = flows(100, 1, (2,))[0], torch.ones(100, 2, dtype=torch.bool)
    attack = []
    for strange in (None, everywhere(500)[0]):
        noise = torch.Generator().manual_seed(0)
        beliefs = learn_beliefs(new_beliefs(SETTINGS, 0), *known, SETTINGS, noise, strange=strange)
        attack.append(float(beliefs(unknown, opened).exp()[:, 1:].sum(1).mean()))
        assert float(beliefs(flows(100, 2, (0,))[0], opened).exp()[:, 0].mean()) > 0.8
        assert float(beliefs(flows(100, 2, (1,))[0], opened).exp()[:, 1].mean()) > 0.9
    assert attack[1] > 0.8 > attack[0] + 0.2


def test_each_class_is_left_out_in_turn():
    tuning = flows(60, 3)
    found = do_strange_rows_help(
        ("web", "a", "b", "c"), 1, LEARNT, everywhere(500), tuning, GROUPS, new_beliefs, SETTINGS, 0
    )
    assert list(found.before) == list(found.after) == ["a", "b", "c"]
    assert min(found.after.values()) > 0.95
    assert list(found.few_before) == list(found.few_after) == ["a", "b", "c"]
    assert min(found.few_before.values()) > 0.95  # ten flows are enough here
    assert found.to_dict()["gain"] == pytest.approx(
        sum(found.after.values()) / 3 - sum(found.before.values()) / 3
    )


def test_they_must_not_hide_what_is_hardly_known():
    unknown, hardly = ({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.5}), {"a": 0.9, "b": 0.9}
    assert StrangeHelp(*unknown, hardly, {"a": 0.9, "b": 0.895}).helps
    assert not StrangeHelp(*unknown, hardly, {"a": 1.0, "b": 0.85}).helps
    assert not StrangeHelp(unknown[0], {"a": 0.9, "b": 0.45}, hardly, hardly).helps
    assert not StrangeHelp(*reversed(unknown), hardly, hardly).helps
    assert StrangeHelp(*unknown, hardly, hardly).gain == pytest.approx(0.05)


def test_where_no_class_can_be_left_out_nothing_is_said():
    found = do_strange_rows_help(
        ("web", "a"), 1, flows(20, 0, (0, 1)), everywhere(9), flows(20, 1), GROUPS, new_beliefs, SETTINGS, 0
    )
    assert found == StrangeHelp({}, {}, {}, {})
    assert not found.helps
