"""The front door: help, version, exit codes; it opens without torch and without the training extra."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import clairvoy
from clairvoy.apps import cli
from clairvoy.errors import SettingsError


def command(monkeypatch, run, name="evaluate"):
    """Put a command of this name in place whose `run` is `run`."""
    module = ModuleType(f"clairvoy.apps.{name}")
    module.add_arguments = lambda parser: None
    module.run = run
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--help"])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"clairvoy {clairvoy.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["clean"], ["clear"], ["clear", "a.jpg", "--strength", "1.5"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert "usage: clairvoy" in capsys.readouterr().err


def test_the_exit_code_of_a_command_is_passed_on(monkeypatch):
    command(monkeypatch, lambda args: 7)
    assert cli.main(["evaluate"]) == 7


def test_an_error_of_the_user_is_one_line_and_2(monkeypatch, capsys):
    def run(args):
        raise SettingsError("budget is -1; give a positive number")

    command(monkeypatch, run)
    assert cli.main(["evaluate"]) == 2
    assert capsys.readouterr().err == "clairvoy: error: budget is -1; give a positive number\n"


@pytest.mark.parametrize("arguments", [["-v", "evaluate"], ["evaluate", "--verbose"]])
def test_verbose_shows_the_traceback_too(arguments, monkeypatch, capsys):
    def run(args):
        assert args.verbose
        raise SettingsError("budget is -1")

    command(monkeypatch, run)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.endswith("clairvoy: error: budget is -1\n")


def test_interrupt_is_130(monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    command(monkeypatch, run)
    assert cli.main(["evaluate"]) == 130
    assert capsys.readouterr().err == "clairvoy: interrupted\n"


def test_a_missing_training_package_names_the_extra(monkeypatch, capsys):
    def run(args):
        raise ModuleNotFoundError("No module named 'gymnasium'", name="gymnasium")

    command(monkeypatch, run, "train")
    assert cli.main(["train"]) == 2
    assert "gymnasium" in (error := capsys.readouterr().err)
    assert "pip install 'clairvoy[train]'" in error


def test_a_fault_of_clairvoy_keeps_its_traceback(monkeypatch):
    def run(args):
        raise ModuleNotFoundError("No module named 'clairvoy.gone'", name="clairvoy.gone")

    command(monkeypatch, run)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["evaluate"])


@pytest.mark.parametrize("arguments", ["['--help']", "['clear', '--help']", "['clear', 'missing.jpg']"])
def test_neither_torch_nor_the_training_extra_is_needed_to_get_in(arguments, tmp_path):
    program = (
        "import sys\n"
        "for name in ('torch', 'gymnasium', 'tensorboard'): sys.modules[name] = None\n"
        "from clairvoy.apps.cli import main\n"
        f"main({arguments})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def test_python_m_clairvoy_is_the_command():
    done = subprocess.run([sys.executable, "-m", "clairvoy", "--version"], capture_output=True, text=True)
    assert done.stdout == f"clairvoy {clairvoy.__version__}\n"
