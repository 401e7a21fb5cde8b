"""Values of all directions: that they turn with the panorama, what they are bootstrapped of, and that they can be learnt."""

import pytest
import torch
import torch.nn.functional as F
from grey_completion import Grey

from clairvoy.scenarios.panorama.baselines import error_after
from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import DIRECTIONS, seen_from
from clairvoy.scenarios.panorama.gains import AHEAD, Lookout, coarse
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.values import (
    ValueNetwork,
    by_values,
    learn_values,
    targets,
    turned,
    turned_directions,
)


@pytest.fixture
def looking():
    return Looking(32, glimpses=3)


def network(looking, width=8):
    torch.manual_seed(0)
    return ValueNetwork(looking.views, width)


def blocks(count, seed=0):
    """Completions of large blocks, (count, 3, 16, 32) uint8."""
    small = torch.rand(count, 3, 2, 4, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(small, size=(16, 32)) * 255).to(torch.uint8)


def taken_of(*directions):
    return F.one_hot(torch.tensor(directions), DIRECTIONS).sum(dim=0).bool()


def test_values_turn_with_the_panorama(looking):
    valuing, completed = network(looking), blocks(2)
    taken = torch.stack([taken_of(AHEAD, 3), taken_of(AHEAD)])
    value = valuing(turned(completed, 3, False), turned_directions(taken, 3, False), 2)
    expected = turned_directions(valuing(completed, taken, 2), 3, False)
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("eighths", "mirrored"), [(0, True), (2, False), (5, True)])
def test_directions_turn_as_what_they_show_does(looking, eighths, mirrored):
    for direction in (0, 3, AHEAD + 2, 17):
        there = turned_directions(taken_of(direction)[None].float(), eighths, mirrored).bool()
        assert torch.equal(
            seen_from(looking.views, there),
            turned(looking.views[direction][None, None], eighths, mirrored)[:, 0],
        )


def test_values_know_how_many_glimpses_are_left(looking):
    valuing, taken = network(looking), taken_of(AHEAD).expand(2, -1)
    one, two = (valuing(blocks(2), taken, left) for left in (1, 2))
    assert not torch.allclose(one, two)
    both = valuing(blocks(2), taken, torch.tensor([1, 2]))
    torch.testing.assert_close(both, torch.stack([one[0], two[1]]))


def made_up(count, seed=0):
    """States of one or two glimpses of three, with gains and next completions at random."""
    rng = torch.Generator().manual_seed(seed)
    taken = torch.zeros(count, DIRECTIONS, dtype=torch.bool)
    taken[:, AHEAD] = True
    taken[count // 2 :, 20] = True
    gain = torch.rand(count, DIRECTIONS, generator=rng) * ~taken
    after = torch.randint(256, (count, DIRECTIONS, 3, 16, 32), dtype=torch.uint8, generator=rng)
    return Lookout(blocks(count), taken, gain, after)


def test_targets_are_gains_and_the_best_that_can_follow(looking):
    valuing, states = network(looking), made_up(2)
    assert torch.equal(targets(valuing, states, 1), states.gain)
    found = targets(valuing, states, 3)
    assert (found[states.taken] == 0).all()
    for state, direction in ((0, 0), (1, 11)):
        then = states.taken[state] | taken_of(direction)
        with torch.no_grad():
            value = valuing(states.after[state, direction][None], then[None], 2)[0]
        best = max(float(value[d]) for d in range(DIRECTIONS) if not then[d])
        assert float(found[state, direction]) == pytest.approx(
            float(states.gain[state, direction]) + best, abs=1e-5
        )


def test_where_the_worth_is_visible_it_is_learnt(looking):
    # What a glimpse pays is how red its view is; after it nothing changes, so the best two are worth their sum.
    count = 192
    completed = blocks(count)
    within = looking.views.float()
    red = F.interpolate(completed[:, :1].float() / 255, size=(32, 64))[:, 0].flatten(1)
    shown = red @ (within.flatten(1) / within.flatten(1).sum(dim=1, keepdim=True)).T
    taken = taken_of(AHEAD).expand(count, -1)
    gain = shown * ~taken
    states = Lookout(completed, taken, gain, completed[:, None].expand(-1, DIRECTIONS, -1, -1, -1))
    valuing = network(looking)
    learn_values(valuing, states, horizon=2, updates=200, batch=32, rate=1e-2)
    with torch.no_grad():
        one, two = (valuing(completed, taken, left) for left in (1, 2))
    assert (one - gain)[~taken].abs().mean() < 0.1
    others = gain[:, None].expand(-1, DIRECTIONS, -1).masked_fill(torch.eye(DIRECTIONS, dtype=torch.bool), 0)
    assert (two - gain - others.amax(dim=2))[~taken].abs().mean() < 0.15
    assert float((two - one)[~taken].mean()) == pytest.approx(float(others.amax(dim=2).mean()), abs=0.1)


def test_the_same_seed_learns_the_same(looking):
    first, second = network(looking), network(looking)
    losses = [learn_values(one, made_up(8), horizon=2, updates=6, batch=4, seed=3) for one in (first, second)]
    assert losses[0] == losses[1]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_what_is_chosen_is_what_is_valued_most(looking):
    draws = torch.Generator().manual_seed(1)
    panoramas = torch.randint(256, (4, 3, 32, 64), dtype=torch.uint8, generator=draws)
    valuing = network(looking)
    chosen = by_values(valuing, looking, Grey(), panoramas)
    assert chosen[:, 0].tolist() == [AHEAD] * 4
    taken = F.one_hot(chosen[:, :1], DIRECTIONS).bool().any(dim=1)
    with torch.no_grad():
        values = valuing(coarse(complete(Grey(), panoramas, seen_from(looking.views, taken))), taken, 2)
    assert torch.equal(chosen[:, 1], values.masked_fill(taken, -torch.inf).argmax(dim=1))
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    assert error_after(looking, Grey(), panoramas, chosen).shape == (4,)


def test_it_looks_as_far_ahead_as_glimpses_are_left_or_no_further_than_asked(looking):
    asked = []

    def valuing(completed, taken, left):
        asked.append(left)
        return torch.zeros(taken.shape)

    panoramas = torch.zeros(1, 3, 32, 64, dtype=torch.uint8)
    by_values(valuing, looking, Grey(), panoramas)
    by_values(valuing, looking, Grey(), panoramas, horizon=1)
    assert asked == [2, 1, 1, 1]
