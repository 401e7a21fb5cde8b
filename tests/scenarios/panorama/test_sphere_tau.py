"""Tau of a completed sphere: what it is of, that a known relation is found, and that it holds on average."""

import pytest
import torch
import torch.nn.functional as F

from clairvoy.scenarios.panorama.completion import complete
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, looks_at, seen_from
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.tau import SIGNS, WITHIN, SphereTau, right


class Guess:
    """Completes with grey; its draws differ everywhere alike, and it judges nothing."""

    def complete(self, rows, given, noise=None):
        level = 128.0 if noise is None else 128 + 20 * torch.randn(len(rows), 1, 1, 1, generator=noise)
        made = torch.as_tensor(level).expand(len(rows), 1, 1, 1).clamp(0, 255).to(torch.uint8)
        return torch.where(given, rows, made)

    def judge(self, rows):
        return torch.zeros(len(rows))


@pytest.fixture
def looking():
    return Looking(32, glimpses=3)


def half_grey(count):
    """Grey above the horizon, so that grey is right there; below it black."""
    panoramas = torch.full((count, 3, 32, 64), 128, dtype=torch.uint8)
    panoramas[:, :, 16:] = 0
    return panoramas


def some_taken(count, seed=0):
    order = torch.rand(count, DIRECTIONS, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    return order < 2


def test_right_is_within_a_tenth_of_the_range():
    truth = torch.full((1, 3, 8, 16), 100, dtype=torch.uint8)
    made = truth.clone()
    made[:, :, :4] += int(WITHIN * 255)
    made[:, :, 4:] += int(WITHIN * 255) + 1
    assert right(made, truth)[0, :4].all()
    assert not right(made, truth)[0, 4:].any()


def test_the_signs(looking):
    taken = F.one_hot(torch.tensor([AROUND + 2]), DIRECTIONS).bool()
    panoramas = half_grey(1)
    tau = SphereTau(looking, draws=4)
    completed = complete(Guess(), panoramas, seen_from(looking.views, taken))
    signs = tau.signs(Guess(), panoramas, taken, completed)
    assert signs.shape == (1, 32, 64, len(SIGNS))
    # The pixel straight ahead of direction AROUND + 2 lies a quarter to the right of the middle.
    assert looks_at(AROUND + 2)[0] == pytest.approx(torch.pi / 2)
    assert float(signs[0, 15:17, 47:49, 1].max()) < 0.08
    assert float(signs[0, 15:17, 15:17, 1].min()) > 3.0
    assert (signs[..., 2] == torch.pi).all()  # there is no second glimpse
    seen = seen_from(looking.views, taken)[0]
    assert float(signs[0, seen][:, 0].max()) < float(signs[0, ~seen][:, 0].min())


def test_a_known_relation_is_found_and_holds_for_each_direction(looking):
    tau = SphereTau(looking, draws=2)
    tau.fit(Guess(), half_grey(8), some_taken(8), most=8000)
    taken = some_taken(6, seed=1)
    told = tau(Guess(), half_grey(6), taken)
    seen = seen_from(looking.views, taken)
    assert (told.pixels[seen] == 1).all()
    assert float(told.pixels[:, :12][~seen[:, :12]].min()) > 0.8
    assert float(told.pixels[:, 20:][~seen[:, 20:]].max()) < 0.2
    share = tau.share_right(told.completed, half_grey(6), taken)
    assert (told.directions - share).abs().mean() < 0.05
    assert told.directions[taken] == pytest.approx(1)


def test_before_any_fit_it_is_a_half_where_nothing_was_seen(looking):
    taken = some_taken(1)
    told = SphereTau(looking, draws=2)(Guess(), half_grey(1), taken)
    assert set(told.pixels.unique().tolist()) == {0.5, 1.0}


def test_a_fit_is_kept(looking):
    tau, again = SphereTau(looking, draws=2), SphereTau(looking, draws=2)
    tau.fit(Guess(), half_grey(4), some_taken(4), most=2000)
    again.right.load_state_dict(tau.right.state_dict())
    first, second = (one(Guess(), half_grey(2), some_taken(2)) for one in (tau, again))
    assert torch.equal(first.pixels, second.pixels)
