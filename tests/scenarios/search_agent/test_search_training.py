"""Training of the search agent on grids of several sizes: the mixed environment, orientations, and that it learns."""

from dataclasses import replace

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.qlearning.pqn import PQNSettings
from clairvoy.qlearning.rounds import Limits
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes
from clairvoy.scenarios.search_agent.baselines import explorer
from clairvoy.scenarios.search_agent.mixed_search import MixedSearch
from clairvoy.scenarios.search_agent.training import (
    GridSettings,
    SearchTraining,
    SearchTrainingSettings,
    judge,
    train_search,
    turned,
)  # fmt: skip
from clairvoy.searching.glimpse import STAY

SEARCH = HazeSearchSettings(budget=2.5, preview=0.5, end_when_found=False, step=0.005, false_alarm=0.4)
SETTINGS = SearchTrainingSettings(
    grids=(GridSettings(3, 40, 12), GridSettings(4, 20, 12)), steps=7_680, search=SEARCH,
    pqn=PQNSettings(
        gamma=0.9, trace_decay=0.8, stretch=8, minibatches=2, learning_rate=3e-3, epsilon=(0.15, 0.02)
    ),
    turn_every=20, judge_every=40,
)  # fmt: skip


def sets(seed):
    return [synthetic_scenes(grid.scenes, grid.side, grid.side, seed) for grid in SETTINGS.grids]


def test_a_mixed_search_is_its_searches_side_by_side():
    def searches():
        return [HazeSearch(scenes, 3, SEARCH) for scenes in sets(0)]

    mixed, alone = MixedSearch(searches()), searches()
    seen = mixed.reset(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    apart = [search.reset(generator) for search in alone]
    draw = torch.Generator().manual_seed(1)
    for _ in range(30):
        for name, value in seen.items():
            assert torch.equal(value, torch.cat([part[name] for part in apart])), name
        actions = torch.randint(5, (6,), generator=draw)
        step = mixed.step(actions)
        steps = [search.step(part) for search, part in zip(alone, actions.split(3), strict=True)]
        assert torch.equal(step.reward, torch.cat([one.reward for one in steps]))
        assert torch.equal(step.terminated, torch.cat([one.terminated for one in steps]))
        assert torch.equal(step.info["read"], torch.cat([one.info["read"] for one in steps]))
        seen, apart = step.observation, [one.observation for one in steps]
    with pytest.raises(SettingsError, match="no search"):
        MixedSearch([])


def test_led_episodes_allow_what_the_guide_would_do():
    mixed = MixedSearch([HazeSearch(scenes, 4, SEARCH) for scenes in sets(0)], explorer)
    mixed.reset(torch.Generator().manual_seed(0))
    assert mixed.action_mask().all()
    mixed.led = 0.5
    mask = mixed.action_mask()
    assert mask.sum(dim=1).tolist() == [1, 1, 5, 5] * 2
    search = mixed.searches[1]
    assert mask[4:6].float().argmax(dim=1).tolist() == explorer(search.position, search.memory)[:2].tolist()


@pytest.mark.parametrize("way", range(8))
def test_turned_scenes_are_the_same_scenes(way):
    scenes = synthetic_scenes(2, 3, 3, seed=0)
    other = turned(scenes, way)

    def whole(part):  # (M, R, C, 3, 32, 32) to pictures (M, 3, R * 32, C * 32)
        return part.permute(0, 3, 1, 4, 2, 5).reshape(2, 3, 96, 96)

    picture = whole(scenes.windows).flip(3) if way % 2 else whole(scenes.windows)
    assert torch.equal(whole(other.windows), picture.rot90(way // 2, (2, 3)))
    hazy = scenes.hazy.flip(2) if way % 2 else scenes.hazy
    assert torch.equal(other.hazy, hazy.rot90(way // 2, (1, 2)))
    for at in ((0, 0), (1, 2)):
        was = (
            (scenes.beliefs[:, 1] - other.beliefs[:, 1, at[0], at[1], None, None])
            .abs()
            .flatten(1)
            .argmin(dim=1)
        )
        want = other.windows[:, at[0], at[1]].float().sum(dim=(1, 2, 3))
        found = scenes.windows.flatten(1, 2)[torch.arange(2), was].float().sum(dim=(1, 2, 3))
        assert torch.equal(found, want)  # belief and pixels moved together


def test_an_agent_is_judged_on_every_scene_with_and_without_a_thumbnail():
    class Stays(torch.nn.Module):
        def forward(self, seen):
            return torch.nn.functional.one_hot(torch.full((len(seen["belief"]),), STAY), 5).float()

    scenes = synthetic_scenes(30, 4, 4, seed=5)
    middle = scenes.hazy[:, 2, 2].float().mean()
    found = judge(Stays(), [scenes], SEARCH)
    count = float(scenes.hazy[0].sum())
    assert found.read == pytest.approx(1 / 16)
    assert found.found == pytest.approx(float(middle) / count, abs=1e-5)
    # It stays twice: once recognising, right or wrong, once to end.
    want = (float(middle) - 0.4 * (1 - float(middle)) - 2 * 0.005) / count
    assert found.score == pytest.approx(want, abs=1e-5)


@pytest.mark.slow
def test_it_learns_to_search():
    # Haze is one round patch here; docs/search.md has real scenes.
    training = SearchTraining(sets(0), sets(1), SETTINGS)
    before = judge(training.agent.network, sets(2), SEARCH)
    trained = train_search(training)
    after = judge(training.agent.network, sets(2), SEARCH)
    assert after.score > before.score + 0.3, (before, after)
    assert after.found > 0.5
    assert trained.finished
    assert trained.best.metrics["held_out/score"] == trained.best.score == training.judge().score


SHORT = replace(SETTINGS, steps=384, turn_every=1, judge_every=1)


@pytest.mark.slow
def test_the_same_seed_trains_the_same_agent_also_in_two_parts(tmp_path):
    """Scenes are turned in every round, and the run is stopped after the first: both must come back."""

    def training(seed=0):
        return SearchTraining(sets(0), sets(1), replace(SHORT, seed=seed))

    def weights(one):
        return torch.cat([value.flatten() for value in one.agent.network.state_dict().values()])

    whole, again, first, second = (training() for _ in range(4))
    done, _ = train_search(whole), train_search(again)
    assert torch.equal(weights(whole), weights(again))
    file = tmp_path / "run.pt"
    part = train_search(first, checkpoint=file, report=lambda steps, told: False)
    assert (part.finished, first.rounds, len(part.evaluations)) == (False, 1, 1)
    rest = train_search(second, checkpoint=file, resume=True)
    assert torch.equal(weights(whole), weights(second))
    assert rest.evaluations == done.evaluations
    assert second.ways == whole.ways
    with pytest.raises(SettingsError, match="seed is 1, the saved run had 0"):
        train_search(training(seed=1), checkpoint=file, resume=True)


def test_an_evaluation_that_is_stopped_is_done_again_and_nothing_else(tmp_path):
    def stop_in_the_second_evaluation():
        calls.append(first.rounds)
        if calls.count(2) == 3:
            raise KeyboardInterrupt

    def training():
        return SearchTraining(sets(0), sets(1), SHORT)

    whole, first, second, calls, file = training(), training(), training(), [], tmp_path / "run.pt"
    done = train_search(whole)
    part = train_search(first, Limits(pause=stop_in_the_second_evaluation), checkpoint=file)
    assert (part.finished, first.rounds, len(part.evaluations)) == (False, 2, 1)
    rest = train_search(second, checkpoint=file, resume=True)
    assert rest.evaluations == done.evaluations
    for name, value in whole.agent.network.state_dict().items():
        assert torch.equal(value, second.agent.network.state_dict()[name]), name


def test_bad_settings_are_named():
    with pytest.raises(SettingsError, match="at least one"):
        SearchTrainingSettings(grids=())
    with pytest.raises(SettingsError, match="thin"):
        SearchTrainingSettings(thin=2.0)
