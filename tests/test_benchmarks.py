"""Every benchmark and example starts: its imports exist, and `--help` says what it measures."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/*.py")])
PROGRAMS = [file for file in FILES if "ArgumentParser" in file.read_text()]


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: file.stem)
def test_it_starts_and_says_what_it_takes(file, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [file.name, "--help"])
    monkeypatch.syspath_prepend(file.parent)
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(file), run_name="__main__")
    assert not left.value.code
    assert f"usage: {file.name}" in capsys.readouterr().out


@pytest.mark.parametrize("file", sorted({*FILES} - {*PROGRAMS}), ids=lambda file: file.stem)
def test_what_takes_no_options_imports(file):
    assert runpy.run_path(str(file))["__doc__"]
