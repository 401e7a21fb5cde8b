"""Values of all directions at once: what they are of, that they turn with the panorama, and that they can be learnt."""

import pytest
import torch
import torch.nn.functional as F

from clairvoy.scenarios.panorama.baselines import error_after
from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, seen_from
from clairvoy.scenarios.panorama.gains import GainNetwork, Lookout, by_gains, learn_gains, shown_of, simulate
from clairvoy.scenarios.panorama.looking import GAIN, Looking


class Grey:
    """A generator that completes with what is seen, and grey; its draws differ by their noise where nothing is seen."""

    def complete(self, rows, given, noise=None):
        level = 128.0 if noise is None else 128 + 20 * torch.randn(len(rows), 1, 1, 1, generator=noise)
        made = torch.as_tensor(level).expand(len(rows), 1, 1, 1).clamp(0, 255).to(torch.uint8)
        return torch.where(given, rows, made)


@pytest.fixture
def looking():
    return Looking(32, glimpses=3)


def bright_spots(count, seed=0):
    """Grey panoramas, each with one direction of the horizon white: what a glimpse there is worth is known."""
    where = torch.randint(AROUND, (count,), generator=torch.Generator().manual_seed(seed))
    panoramas = torch.full((count, 3, 32, 64), 128, dtype=torch.uint8)
    for row, azimuth in enumerate(where):
        panoramas[row] = panoramas[row].where(~looked_at(int(azimuth)), torch.tensor(255, dtype=torch.uint8))
    return panoramas, AROUND + where


def looked_at(azimuth):
    return Looking(32).views[AROUND + azimuth]


def test_what_is_simulated_is_the_drop_of_the_error(looking):
    panoramas = torch.randint(
        256, (3, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    states = simulate(looking, Grey(), panoramas, torch.Generator().manual_seed(2))
    # Simulated of turned panoramas; the turn is the source's first number.
    turn = int(torch.randint(64, (1,), generator=torch.Generator().manual_seed(2)))
    turned = panoramas.roll(turn, dims=3)
    before = error_after_taken(looking, turned, states.taken)
    for direction in (0, 9, 23):
        also = states.taken.clone()
        also[:, direction] = True
        torch.testing.assert_close(
            states.gain[:, direction], GAIN * (before - error_after_taken(looking, turned, also))
        )
    assert (states.gain[states.taken] == 0).all()
    assert states.shown.shape == (3, 6, 16, 32)


def error_after_taken(looking, panoramas, taken):
    seen = seen_from(looking.views, taken)
    square = (complete(Grey(), panoramas, seen).float() - panoramas.float()).div(255).square().mean(dim=1)
    return (square * looking.weights).sum(dim=(1, 2)).sqrt()


def test_values_turn_with_the_panorama(looking):
    torch.manual_seed(0)
    network = GainNetwork(looking.views, width=8)
    shown = torch.rand(2, 6, 16, 32)
    turned = network(shown.roll(3 * 4, dims=3))
    expected = network(shown).unflatten(1, (3, AROUND)).roll(3, dims=2).flatten(1)
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=1e-4)


def test_where_the_worth_is_visible_it_is_learnt(looking):
    # Worth is what the deviation plane shows within each view: linear in what the network is given.
    rng = torch.Generator().manual_seed(0)
    shown = F.interpolate(torch.rand(128, 6, 2, 4, generator=rng), size=(16, 32))
    torch.manual_seed(0)
    network = GainNetwork(looking.views, width=8)
    gain = 4 * (shown[:, 4].flatten(1) @ network.within_shown.T - 0.5)
    states = Lookout(shown, torch.zeros(128, DIRECTIONS, dtype=torch.bool), gain)
    losses = learn_gains(network, states, updates=120, batch=16, rate=1e-2)
    assert sum(losses[-10:]) < 0.1 * sum(losses[:10])


def test_what_is_chosen_is_what_is_valued_most(looking):
    panoramas, _ = bright_spots(4)
    torch.manual_seed(0)
    network = GainNetwork(looking.views, width=8)
    chosen = by_gains(network, looking, Grey(), panoramas)
    assert chosen[:, 0].tolist() == [AROUND] * 4
    taken = F.one_hot(chosen[:, :1], DIRECTIONS).bool().any(dim=1)
    values = network(shown_of(looking, Grey(), panoramas, taken)).masked_fill(taken, -torch.inf)
    assert torch.equal(chosen[:, 1], values.argmax(dim=1))
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    assert error_after(looking, Grey(), panoramas, chosen).shape == (4,)
