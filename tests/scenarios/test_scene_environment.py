"""Scenes and rules make an environment: episodes, ends, exchanged scenes, resume; errors name the rule."""

import pytest
import torch

from clairvoy.errors import InputError, SettingsError
from clairvoy.scenarios.met_rows import MetRows
from clairvoy.scenarios.scene_environment import Rules, SceneEnvironment, scenes_acted_in


def count_to(scene, state, action):
    """A scene is a number (1,): the episode ends when as many ones were chosen; each pays 1."""
    total = state["total"] + action[:, None]
    return {"total": total}, action.float(), total[:, 0] >= scene[:, 0]


RULES = Rules(
    2,
    lambda scene, rng: {"total": torch.zeros(len(scene), 1, dtype=torch.int64)},
    lambda scene, state: {"total": state["total"].float()},
    count_to,
    max_steps=3,
)


def environment(*scenes, num_envs=2):
    made = SceneEnvironment(torch.tensor(scenes)[:, None], num_envs, RULES)
    made.reset(torch.Generator().manual_seed(0))
    return made


def test_episodes_end_by_the_rules_or_are_cut_off():
    played = environment(2)
    go = torch.tensor([1, 0])
    steps = [played.step(go) for _ in range(4)]
    assert [s.terminated.tolist() for s in steps] == [
        [False, False],
        [True, False],
        [False, False],
        [True, False],
    ]
    assert [s.truncated.tolist() for s in steps] == [
        [False, False],
        [False, False],
        [False, True],
        [False, False],
    ]
    assert [s.reward.tolist() for s in steps] == [[1, 0]] * 4
    assert [s.final_observation["total"][0].item() for s in steps] == [1, 2, 1, 2]
    assert [s.observation["total"][0].item() for s in steps] == [1, 0, 1, 0]


def test_scenes_are_exchanged_at_the_next_episode_and_tell_where_they_come_from():
    played = environment(2)
    played.set_scenes(
        torch.tensor([[3]]),
        torch.ones(1, dtype=torch.uint8),
        torch.tensor([0.25]),
        torch.tensor([[0.1, 0.9]]),
    )
    steps = [played.step(torch.tensor([1, 1])) for _ in range(5)]
    assert [s.terminated[0].item() for s in steps] == [False, True, False, False, True]
    assert [s.info["tau"][0].item() for s in steps] == [1, 1, 0.25, 0.25, 0.25]
    assert [s.info["provenance"][0].item() for s in steps] == [0, 0, 1, 1, 1]
    assert steps[1].final_observation["belief"][0].tolist() == [0, 0]
    torch.testing.assert_close(steps[1].observation["belief"][0], torch.tensor([0.1, 0.9]))
    assert scenes_acted_in(steps[1]).tolist() == [[2], [2]]
    assert scenes_acted_in(steps[4]).tolist() == []  # generated: nothing to learn from


def test_resume_goes_on_inside_episodes():
    one, actions = environment(1, 2, 3, 2, 1, num_envs=8), torch.Generator().manual_seed(3)
    drawn = torch.randint(2, (12, 8), generator=actions)
    for action in drawn[:5]:
        one.step(action)
    saved = one.state_dict()
    later = [one.step(action) for action in drawn[5:]]
    other = environment(9, num_envs=8)
    other.load_state_dict(saved, torch.Generator())
    for action, step in zip(drawn[5:], later, strict=True):
        again = other.step(action)
        assert torch.equal(again.observation["total"], step.observation["total"])
        assert torch.equal(again.terminated, step.terminated)


def test_what_a_rule_gives_wrongly_is_named():
    def changed(**rules):
        return SceneEnvironment(torch.tensor([[2]]), 2, Rules(**{**vars(RULES), **rules}))

    with pytest.raises(InputError, match="begin gave total of shape"):
        changed(begin=lambda scene, rng: {"total": torch.zeros(7, 1)})
    with pytest.raises(InputError, match="show gave total of shape"):
        changed(show=lambda scene, state: {"total": torch.zeros(5, 1)})
    with pytest.raises(InputError, match="act gave rewards of shape"):
        changed(act=lambda scene, state, action: (state, torch.zeros(2, 1), torch.zeros(2))).step(
            torch.zeros(2)
        )
    with pytest.raises(InputError, match="act gave the state's total as missing"):
        changed(act=lambda scene, state, action: ({}, torch.zeros(2), torch.zeros(2))).step(torch.zeros(2))
    with pytest.raises(InputError, match=r"allow gave a mask of shape \(2, 3\)"):
        changed(allow=lambda scene, state: torch.ones(2, 3)).action_mask()
    with pytest.raises(InputError, match=r"scenes are \(4,\)"):
        environment(2).set_scenes(torch.zeros(1, 4), torch.zeros(1), torch.ones(1), torch.zeros(1, 2))
    with pytest.raises(SettingsError, match="num_actions is 1"):
        Rules(**{**vars(RULES), "num_actions": 1})


def test_met_rows_are_drawn_by_what_there_is_to_learn_and_the_oldest_go():
    met = MetRows(torch.zeros(1, 1), 4)
    met.add(torch.arange(6.0)[:, None], torch.tensor([9.0, 9.0, 0.0, 1.0, 2.0, 30.0]))
    assert sorted(met.rows[:, 0].tolist()) == [2, 3, 4, 5]
    # m exp(-m / 1): the median of 0, 1, 2, 30 is 1 (the lower middle).
    m = torch.tensor([2.0, 30.0, 0.0, 1.0])
    torch.testing.assert_close(met.attention(), m * torch.exp(-m) + 1e-9)
    drawn = met.draw(400, torch.Generator().manual_seed(0))[:, 0]
    share = torch.exp(torch.tensor(-1.0)) / (
        torch.exp(torch.tensor(-1.0)) + 2 * torch.exp(torch.tensor(-2.0))
    )
    assert (drawn == 3).float().mean() == pytest.approx(float(share), abs=0.07)
    met.look_again(lambda rows: rows[:, 0])
    assert met.misunderstood.tolist() == met.rows[:, 0].tolist()
