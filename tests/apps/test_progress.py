"""Rate and time left in a terminal, a numbered line for each where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from clairvoy.apps import progress
from clairvoy.apps.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def terminal(monkeypatch) -> list[str]:
    """What is written to a terminal; called in a test, because pytest puts its own stderr in place when one begins."""
    said: list[str] = []
    stderr = SimpleNamespace(isatty=lambda: True, write=said.append, flush=lambda: None)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "get_terminal_size", lambda: SimpleNamespace(columns=200))
    return said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "1/5, 2.0/s, 2 s left  b.jpg"),
        (10.0, "1/5, 10.0 s each, 40 s left  b.jpg"),
        (120.0, "1/5, 120.0 s each, 8 min left  b.jpg"),
    ],
)
def test_rate_and_time_left(seconds, text, clock, monkeypatch):
    said = terminal(monkeypatch)
    bar = Progress(5)
    bar.start("a.jpg")
    assert "0/5  a.jpg" in "".join(said)
    clock.seconds += seconds
    bar.finish()
    bar.result("a.jpg: restored")
    bar.start("b.jpg")
    shown = "".join(said)
    assert text in shown
    assert "a.jpg: restored\n" in shown
    assert "[1/5]" not in shown, "the bar says it"


def test_a_numbered_line_for_each_without_a_terminal(capsys):
    bar = Progress(12)
    for name in ("a", "b"):
        bar.start(name)
        bar.finish()
        bar.result(f"{name}: restored")
    assert capsys.readouterr().err == "[1/12] a: restored\n[2/12] b: restored\n"


def test_one_piece_of_work_needs_no_number(capsys):
    bar = Progress(1)
    bar.finish()
    bar.result("done")
    assert capsys.readouterr().err == "done\n"


def test_quiet_says_errors_only(capsys, clock):
    bar = Progress(2, quiet=True)
    bar.start("a")
    bar.finish()
    bar.result("a: restored")
    bar.error("b: is empty")
    bar.close()
    assert capsys.readouterr().err == "clairvoy: error: b: is empty\n"
