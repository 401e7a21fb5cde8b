"""Recognising haze on the sphere: what is hazy, what pays, when it ends, and that it can be learnt of."""

import numpy as np
import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.scenarios.own.scene_environment import SceneEnvironment
from clairvoy.scenarios.panorama.directions import AROUND
from clairvoy.scenarios.panorama.haze import HazyViews, HazyViewsSettings, fog_bank, render_hazy
from clairvoy.scenarios.panorama.looking import DOWN, LEFT, RIGHT, STAY, UP

LEVEL = AROUND


def scene_with(*directions, height=16):
    """A grey row in which some views, and they alone, are all fog."""
    row = torch.full((4, height, 2 * height), 100, dtype=torch.uint8)
    row[3] = 0
    for direction in directions:
        row[3][HazyViews(height).views[direction]] = 255
    return row[None]


def state_at(rules, scene, direction):
    state = rules.begin(scene, torch.Generator().manual_seed(0))
    state["looks"][:] = direction
    state["visited"][:] = False
    state["visited"][:, direction] = True
    return state


def play(rules, scene, state, *actions):
    told = []
    for action in actions:
        state, reward, over = rules.act(scene, state, torch.tensor([action]))
        told.append((float(reward), bool(over)))
    return state, told


def test_a_view_is_hazy_by_its_mean():
    rules = HazyViews(16, HazyViewsSettings(hazy_from=0.9))
    assert rules.hazy(scene_with(LEVEL + 3))[0].nonzero()[:, 0].tolist() == [LEVEL + 3]
    assert HazyViews(16, HazyViewsSettings(hazy_from=0.3)).hazy(scene_with(LEVEL + 3)).sum() > 1


def test_recognising_pays_once_and_the_last_one_ends_it():
    rules = HazyViews(16, HazyViewsSettings(hazy_from=0.9))
    scene = scene_with(LEVEL, LEVEL + 2)
    state, told = play(rules, scene, state_at(rules, scene, LEVEL), STAY, RIGHT, STAY, RIGHT, STAY)
    assert told == [(1, False), (0, False), (0, False), (0, False), (1, True)]
    assert state["settled"][0].nonzero()[:, 0].tolist() == [LEVEL, LEVEL + 1, LEVEL + 2]
    _, told = play(rules, scene, state_at(rules, scene, LEVEL), STAY, STAY)
    assert told == [(1, False), (0, True)]  # done, it says


def test_penalties_are_terms_of_their_own():
    rules = HazyViews(16, HazyViewsSettings(hazy_from=0.9, false_alarm=0.5, step=0.1))
    scene = scene_with(LEVEL)
    _, told = play(rules, scene, state_at(rules, scene, LEVEL + 1), STAY, LEFT, STAY)
    assert [reward for reward, _ in told] == pytest.approx([-0.6, -0.1, 0.9])


def test_the_agent_turns_and_remembers_what_it_saw():
    rules = HazyViews(16)
    scene = scene_with(LEVEL)
    state, _ = play(rules, scene, state_at(rules, scene, LEVEL + 7), RIGHT, UP)
    assert state["looks"].tolist() == [0]
    assert state["visited"][0].nonzero()[:, 0].tolist() == [0, LEVEL, LEVEL + 7]
    mask = rules.allow(scene, state)
    assert mask.tolist() == [[True, True, False, True, True]]
    shown = rules.show(scene, state)
    assert shown["sphere"].shape == (1, 4, 4, 8)
    assert shown["elevation"].tolist() == [[True, False, False]]
    # Turned so that the agent looks ahead: what was seen lies ahead and to the left of it.
    turned, _ = play(rules, scene, state, DOWN, RIGHT)
    seen = rules.show(scene, turned)["visited"].view(3, AROUND)
    assert seen[1].nonzero()[:, 0].tolist() == [0, 6, 7]
    # What was not looked at is black, whatever is there.
    assert (shown["sphere"][0, :3][:, shown["sphere"][0, 3] == 0] == 0).all()


def test_the_truth_is_not_shown():
    rules = HazyViews(16)
    scene = scene_with(LEVEL)
    other = scene.clone()
    other[:, 3] = 255 - other[:, 3]
    state = state_at(rules, scene, LEVEL)
    for name, value in rules.show(scene, state).items():
        assert torch.equal(value, rules.show(other, state)[name])


def test_fog_is_thicker_where_things_are_farther():
    near, far = np.full((16, 32), 2.0, np.float32), np.full((16, 32), 2.0, np.float32)
    far[:8] = 6.0
    t_near, t_far = (fog_bank(one, np.random.default_rng(1)) for one in (near, far))
    assert ((t_near > 0) & (t_near <= 1)).all()
    assert t_far[:8].mean() < t_near[:8].mean()
    assert t_near.max() > 0.95  # and there is a side without
    assert t_near.min() < 0.7


def test_it_is_an_environment_of_rendered_panoramas():
    rows = torch.from_numpy(np.stack([render_hazy(16, np.random.default_rng(seed)) for seed in range(3)]))
    assert rows.shape == (3, 4, 16, 32)
    again = render_hazy(16, np.random.default_rng(0))
    assert np.array_equal(rows[0].numpy(), again)
    environment = SceneEnvironment(rows, 2, HazyViews(16, HazyViewsSettings(steps=4)).rules)
    environment.reset(torch.Generator().manual_seed(0))
    for _ in range(5):
        step = environment.step(torch.tensor([RIGHT, STAY]))
    assert step.reward.shape == (2,)


def test_bad_settings():
    with pytest.raises(SettingsError, match="hazy_from"):
        HazyViewsSettings(hazy_from=2)
    with pytest.raises(SettingsError, match="steps"):
        HazyViewsSettings(steps=0)
