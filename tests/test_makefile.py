"""`make run` hands the name of a photograph on as it is, and keeps its format."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def run(tmp_path):
    """Run `make run` where everything is installed and clairvoy only tells its arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    program = tmp_path / ".venv/bin/clairvoy"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > told\n')
    program.chmod(0o755)
    for stamp in (".made", ".base"):
        (tmp_path / ".venv" / stamp).touch()
    (tmp_path / "examples/hazy").mkdir(parents=True)
    (tmp_path / "examples/hazy/mist.jpg").touch()

    def make(*arguments: str, **environment: str) -> list[str]:
        done = subprocess.run(
            ["make", "run", *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return (tmp_path / "told").read_text().splitlines()

    return make


NAMES = [
    "mine.jpg",
    "two words.tif",
    "cost$5 $(HOME) $$.png",
    'it\'s "quoted".webp',
    "-dash.png",
    "semi;colon&.heic",
    "ä*?.jpg",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["", "some where/"])
def test_any_name(run, name, folder):
    told = run(f"PHOTO={folder}{name}")
    stem = name.rpartition(".")[0]
    assert told == [
        *("clear", "--overwrite", "-o", "out/", "--report", f"out/{stem}.report.json"),
        *("--comparison", f"out/{stem}.comparison.png", "--", f"{folder}{name}"),
    ]


def test_a_name_from_the_environment_and_another_folder(run):
    told = run("OUT=my $results", PHOTO="a $b.tif")
    assert told[told.index("-o") + 1] == "my $results/"
    assert told[-1] == "a $b.tif"


def test_the_example_is_treated_as_any_other(run):
    told = run()
    assert "--force" not in told
    assert told[-1] == "examples/hazy/mist.jpg"
