"""`clairvoy train search` as a user calls it, on tiny scenes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clairvoy.apps.cli import main
from clairvoy.apps.train import search as command
from clairvoy.qlearning.pqn import PQNSettings
from clairvoy.releasing.parts import load_weights
from clairvoy.scenarios.haze.synthetic_scenes import synthetic_scenes
from clairvoy.scenarios.search_agent.training import GridSettings, SearchTrainingSettings

STEPS = 3 * 4 * 8
"""Three rounds."""


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Scenes that are not made of photographs; how those are is in tests/scenarios/search_agent/test_search_scenes.py."""
    tiny = SearchTrainingSettings(
        grids=(GridSettings(3, 8, 4), GridSettings(4, 8, 4)), pqn=PQNSettings(stretch=4, minibatches=2), judge_every=1
    )  # fmt: skip
    monkeypatch.setattr(command, "SearchTrainingSettings", lambda **given: replace(tiny, **given))

    def scenes(paths, parts, settings, grid, count, seed, done=None):
        return synthetic_scenes(count, grid.side, grid.side, seed)

    monkeypatch.setattr(command, "make_scenes", scenes)


def train(photo, out, *more):
    for name in ("a", "b"):
        photo(f"clear/{name}.png")
    return main(
        ["train", "search", "--clear", "clear", "--start", "fast", "--out", out, "--steps", str(STEPS), "--quiet", *more]
    )  # fmt: skip


def agent(out):
    return torch.cat(
        [v.flatten() for v in load_weights(f"{out}/weights.safetensors").agent.state_dict().values()]
    )


@pytest.mark.slow
def test_a_stopped_run_resumes_to_the_same_weights(photo, folder, capsys, monkeypatch):
    assert train(photo, "whole") == 0
    assert "of hazy windows recognised" in capsys.readouterr().err
    assert {path.name for path in (folder / "whole").iterdir()} == {
        "checkpoint.pt", "weights.safetensors", "settings.json", "data.json", "metrics.jsonl", "tensorboard",
    }  # fmt: skip

    def stop(self, update, metrics):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command.RunLog, "__call__", stop)
        assert train(photo, "parts") == 130
    assert "stopped after 32 of 96 steps; continue with --resume" in capsys.readouterr().err
    assert train(photo, "parts", "--resume") == 0
    assert torch.equal(agent("whole"), agent("parts"))


def test_its_run_can_be_watched(photo, capsys):
    assert train(photo, "run") == 0
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1, 2, 3]
    assert [line["metrics"]["agent/steps"] for line in lines] == [32, 64, 96]
    assert {"agent/loss", "held_out/score", "held_out/found", "held_out/read"} <= lines[0]["metrics"].keys()
    capsys.readouterr()
    assert main(["watch", "run", "--width", "80"]) == 0
    shown = capsys.readouterr().out
    assert "update 3 of 3, 96 steps" in shown
    assert "search score" in shown
    assert "done" in shown


def test_another_run_is_not_gone_on_with(photo, capsys):
    assert train(photo, "run", "--minutes", "0") == 2
    assert "--minutes is 0" in capsys.readouterr().err
    assert train(photo, "run", "--resume") == 2
    assert "no run to resume here" in capsys.readouterr().err
    assert train(photo, "run") == 0
    assert train(photo, "run") == 2
    assert "holds a run already" in capsys.readouterr().err
    assert train(photo, "run", "--resume", "--seed", "3") == 2
    assert "began with --seed 0, not 3" in capsys.readouterr().err
    photo("clear/c.png")
    assert train(photo, "run", "--resume") == 2
    assert "--clear: not the files that run began with" in capsys.readouterr().err
