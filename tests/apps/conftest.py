"""Every test here runs in a folder of its own, with a stand-in for the dehazer that needs no weights."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import cv2
import numpy as np
import pytest

from clairvoy.apps.cli import main
from clairvoy.errors import InputError, WeightsError
from clairvoy.imaging.files import Picture


@dataclass
class Report:
    haze: bool = True
    haze_probability: float = 0.98
    mean_transmission: float = 0.5
    tau: float = 0.75
    tau_db: float = 21.5
    seconds: float = 0.1
    sphere: bool = False

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass
class Result:
    image: np.ndarray
    report: Report
    haze: np.ndarray
    tau: np.ndarray


class FakeDehazer:
    """Adds 40 to every value, sees no haze in dark pictures, and fails by the name of the picture."""

    calls: ClassVar[list[dict]] = []
    loaded: ClassVar[list[tuple]] = []

    @classmethod
    def load(cls, name_or_path="fast", device="auto", preset=None):
        if name_or_path != "fast":
            raise WeightsError(f"{name_or_path}: there are no such weights; give 'fast' or a checkpoint")
        cls.loaded.append((name_or_path, device, preset))
        return cls()

    def __call__(self, picture: Picture, *, strength=1.0, samples=1, force=False, flat=False) -> Result:
        self.calls.append({"strength": strength, "samples": samples, "force": force, "flat": flat})
        for name, error in {
            "nan": InputError("the picture holds NaN; replace them first"),
            "fault": RuntimeError("shapes do not match"),
            "huge": MemoryError(),
            "interrupt": KeyboardInterrupt(),
        }.items():
            if Path(picture.name).stem == name:
                raise error
        clear = picture.pixels.mean() < 60 and not force
        pixels = picture.pixels if clear else picture.pixels + picture.pixels.dtype.type(40)
        haze = np.full(pixels.shape[:2], 0.25, np.float32)
        report = Report(haze=not clear, tau_db=float("inf") if clear else 21.5)
        return Result(pixels, report, haze, 1.0 - haze)


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
