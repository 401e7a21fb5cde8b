"""The loop: a resumed run is the uninterrupted one, and each feedback path acts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clairvoy.cotraining.loop import Cotraining, CotrainSettings, Feedback, cotrain
from clairvoy.errors import SettingsError
from clairvoy.generative.density.learner import LearnerSettings
from clairvoy.imaging.files import Picture, write
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker, ViewPool
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.scenario import HazeScenario, HazeScenarioSettings

SETTINGS = CotrainSettings(agent_batch=4, warm_up=2, refresh_every=2)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for index in range(2):
        coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        pixels = np.ascontiguousarray(coarse.repeat(20, axis=0).repeat(20, axis=1))
        write(folder / f"{index}.png", pixels, Picture(pixels))
    return sorted(folder.iterdir())


@pytest.fixture
def scenario(paths):
    def make(seed=0):
        pool = ViewPool(ViewMaker(Photographs(paths), size=64, seed=1), 6)
        held = ViewPool(ViewMaker(Photographs(paths), size=64, seed=2), 4)
        settings = HazeScenarioSettings(
            updates=4,
            batch=4,
            from_agent=2,
            scenes=8,
            searches=8,
            pool=6,
            generated=0.25,
            seed=seed,
            learner=LearnerSettings(judged=2),
        )
        torch.manual_seed(0)
        return HazeScenario(pool, held, settings, Parts.new())

    return make


def weights(run):
    state = run.scenario.learner.state_dict()
    return [
        *state["generator"].values(),
        *state["discriminator"].values(),
        *run.agent.network.state_dict().values(),
    ]


@pytest.mark.slow
def test_resume_equals_uninterrupted(scenario, tmp_path):
    whole = cotrain(scenario(), SETTINGS, budget=4)
    seen = []

    def stop_after_two(update, metrics):
        seen.append(update)
        if update == 2:
            raise KeyboardInterrupt

    first = cotrain(scenario(), SETTINGS, budget=4, checkpoint=tmp_path / "c.pt", report=stop_after_two)
    assert first.interrupted
    assert first.updates == 2
    second = cotrain(scenario(), SETTINGS, budget=4, checkpoint=tmp_path / "c.pt", resume=True)
    assert not second.interrupted
    for one, other in zip(weights(whole), weights(second), strict=True):
        assert torch.equal(one, other)


def test_the_same_seed_is_the_same_run_for_twenty_updates(scenario):
    """Every metric of every update, and all weights at the end, bit for bit; another seed is another run."""

    def run(seed):
        told = []
        settings = replace(SETTINGS, seed=seed)
        done = cotrain(
            scenario(seed), settings, budget=20, report=lambda update, metrics: told.append(dict(metrics))
        )
        return told, [*weights(done), *done.scenario.learner.averaged.state_dict().values()]

    (told, trained), (told_again, trained_again), (other, _) = run(0), run(0), run(1)
    assert len(told) == 20
    assert len(told[-1]) > 15
    for update, (one, two) in enumerate(zip(told, told_again, strict=True)):
        assert one.keys() == two.keys()
        for name in one:
            assert np.array_equal(one[name], two[name], equal_nan=True), (update, name)
    assert all(torch.equal(a, b) for a, b in zip(trained, trained_again, strict=True))
    assert other != told


@pytest.mark.slow
def test_each_feedback_path_changes_the_run(scenario):
    # So many that the agent has recognised haze somewhere: before that there is nothing that it could bring.
    reference = weights(cotrain(scenario(), SETTINGS, budget=12))
    for path in ("agent_to_generator", "generated_scenes", "beliefs", "gate"):
        off = CotrainSettings(agent_batch=4, warm_up=2, refresh_every=2, feedback=Feedback(**{path: False}))
        other = weights(cotrain(scenario(), off, budget=12))
        assert any(not torch.equal(a, b) for a, b in zip(reference, other, strict=True)), path


def test_bad_settings():
    with pytest.raises(SettingsError, match="budget"):
        CotrainSettings(budget=0)


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_of_nothing_is_refused_and_not_taken_for_the_default(scenario, budget):
    with pytest.raises(SettingsError, match=f"budget is {budget}; it must be at least 1"):
        cotrain(scenario(), SETTINGS, budget=budget)
    with pytest.raises(SettingsError, match=f"budget is {budget}; it must be at least 1"):
        Cotraining(scenario(), SETTINGS, budget)
