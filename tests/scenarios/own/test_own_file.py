"""A trained scenario as a file: what is loaded acts, makes rows and judges them as what was saved."""

import runpy
from pathlib import Path

import pytest
import torch

from clairvoy.cotraining.loop import CotrainSettings, cotrain
from clairvoy.errors import FileError, WeightsError
from clairvoy.scenarios.own.file import load_scenario, save_scenario
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment

OWN = runpy.run_path(str(Path(__file__).parents[3] / "examples/own_scenario.py"))


def small(seed=0, **settings):
    real = OWN["fields"](40, torch.Generator().manual_seed(0))
    rules = OWN["drilling"]().environment.rules
    settings = ScenarioSettings(batch=8, scenes=16, remembered=32, generate_after=2, seed=seed, **settings)
    return Scenario(SceneEnvironment(real, 8, rules), real, settings=settings)


@pytest.fixture
def trained():
    scenario = small()
    cotrain(scenario, CotrainSettings(warm_up=2, agent_batch=16, refresh_every=2), budget=8)
    return scenario


def test_what_is_loaded_is_what_was_saved(trained, tmp_path):
    save_scenario(tmp_path / "deep/ore.safetensors", trained, {"budget": 8})
    other = small(seed=5)
    shown = trained.environment.reset(torch.Generator().manual_seed(3))
    rows = OWN["fields"](20, torch.Generator().manual_seed(9))
    assert not torch.equal(other.agent.q_values(shown), trained.agent.q_values(shown))
    assert load_scenario(tmp_path / "deep/ore.safetensors", other) == {"budget": 8}
    for scenario in (trained, other):
        scenario.learner.noise.manual_seed(1)
    assert torch.equal(other.agent.act_greedily(shown), trained.agent.act_greedily(shown))
    assert torch.equal(other.agent.q_values(shown), trained.agent.q_values(shown))
    assert torch.equal(other.learner.judge(rows), trained.learner.judge(rows))
    assert torch.equal(other.learner.surprise(rows), trained.learner.surprise(rows))
    assert torch.equal(other.learner.imagine(20), trained.learner.imagine(20))
    assert other.learner.update_count == 8


def test_what_does_not_fit_is_refused_and_changes_nothing(trained, tmp_path):
    file = tmp_path / "ore.safetensors"
    save_scenario(file, trained)
    network = torch.nn.Sequential(_Flat(), torch.nn.Linear(34, 16))
    other = Scenario(small().environment, trained.real, network=network, settings=trained.settings)
    before = {name: value.clone() for name, value in other.learner.generator.state_dict().items()}
    with pytest.raises(WeightsError, match=r"does not fit this scenario, at agent\."):
        load_scenario(file, other)
    assert all(
        torch.equal(value, before[name]) for name, value in other.learner.generator.state_dict().items()
    )
    trained.agent.save(tmp_path / "agent.safetensors")
    with pytest.raises(WeightsError, match="of format 'clairvoy-agent-1'"):
        load_scenario(tmp_path / "agent.safetensors", other)
    with pytest.raises(WeightsError, match=r"cannot be read.*give a file of save_scenario"):
        load_scenario(tmp_path / "missing.safetensors", other)
    with pytest.raises(FileError, match="cannot be written"):
        save_scenario(file / "below a file", trained)


class _Flat(torch.nn.Module):
    def forward(self, observation):
        return torch.cat([value.flatten(1).float() for value in observation.values()], dim=1)
