"""`clairvoy completion`: what the shells offer is what the commands take."""

from __future__ import annotations

import subprocess
import sys
from shutil import which

import pytest

from clairvoy.apps.cli import COMMANDS, main, whole_parser
from clairvoy.apps.completion import SHELLS


@pytest.fixture
def script(tmp_path, capsys):
    def write(shell):
        assert main(["completion", shell]) == 0
        path = tmp_path / f"clairvoy.{shell}"
        path.write_text(capsys.readouterr().out)
        return path

    return write


def test_the_whole_parser_knows_commands_within_commands():
    help_ = subprocess.run(
        [sys.executable, "-m", "clairvoy", "flows", "flag", "--help"], capture_output=True, text=True
    )
    assert "--alarms" in help_.stdout
    args = whole_parser().parse_args(["flows", "flag", "x.log", "--model", "m", "--alarms", "20/day"])
    assert args.model


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(shell, script):
    text = script(shell).read_text()
    assert all(name in text for name in COMMANDS)
    assert "skip-existing" in text  # an option of a command
    assert "learning-rate" in text  # one of a command within a command


@pytest.mark.skipif(which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["cl"], {"clear"}),
        (["clear", "--skip"], {"--skip-existing"}),
        (["train", "ha"], {"haze"}),
        (["clear", "--preset", ""], {"fast", "fine"}),
    ],
)
def test_bash_completes_words(script, words, offered):
    line = " ".join(f"'{word}'" for word in ["clairvoy", *words])
    asked = f"source {script('bash')}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _shtab_clairvoy; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert set(done.stdout.split()) == offered, done.stderr


def test_without_its_library_it_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'clairvoy[completion]'" in capsys.readouterr().err
