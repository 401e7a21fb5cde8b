"""`clairvoy own`: a scenario of one's own is trained, kept, played with and drawn from, by commands alone."""

from pathlib import Path

import numpy as np
import pytest

from clairvoy.apps.cli import main

ORE = f"{Path(__file__).parents[2]}/examples/own_scenario.py:drilling"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    run = tmp_path_factory.mktemp("own") / "run"
    assert main(["own", "train", ORE, "--out", str(run), "--updates", "30"]) == 0
    return run / "scenario.safetensors"


def test_what_was_trained_plays_and_makes_the_same_rows_for_the_same_seed(weights, tmp_path, capsys):
    assert main(["own", "play", ORE, "--weights", str(weights), "--episodes", "32"]) == 0
    assert capsys.readouterr().out.startswith("return ")
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        file = tmp_path / f"{name}.npy"
        arguments = ["own", "sample", ORE, "--weights", str(weights), "-o", str(file)]
        assert main([*arguments, "--count", "12", "--seed", str(seed), "--without-gate"]) == 0
        made.append(np.load(file))
    assert made[0].shape == (12, 4, 4)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_a_folder_with_a_run_is_not_trained_in_again(weights, capsys):
    assert main(["own", "train", ORE, "--out", str(weights.parent), "--updates", "30"]) == 2
    assert str(weights.parent) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("nowhere", "name a file and a function in it, FILE.py:FUNCTION"),
        ("nowhere.py:made", "nowhere.py: no such file"),
        (ORE.replace(":drilling", ":digging"), "has no function digging; it has Rules"),
    ],
)
def test_what_makes_no_scenario_is_refused_by_name(named, says, tmp_path, capsys):
    assert main(["own", "train", named, "--out", str(tmp_path / "run")]) == 2
    assert says in capsys.readouterr().err


def test_a_function_that_makes_something_else_is_refused(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("def made():\n    return 3\n")
    assert main(["own", "train", f"{file}:made", "--out", str(tmp_path / "run")]) == 2
    assert "made gave a int; it must give a Scenario" in capsys.readouterr().err
