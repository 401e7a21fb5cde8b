"""What glimpses in all directions pay, simulated: what it is of, and where its states come from."""

import pytest
import torch
import torch.nn.functional as F
from grey_completion import Grey

from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import DIRECTIONS, seen_from
from clairvoy.scenarios.panorama.gains import AHEAD, coarse, simulate
from clairvoy.scenarios.panorama.looking import GAIN, Looking


@pytest.fixture
def looking():
    return Looking(32, glimpses=3)


def noise_panoramas(count, seed=1):
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 32, 64), dtype=torch.uint8, generator=draws)


def shown(panoramas, seed):
    """As `simulate` shows them: the first numbers of its source turn and mirror them."""
    rng = torch.Generator().manual_seed(seed)
    turned = panoramas.roll(int(torch.randint(64, (1,), generator=rng)), dims=3)
    return turned.flip(3) if torch.rand(1, generator=rng) < 0.5 else turned


def error_after_taken(looking, panoramas, taken):
    seen = seen_from(looking.views, taken)
    square = (complete(Grey(), panoramas, seen).float() - panoramas.float()).div(255).square().mean(dim=1)
    return (square * looking.weights).sum(dim=(1, 2)).sqrt()


@pytest.mark.parametrize("seed", [2, 3])
def test_what_is_simulated_is_the_drop_of_the_error_and_what_comes_after(looking, seed):
    panoramas = noise_panoramas(3)
    states = simulate(looking, Grey(), panoramas, torch.Generator().manual_seed(seed))
    turned = shown(panoramas, seed)
    before = error_after_taken(looking, turned, states.taken)
    for direction in (0, 9, 23):
        also = states.taken.clone()
        also[:, direction] = True
        torch.testing.assert_close(
            states.gain[:, direction], GAIN * (before - error_after_taken(looking, turned, also))
        )
        picture = complete(Grey(), turned, seen_from(looking.views, also))
        assert torch.equal(states.after[:, direction], coarse(picture))
    assert (states.gain[states.taken] == 0).all()
    assert torch.equal(
        states.completed, coarse(complete(Grey(), turned, seen_from(looking.views, states.taken)))
    )


def test_some_glimpses_are_left_and_the_first_looks_ahead(looking):
    states = simulate(looking, Grey(), noise_panoramas(40), torch.Generator().manual_seed(0))
    assert states.taken[:, AHEAD].all()
    assert set(states.taken.sum(dim=1).tolist()) == {1, 2}
    assert len({tuple(row.tolist()) for row in states.taken}) > 10


def test_half_of_the_states_are_such_as_are_chosen(looking):
    chosen = torch.tensor([AHEAD, 3, 20])
    states = simulate(
        looking,
        Grey(),
        noise_panoramas(64),
        torch.Generator().manual_seed(0),
        lambda some: chosen.expand(len(some), 3),
    )
    two = states.taken[states.taken.sum(dim=1) == 2]
    own = F.one_hot(chosen[:2], DIRECTIONS).sum(dim=0).bool()
    assert 0.25 < (two == own).all(dim=1).float().mean() < 0.75


def test_coarse_pixels_are_means():
    panoramas = noise_panoramas(1)
    assert float(coarse(panoramas)[0, 1, 3, 5]) == pytest.approx(
        float(panoramas[0, 1, 6:8, 10:12].float().mean()), abs=0.5
    )
