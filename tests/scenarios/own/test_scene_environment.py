"""Scenes and rules make an environment: episodes, ends, exchanged scenes, resume; errors name the rule."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from corridor import Corridor

from clairvoy.environments.stable_baselines import as_vec_env
from clairvoy.environments.to_gymnasium import GymnasiumEnv
from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.pqn import PQN
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import collect
from clairvoy.qlearning.stretch import record
from clairvoy.scenarios.own.met_rows import MetRows
from clairvoy.scenarios.own.scene_environment import Rules, SceneEnvironment, scenes_acted_in

ROOT = Path(__file__).parents[3]


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
    # What `act` gives is tried when the environment is made.
    for act, says in (
        (lambda scene, state, action: (state, torch.zeros(2, 1), torch.zeros(2)), "rewards of shape"),
        (lambda scene, state, action: ({}, torch.zeros(2), torch.zeros(2)), "the state's total as missing"),
        (
            lambda scene, state, action: (state, 1.0, torch.zeros(2)),
            "rewards as a single number; give one for each",
        ),
        (lambda scene, state, action: (state, torch.zeros(2), False), "ends as a single number"),
        (lambda scene, state, action: (state, torch.zeros(3), torch.zeros(2)), r"rewards of shape \(3,\)"),
        (
            lambda scene, state, action: (state, None, torch.zeros(2)),
            "rewards as a NoneType that is no tensor",
        ),
        (lambda scene, state, action: (state, torch.zeros(2)), "a tuple; it gives three things"),
        (
            lambda scene, state, action: (state["total"], torch.zeros(2), torch.zeros(2)),
            "a Tensor; it gives tensors by",
        ),
    ):
        with pytest.raises(InputError, match=f"act gave {says}"):
            changed(act=act)
    with pytest.raises(InputError, match="begin gave total as a single number"):
        changed(begin=lambda scene, rng: {"total": 0})
    with pytest.raises(InputError, match="show gave 'belief', which is added here"):
        changed(show=lambda scene, state: {"belief": torch.zeros(2, 2)})
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
    met.weigh_again(lambda rows: rows[:, 0])
    assert met.misunderstood.tolist() == met.rows[:, 0].tolist()


def test_arrays_and_lists_are_as_good_as_tensors():
    """The same game, its rules written with NumPy and with lists."""
    plain, other = environment(2, 3), None
    rules = Rules(
        2,
        lambda scene, rng: {"total": [[0]] * len(scene)},
        lambda scene, state: {"total": state["total"].numpy().astype(np.float64)},
        lambda scene, state, action: (
            {"total": state["total"].numpy() + action.numpy()[:, None]},
            [float(a) for a in action],
            (state["total"] + action[:, None] >= scene)[:, 0].numpy(),
        ),
        max_steps=3,
        allow=lambda scene, state: [[True, True]] * 2,
    )
    other = SceneEnvironment(torch.tensor([2, 3])[:, None], 2, rules)
    other.reset(torch.Generator().manual_seed(0))
    assert other.observation_specs["total"].dtype == torch.float32
    for _ in range(7):
        want, got = (one.step(torch.tensor([1, 1])) for one in (plain, other))
        assert torch.equal(want.reward, got.reward)
        assert torch.equal(want.terminated, got.terminated)
        assert torch.equal(want.final_observation["total"], got.final_observation["total"])


def in_place(scene, rng=None):
    """State that is a view of the scene, and shares one buffer with it."""
    return {"total": scene}


def careless():
    """Counts down in the scene itself, shows the state itself, and gives the same buffers at each step."""
    paid, over = torch.zeros(2), torch.zeros(2, dtype=torch.bool)

    def act(scene, state, action):
        state["total"] -= action[:, None]
        scene[:] = -7
        paid[:] = action.float()
        over[:] = state["total"][:, 0] <= 0
        return state, paid, over

    def show(scene, state):
        scene += 100
        return {"total": state["total"]}

    def allow(scene, state):
        state["total"].zero_()
        return torch.ones(2, 2, dtype=torch.bool)

    return Rules(2, in_place, show, act, max_steps=9, allow=allow)


def test_rules_that_change_tensors_in_place_change_nothing_that_was_seen():
    scenes = torch.tensor([[3], [4]])
    played = SceneEnvironment(scenes, 2, careless())
    history = History(HistorySettings(capacity=100, n_step=1), 2, 2, torch.Generator())
    seen = played.reset(torch.Generator().manual_seed(0))
    first = seen["total"].clone()
    collect(played, lambda shown, mask: torch.ones(2, dtype=torch.int64), history, seen, 12)
    held = history.recent(100)
    before, after = held.observation["total"][:, 0], held.next_observation["total"][:, 0]
    assert torch.equal(after, before - 1)
    assert torch.equal(held.discount == 0, after == 0)
    assert set(before.tolist()) == {1, 2, 3, 4}
    assert held.reward.tolist() == [1.0] * len(held)
    assert torch.equal(seen["total"], first)
    assert scenes.tolist() == [[3], [4]]


class OneTensor(Corridor):
    """Shows the same tensor at each step, changed."""

    def _observation(self):
        shown = super()._observation()["cell"]
        if not hasattr(self, "shown"):
            self.shown = shown.clone()
        self.shown.copy_(shown)
        return {"cell": self.shown}


def test_an_environment_that_shows_one_tensor_changed_at_each_step_is_no_harm():
    go = torch.Generator().manual_seed(1)
    kept = []
    for kind in (Corridor, OneTensor):
        history = History(HistorySettings(capacity=200, n_step=1), 4, 2, torch.Generator())
        corridor = kind(4)
        seen = corridor.reset(torch.Generator().manual_seed(0))
        go.manual_seed(1)
        collect(corridor, lambda shown, mask: torch.randint(2, (4,), generator=go), history, seen, 30)
        kept.append(history.recent(200).observation["cell"])
        corridor.reset(torch.Generator().manual_seed(0))
        agent = PQN(QNetwork(VectorEncoder({"cell": (8,)}, 8), 8, 2))
        initialise(agent.network, torch.Generator().manual_seed(2))
        stretch, _ = record(
            agent, corridor, corridor._observation(), 20, 0.5, torch.Generator().manual_seed(3)
        )
        kept.append(stretch.observation["cell"])
    assert torch.equal(kept[0], kept[2])
    assert torch.equal(kept[1], kept[3])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_what_scenes_show_has_bounds_that_gymnasium_can_hold(dtype):
    def show(scene, state):
        return {"total": (state["total"] > 0).to(dtype)}

    played = SceneEnvironment(torch.tensor([[2]]), 1, Rules(**{**vars(RULES), "show": show}))
    spec = played.observation_specs["total"]
    assert (spec.low, spec.high) == {
        torch.bool: (0, 1), torch.uint8: (0, 255), torch.int64: (-(2.0**63), 2.0**63),
        torch.float32: (-torch.inf, torch.inf),
    }[dtype]  # fmt: skip
    env = GymnasiumEnv(played)
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    assert env.observation_space.contains(env.step(1)[0])


def test_the_example_that_is_shipped_goes_to_gymnasium_and_stable_baselines():
    pytest.importorskip("stable_baselines3", reason="the optional package stable-baselines3 is not installed")
    from gymnasium.utils.env_checker import check_env
    from stable_baselines3 import DQN

    drilling = runpy.run_path(str(ROOT / "examples/own_scenario.py"))["drilling"]().environment
    check_env(GymnasiumEnv(SceneEnvironment(drilling.scenes, 1, drilling.rules)), skip_render_check=True)
    model = DQN("MultiInputPolicy", as_vec_env(drilling), learning_starts=32, buffer_size=500, seed=0)
    model.learn(128)
    shown = drilling.reset(torch.Generator().manual_seed(0))
    assert model.predict({name: value.numpy() for name, value in shown.items()})[0].shape == (32,)
