"""What the agent met: which sets are remembered, what weighs how much, what is drawn."""

import math

import pytest
import torch

from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.scenarios.haze.met_scenes import MetScenes


def scenes(count, shade):
    """Scenes of one shade each, so that a drawn scene can be told."""
    value = torch.full((count, 3, 16, 16), shade)
    depth = torch.full((count, 1, 2, 2), 10 * shade)
    return SyntheticPairs(
        value, value, torch.zeros(count, 1, 16, 16), torch.full((count, 3, 1, 1), shade), depth
    )


@pytest.fixture
def met():
    """Two sets of three scenes kept; in the first, scene 2 is simulated."""
    met = MetScenes(3, 2, 16)
    error = torch.zeros(3, 8, 8)
    error[0], error[1], error[2] = 0.1, 0.3, 0.3
    met.add(scenes(3, 0.2), error, torch.tensor([True, True, False]))
    return met


def recognise(met, scene_set, scene, row, column):
    place = torch.tensor([[row, column]])
    met.recognise(torch.tensor([scene_set]), torch.tensor([scene]), place)


def test_attention_is_the_mean_over_recognised_windows_of_the_formula(met):
    assert not met.attention().any()
    recognise(met, 0, 0, 0, 0)
    recognise(met, 0, 0, 5, 5)
    recognise(met, 0, 1, 2, 3)
    # Errors of the recognised windows: 0.1, 0.1, 0.3; their median is 0.1.
    expected = [0.1 * math.exp(-1), 0.3 * math.exp(-3), 0, 0, 0, 0]
    assert met.attention().tolist() == pytest.approx(expected, abs=1e-7)


def test_what_is_well_understood_and_what_is_out_of_reach_weigh_less_than_what_lies_between(met):
    met.misunderstood[:2] = 0.1
    met.misunderstood[0, 0, 0], met.misunderstood[1, 0, 0] = 0.001, 5.0
    for scene, places in ((0, [(0, 0)]), (1, [(0, 0)])):
        for row, column in places:
            recognise(met, 0, scene, row, column)
    low = met.attention()[:2]
    met.recognised[:] = False
    for scene in (0, 1):
        recognise(met, 0, scene, 4, 4)
    assert (met.attention()[:2] > low).all()


def test_simulated_scenes_are_never_drawn(met):
    recognise(met, 0, 2, 0, 0)
    assert not met.attention().any()
    rng = torch.Generator().manual_seed(0)
    met.airlight[:3, 0, 0, 0] = torch.tensor([0.1, 0.2, 0.3])
    drawn = met.draw(200, rng, by_attention=True).airlight[:, 0, 0, 0]
    assert sorted(set(drawn.tolist())) == pytest.approx([0.1, 0.2])


def test_scenes_are_drawn_in_proportion_to_attention(met):
    recognise(met, 0, 0, 0, 0)
    recognise(met, 0, 1, 0, 0)
    met.airlight[:2, 0, 0, 0] = torch.tensor([0.1, 0.2])
    weight = met.attention()[:2]
    drawn = met.draw(4000, torch.Generator().manual_seed(0), by_attention=True).airlight[:, 0, 0, 0]
    share = float((drawn < 0.15).float().mean())
    assert share == pytest.approx(float(weight[0] / weight.sum()), abs=0.03)
    alike = met.draw(4000, torch.Generator().manual_seed(0), by_attention=False).airlight[:, 0, 0, 0]
    assert float((alike < 0.15).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_what_is_drawn_is_what_was_met(met):
    """All parts of one scene come together; its pictures are kept as bytes."""
    shades = torch.tensor([0.2, 0.6])
    met.add(scenes(3, 0.6), torch.full((3, 8, 8), 0.1), torch.ones(3, dtype=torch.bool))
    drawn = met.draw(50, torch.Generator().manual_seed(0), by_attention=False)
    shade = drawn.airlight[:, 0, 0, 0]
    assert set(shade.tolist()) == set(shades.tolist())
    torch.testing.assert_close(drawn.depth, (10 * shade).view(50, 1, 1, 1).expand(50, 1, 2, 2))
    for pictures in (drawn.hazy, drawn.clear):
        torch.testing.assert_close(pictures.mean(dim=(1, 2, 3)), shade, atol=0.002, rtol=0)


def test_an_episode_in_an_older_set_still_counts_until_that_set_is_forgotten(met):
    met.add(scenes(3, 0.5), torch.full((3, 8, 8), 0.1), torch.ones(3, dtype=torch.bool))
    recognise(met, 0, 1, 7, 7)
    assert met.recognised[1, 7, 7]
    met.add(scenes(3, 0.8), torch.full((3, 8, 8), 0.1), torch.ones(3, dtype=torch.bool))
    assert not met.recognised[:3].any()  # the third set took the first one's place
    recognise(met, 0, 1, 6, 6)
    assert not met.recognised.any()
    recognise(met, 2, 1, 6, 6)
    assert met.recognised[1, 6, 6]
    assert met.draw(1, torch.Generator().manual_seed(1), True).hazy.mean() == pytest.approx(0.8, abs=0.002)


def test_it_goes_on_from_its_state(met):
    recognise(met, 0, 1, 0, 0)
    other = MetScenes(3, 2, 16)
    other.load_state_dict(met.state_dict())
    one, two = (m.draw(5, torch.Generator().manual_seed(3), True) for m in (met, other))
    assert torch.equal(one.hazy, two.hazy)
    met.recognised[:] = False
    assert other.recognised.any()  # copies, not views
