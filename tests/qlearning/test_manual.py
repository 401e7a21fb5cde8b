"""The programs of docs/qlearning.md run as they stand, with smaller budgets."""

import re
from pathlib import Path

import pytest
import torch

MANUAL = Path(__file__).parents[2] / "docs" / "qlearning.md"


def test_the_programs_of_the_manual_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("minari", reason="the optional package minari is not installed")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    first, _, second = re.findall(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    small = (
        ("500_000", "9_000"),
        ("50_000", "4_096"),
        ("cartpole(100)", "cartpole(10)"),
        ("updates=5000", "updates=2"),
    )
    for large, less in small:
        assert large in first + second
        first, second = first.replace(large, less), second.replace(large, less)
    names = {}
    exec(first, names)
    best_at, played = capsys.readouterr().out.split()
    assert int(best_at) in {4096, 8192, 12288}
    assert float(played) > 5
    from clairvoy.qlearning.history import History, HistorySettings
    from clairvoy.qlearning.rollout import collect

    generator = torch.Generator().manual_seed(0)
    environment = names["cartpole"](4)
    history = History(HistorySettings(200, n_step=1), 4, 2, generator)
    seen = environment.reset(generator)
    collect(environment, lambda o, m: torch.randint(2, (4,), generator=generator), history, seen, 40)
    names["history"] = history
    exec(second, names)
    assert names["agent"].updates == 2


def test_the_agent_of_the_cliff_is_saved_loaded_and_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)[1]
    for large, less in (("30_000", "1_300"), ("evaluate_every=2000", "evaluate_every=640")):
        assert large in program
        program = program.replace(large, less)
    exec(program, {})
    *told, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["640", "1280", "1312"]
    # Of one episode of at most a hundred steps, each of which costs 1, or 100 where it falls.
    returns, lengths = (float(value) for value in re.findall(r"\[(-?[\d.]+)\]", last.replace(".])", "])")))
    assert 13 <= lengths <= 100
    assert -100 * lengths <= returns <= -lengths
    assert (tmp_path / "cliff.safetensors").exists()
