"""The haze search against a scalar simulation of one episode at a time; resume; Gymnasium."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.errors import InputError, SettingsError
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes
from clairvoy.searching.glimpse import DOWN, LEFT, RIGHT, STAY, UP

MOVES = {RIGHT: (0, 1), LEFT: (0, -1), UP: (-1, 0), DOWN: (1, 0)}


class NaiveEpisode:
    """One search, written with plain numbers and sets."""

    def __init__(self, hazy, start, options):
        self.hazy = {tuple(place) for place in hazy.nonzero().tolist()}
        self.rows, self.cols = hazy.shape
        self.place, self.visited, self.recognised, self.steps = start, {start}, set(), 0
        self.options = options
        self.max_steps = max(1, round(options.budget * self.rows * self.cols))

    def step(self, action):
        self.steps += 1
        reward, terminated = -self.options.step, False
        if action == STAY:
            if self.place in self.recognised:
                terminated = True
            elif self.place in self.hazy:
                reward += 1
            else:
                reward -= self.options.false_alarm
            self.recognised.add(self.place)
        else:
            row, column = (a + b for a, b in zip(self.place, MOVES[action], strict=True))
            if not (0 <= row < self.rows and 0 <= column < self.cols):
                reward -= self.options.wall
            else:
                self.place = (row, column)
                if self.place in self.visited:
                    reward -= self.options.repeat
                self.visited.add(self.place)
        if self.hazy and self.hazy <= self.recognised:
            terminated = True
        return reward, terminated, self.steps >= self.max_steps and not terminated


penalty = st.sampled_from([0.0, 0.1, 0.5])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 4),
    cols=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    options=st.builds(
        HazeSearchSettings,
        budget=st.sampled_from([0.1, 0.5, 1.0, 2.5]),
        start=st.sampled_from(["random", "centre"]),
        step=penalty,
        false_alarm=penalty,
        wall=penalty,
        repeat=penalty,
    ),
    seed=st.integers(0, 10_000),
)
def test_every_step_equals_the_scalar_simulation(rows, cols, share, options, seed):
    check_against_simulation(rows, cols, share, options, seed)


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 4), cols=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_without_penalties_the_reward_is_one_for_new_haze_and_else_zero(rows, cols, seed):
    rewards = check_against_simulation(rows, cols, 0.4, HazeSearchSettings(budget=3.0), seed)
    assert set(rewards.unique().tolist()) <= {0.0, 1.0}


def check_against_simulation(rows, cols, share, options, seed, envs=6, steps=25):
    scenes = synthetic_scenes(5, rows, cols, seed)
    if share in (0.0, 1.0):
        scenes = SceneSet.of(scenes.windows, torch.full_like(scenes.hazy, bool(share)), scenes.beliefs)
    generator = torch.Generator().manual_seed(seed)
    search = HazeSearch(scenes, envs, options)
    search.reset(generator)

    def begin(env):
        return NaiveEpisode(search.hazy[env], tuple(search.position[env].tolist()), options)

    naive = [begin(env) for env in range(envs)]
    rewards = []
    for _ in range(steps):
        # Half of the actions recognise, so that episodes end in every way.
        draw = torch.randint(8, (envs,), generator=generator)
        actions = draw.clamp(max=STAY)
        step = search.step(actions)
        rewards.append(step.reward)
        for env, episode in enumerate(naive):
            reward, terminated, truncated = episode.step(int(actions[env]))
            assert float(step.reward[env]) == pytest.approx(reward, abs=1e-6)
            assert (bool(step.terminated[env]), bool(step.truncated[env])) == (terminated, truncated)
            assert tuple(step.info["position"][env].tolist()) == episode.place
            row, column = episode.place
            final = step.final_observation
            scene = int(step.info["scene"][env])
            assert torch.equal(final["window"][env], scenes.windows[scene, row, column])
            windows = rows * cols
            assert float(final["position"][env, 2]) == pytest.approx(len(episode.visited) / windows)
            assert float(final["position"][env, 3]) == pytest.approx(len(episode.recognised) / windows)
            left = 1 - episode.steps / episode.max_steps
            assert float(final["position"][env, 4]) == pytest.approx(left, abs=1e-6)
            if terminated or truncated:
                naive[env] = begin(env)
                assert float(step.observation["position"][env, 4]) == 1.0
                assert float(step.observation["position"][env, 3]) == 0.0
                assert search.memory.visited[env].sum() == 1
            else:
                for name, value in step.observation.items():
                    assert torch.equal(value[env], final[name][env])
    return torch.cat(rewards)


def one_scene(hazy_windows, rows=2, cols=3, **options):
    scenes = synthetic_scenes(1, rows, cols, seed=0)
    hazy = torch.zeros(1, rows, cols, dtype=torch.bool)
    for row, column in hazy_windows:
        hazy[0, row, column] = True
    options = HazeSearchSettings(**({"start": "centre", "budget": 5.0} | options))
    search = HazeSearch(SceneSet.of(scenes.windows, hazy, scenes.beliefs), 1, options)
    search.reset(torch.Generator().manual_seed(0))
    return search


def play(search, *actions):
    return [search.step(torch.tensor([action])) for action in actions]


def test_an_episode_told_by_hand():
    search = one_scene([(1, 1), (0, 2)])  # begins at row 1, column 1
    steps = play(search, STAY, UP, RIGHT, STAY)
    assert [float(s.reward) for s in steps] == [1, 0, 0, 1]
    assert [bool(s.terminated) for s in steps] == [False, False, False, True]
    assert [bool(s.info["recognised"]) for s in steps] == [True, False, False, True]
    assert [int(s.info["found"]) for s in steps] == [1, 1, 1, 2]
    assert steps[-1].info["position"].tolist() == [[0, 2]]
    assert search.position.tolist() == [[1, 1]]


def test_staying_on_a_settled_window_ends_the_episode():
    steps = play(one_scene([(0, 0)], false_alarm=0.25), STAY, STAY)
    assert [float(s.reward) for s in steps] == [-0.25, 0.0]
    assert [bool(s.info["false_alarm"]) for s in steps] == [True, False]
    assert [bool(s.terminated) for s in steps] == [False, True]


def test_penalties_are_told_apart():
    search = one_scene([(0, 0)], step=0.01, wall=0.1, repeat=1.0)
    rewards = [float(s.reward) for s in play(search, DOWN, RIGHT, LEFT, STAY)]
    assert rewards == pytest.approx([-0.11, -0.01, -1.01, -0.01])


def test_walls_are_masked_only_on_request():
    assert one_scene([(0, 0)]).action_mask().all()
    masked = one_scene([(0, 0)], mask_walls=True)
    assert masked.action_mask().tolist() == [[True, True, True, False, True]]
    step = play(masked, UP)[0]
    assert step.final_action_mask.tolist() == [[True, True, False, True, True]]


def test_a_preview_shows_beliefs_but_no_visits():
    blind, shown = one_scene([(0, 0)]), one_scene([(0, 0)], preview=True)
    assert int((blind.memory.belief[0, 0] > 0).sum()) == 1
    assert torch.equal(shown.memory.belief, shown.beliefs)
    assert int(shown.memory.visited.sum()) == 1


def test_scenes_are_drawn_by_weight():
    scenes = synthetic_scenes(3, 1, 2, seed=0)
    weighted = SceneSet.of(scenes.windows, scenes.hazy, scenes.beliefs, weight=torch.tensor([1.0, 0.0, 3.0]))
    index = weighted.draw(20_000, torch.Generator().manual_seed(0))
    frequency = torch.bincount(index, minlength=3) / 20_000
    torch.testing.assert_close(frequency, torch.tensor([0.25, 0.0, 0.75]), atol=0.01, rtol=0)


def test_swapped_scenes_come_with_the_next_episode_only():
    search = one_scene([(1, 1)])
    old = search.scenes
    new = SceneSet.of(
        255 - old.windows, ~old.hazy, 1 - old.beliefs, provenance=torch.ones(1, dtype=torch.uint8),
        tau=torch.tensor([0.5]),
    )  # fmt: skip
    search.set_scenes(new)
    step = play(search, STAY)[0]
    assert float(step.reward) == 1.0
    assert bool(step.terminated)
    assert [int(step.info[name]) for name in ("scene_set", "provenance")] == [0, 0]
    assert torch.equal(step.final_observation["window"][0], old.windows[0, 1, 1])
    assert torch.equal(step.observation["window"][0], new.windows[0, 1, 1])
    step = play(search, LEFT)[0]
    assert [float(step.info[name]) for name in ("scene_set", "provenance", "tau")] == [1, 1, 0.5]


def run(search, generator, steps):
    rows = []
    for _ in range(steps):
        step = search.step(torch.randint(5, (search.num_envs,), generator=generator))
        rows.append(
            torch.cat([step.reward, step.info["scene"].float(), step.observation["memory"].flatten()])
        )
    return torch.stack(rows)


@pytest.mark.parametrize("include_scenes", [True, False])
def test_resume_equals_the_uninterrupted_run(include_scenes):
    scenes, options = synthetic_scenes(6, 3, 3, seed=0), HazeSearchSettings(budget=0.7)

    def start():
        search, generator = HazeSearch(scenes, 4, options), torch.Generator().manual_seed(5)
        search.reset(generator)
        return search, generator

    whole = run(*start(), 30)
    assert torch.equal(run(*start(), 30), whole)
    search, generator = start()
    run(search, generator, 12)
    state = search.state_dict(include_scenes)
    run(search, generator, 5)  # must not reach into the saved state
    other = synthetic_scenes(2, 3, 3, seed=9) if include_scenes else scenes
    resumed, resumed_generator = HazeSearch(other, 4, options), torch.Generator()
    resumed.load_state_dict(state, resumed_generator)
    assert torch.equal(run(resumed, resumed_generator, 18), whole[12:])


def test_what_step_returned_is_not_changed_by_later_steps():
    search = HazeSearch(synthetic_scenes(6, 2, 2, seed=0), 5, HazeSearchSettings(budget=1.0))
    search.reset(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    kept = []
    for _ in range(12):
        step = search.step(torch.randint(5, (5,), generator=generator))
        tensors = [*step.info.values(), *step.observation.values(), *step.final_observation.values()]
        kept.append((tensors, [tensor.clone() for tensor in tensors]))
    for tensors, copies in kept:
        assert all(torch.equal(a, b) for a, b in zip(tensors, copies, strict=True))


def test_bad_input_is_named():
    scenes = synthetic_scenes(2, 2, 3, seed=0)
    fields = {name: getattr(scenes, name) for name in SceneSet.__dataclass_fields__}
    for name, value, message in [
        ("windows", scenes.windows.float(), "windows is"),
        ("windows", scenes.windows[..., :16], "windows have shape"),
        ("windows", scenes.windows[:0], "no scene"),
        ("hazy", scenes.hazy[:, :1], "hazy is"),
        ("beliefs", scenes.beliefs * 2, "beliefs must lie"),
        ("tau", scenes.tau * float("nan"), "tau must lie"),
        ("provenance", scenes.provenance + 2, "provenance must lie"),
        ("weight", scenes.weight * 0, "weight must be"),
    ]:
        with pytest.raises(InputError, match=message):
            SceneSet(**(fields | {name: value}))
    search = HazeSearch(scenes, 2)
    with pytest.raises(InputError, match="call reset"):
        search.action_mask() if search.settings.mask_walls else search.step(torch.zeros(2).long())
    with pytest.raises(InputError, match="call reset"):
        search.state_dict()
    search.reset(torch.Generator())
    with pytest.raises(InputError, match="actions have shape"):
        search.step(torch.zeros(3).long())
    with pytest.raises(InputError, match="grid"):
        search.set_scenes(synthetic_scenes(2, 3, 3, seed=0))
    with pytest.raises(InputError, match="searches, rows and columns"):
        HazeSearch(scenes, 3).load_state_dict(search.state_dict())
    with pytest.raises(SettingsError, match="num_envs"):
        HazeSearch(scenes, 0)


@pytest.mark.parametrize(
    "options", [{"budget": 0.0}, {"start": "left"}, {"wall": -1.0}, {"step": float("nan")}]
)
def test_settings_out_of_range_are_named(options):
    with pytest.raises(SettingsError, match=next(iter(options))):
        HazeSearchSettings(**options)
