"""Looking around: geometry by closed forms, the game's rewards, and the ways to choose that it is compared with."""

import math

import numpy as np
import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.imaging.synthesis.panoramas import FARTHEST, render_panorama, sphere_rays
from clairvoy.scenarios.own.scene_environment import SceneEnvironment
from clairvoy.scenarios.panorama.baselines import (
    along_the_equator,
    best_list,
    by_chance,
    by_oracle,
    by_variance,
    error_after,
    from_list,
)
from clairvoy.scenarios.panorama.completion import completion, glimpse_masks, learn_completion
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, error, seen_from, solid_angles, views
from clairvoy.scenarios.panorama.looking import DOWN, GAIN, LEFT, RIGHT, STAY, UP, Looking


class MeanOfSeen:
    """Completes by the mean colour of what is seen, grey without: a generator whose answers are known."""

    def complete(self, rows, seen, noise=None):
        known = seen.float()
        mean = (rows * known).sum(dim=(2, 3)) / known.sum(dim=(2, 3)).clamp(min=1)
        mean = torch.where(known.sum(dim=(2, 3)) > 0, mean, torch.full_like(mean, 128))
        return torch.where(seen, rows, mean[:, :, None, None].round().to(torch.uint8))


def spheres(count, height=16, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [render_panorama(height, rng)[0] for _ in range(count)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()


def test_solid_angles_are_parts_of_the_sphere():
    weights = solid_angles(32)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
    cap = (1 - math.cos(math.pi / 4)) / 2  # of the sphere within 45 degrees of the zenith
    assert float(weights[:8].sum()) == pytest.approx(cap, abs=1e-6)


def test_a_view_has_the_solid_angle_of_a_square_field():
    of_views, weights = views(64, 90.0), solid_angles(64)
    share = (of_views * weights).sum(dim=(1, 2))
    # Six square views of 90 degrees are the whole sphere: each is a sixth.
    torch.testing.assert_close(share, torch.full((DIRECTIONS,), 1 / 6), atol=0.006, rtol=0)
    ahead = of_views[AROUND]
    assert bool(ahead[32, 64])
    assert not bool(ahead[32, 0])
    assert torch.equal(of_views[AROUND + 3], ahead.roll(3 * 16, dims=1))
    assert bool(of_views[0][16, 64])  # 45 degrees up
    assert bool(of_views[2 * AROUND][48, 64])


def test_rays_look_where_the_projection_says():
    rays = sphere_rays(64)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1)
    np.testing.assert_allclose(rays[32, 64], [0, 0, 1], atol=0.05)
    np.testing.assert_allclose(rays[32, 96], [1, 0, 0], atol=0.05)
    np.testing.assert_allclose(rays[0, 10], [0, -1, 0], atol=0.05)


def test_rendered_panoramas_are_repeatable_and_have_distances():
    one, two = (render_panorama(16, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one[0], two[0])
    rng = np.random.default_rng(0)
    for _ in range(8):
        rgb, distance = render_panorama(16, rng)
        assert rgb.shape == (16, 32, 3)
        assert distance.min() > 0.1
        assert distance.max() <= FARTHEST
        assert 5 < rgb.mean() < 250


def test_the_five_actions_turn_and_look():
    looking, scene = Looking(16, glimpses=2), spheres(1)
    state = looking.begin(scene, torch.Generator().manual_seed(0), MeanOfSeen())
    state["looks"][:] = AROUND
    for action, looks in ((LEFT, AROUND + 7), (RIGHT, AROUND), (UP, 0), (DOWN, AROUND), (STAY, AROUND)):
        before = state
        state, reward, over = looking.act(scene, state, torch.tensor([action]), snapshot=MeanOfSeen())
        assert int(state["looks"]) == looks
        assert not bool(over)
        if action != STAY:
            assert float(reward) == 0
    drop = error(before["completed"], scene, looking.weights) - error(
        state["completed"], scene, looking.weights
    )
    assert float(reward) == pytest.approx(GAIN * float(drop), abs=1e-5)
    assert not looking.allow(scene, state)[0, STAY]
    state["looks"][:] = 0
    assert looking.allow(scene, state)[0].tolist() == [True, True, False, True, True]
    _, _, over = looking.act(scene, state, torch.tensor([STAY]), snapshot=MeanOfSeen())
    assert bool(over)


def test_rewards_of_an_episode_are_the_whole_drop_of_the_error():
    looking, scene = Looking(16, glimpses=3), spheres(1)
    environment = SceneEnvironment(
        scene, 1, looking.rules, Snapshot(completion(scene.repeat(2, 1, 1, 1), looking.views, 16))
    )
    environment.reset(torch.Generator().manual_seed(0))
    begun = float(error(environment.state["completed"], scene, looking.weights))
    total, chosen = 0.0, []
    for action in (STAY, RIGHT, STAY, RIGHT, STAY):
        if action == STAY:
            chosen.append(int(environment.state["looks"]))
        total += float(environment.step(torch.tensor([action])).reward)
    ended = error_after(looking, environment.snapshot, scene, torch.tensor([chosen]))
    assert total == pytest.approx(GAIN * (begun - float(ended)), abs=1e-4)


def test_what_is_shown_is_turned_so_that_the_agent_looks_ahead():
    looking, scene = Looking(32), spheres(1, 32)
    state = looking.begin(scene, torch.Generator().manual_seed(0), MeanOfSeen())
    state["completed"], state["taken"][:, AROUND + 3] = scene, True
    state["looks"][:] = AROUND
    ahead = looking.show(scene, state)
    state["looks"][:] = AROUND + 3
    turned = looking.show(scene, state)
    assert turned["sphere"].dtype == torch.uint8
    assert torch.equal(turned["sphere"], ahead["sphere"].roll(-6, dims=3))
    assert turned["taken"][0].nonzero().tolist() == [[AROUND]]


def test_masks_of_glimpses_show_one_to_ten():
    of_views = views(16)
    seen = glimpse_masks(of_views)(200, torch.Generator().manual_seed(0))[:, 0]
    assert int(seen.flatten(1).sum(dim=1).min()) >= int(of_views.flatten(1).sum(dim=1).min())
    both = torch.zeros(1, DIRECTIONS, dtype=torch.bool)
    both[0, [1, 9]] = True
    assert torch.equal(seen_from(of_views, both)[0], of_views[1] | of_views[9])


def test_ways_to_choose_do_what_they_say():
    looking, panoramas, snapshot = Looking(16), spheres(6), MeanOfSeen()
    mean = {
        "chance": by_chance(6, 4, torch.Generator().manual_seed(0)),
        "equator": from_list(along_the_equator(4), 6),
        "list": from_list(best_list(looking, snapshot, panoramas, 4), 6),
        "oracle": by_oracle(looking, snapshot, panoramas, 4),
        "variance": by_variance(looking, snapshot, panoramas, 4),
    }
    told = {
        name: float(error_after(looking, snapshot, panoramas, chosen).mean()) for name, chosen in mean.items()
    }
    assert told["oracle"] == min(told.values())
    assert told["list"] <= told["equator"]
    assert all(len(set(row)) == 4 for chosen in mean.values() for row in chosen.tolist())
    assert along_the_equator(2) == [AROUND, AROUND + 4]


def test_completion_learns_and_sizes_are_checked():
    real = spheres(12)
    looking = Looking(16)
    chosen = from_list(along_the_equator(4), 12)

    def errors(updates):
        learner = learn_completion(real, looking.views, updates=updates, batch=12, width=32, seed=1)
        return error_after(looking, Snapshot(learner.averaged), real, chosen)

    assert torch.equal(errors(5), errors(5))
    assert errors(200).mean() < 0.9 * errors(1).mean()
    with pytest.raises(SettingsError, match="height is 20"):
        Looking(20)
