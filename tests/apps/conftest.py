"""Every test here runs in a folder of its own, with a stand-in for the dehazer that needs no weights."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from fake_dehazer import FakeDehazer

from clairvoy.apps.cli import main


@pytest.fixture
def dehazer(monkeypatch) -> type[FakeDehazer]:
    """Put the stand-in where the command looks for the dehazer; its calls are recorded."""
    # In this process: workers would not know of it. How they share the work is in test_workers.py.
    monkeypatch.setattr("clairvoy.apps.clear.command.default_workers", lambda jobs: 1)
    module = ModuleType("clairvoy.restoring.dehazer")
    module.Dehazer = FakeDehazer
    monkeypatch.setitem(sys.modules, "clairvoy.restoring.dehazer", module)
    monkeypatch.setattr(FakeDehazer, "calls", [])
    monkeypatch.setattr(FakeDehazer, "loaded", [])
    return FakeDehazer


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Run the test inside an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder) -> Callable[..., Path]:
    """Make a photograph of one grey value, by default bright enough to be taken for hazy."""

    def make(name: str, value: int = 120, size: tuple[int, int] = (6, 8)) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))
        return path

    return make


@pytest.fixture
def clear(dehazer, folder, capsys) -> Callable[..., tuple[int, str]]:
    """Run ``clairvoy clear`` with the stand-in; return exit code and what was said on stderr."""

    def run(*arguments: object) -> tuple[int, str]:
        try:
            code = main(["clear", *map(str, arguments)])
        except SystemExit as exit_:
            code = exit_.code
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def tree(folder) -> Callable[[], list[str]]:
    """List every file in the folder of the test."""
    return lambda: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
def _interrupts_as_in_a_terminal():
    """Where the tests were begun in the background, SIGINT is ignored, and so was every Ctrl-C that a test makes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
