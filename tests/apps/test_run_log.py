"""`metrics.jsonl`: means of stretches, whole lines, none twice after a resume."""

import json
import sys
from types import SimpleNamespace

import pytest

from clairvoy.apps import progress
from clairvoy.apps.train import log as log_module
from clairvoy.apps.train.log import RunLog, read_metrics


def log(folder, first, last, total=60):
    written = RunLog(folder, total, quiet=True)
    for update in range(first, last + 1):
        written(update, {"reconstruction": float(update), "agent/return": 2.0})
    return written


def test_a_line_is_the_mean_of_its_stretch(tmp_path):
    log(tmp_path, 1, 40).close()
    lines = read_metrics(tmp_path)
    assert [line["update"] for line in lines] == [20, 40]
    assert lines[0]["metrics"] == {"models/reconstruction": 10.5, "agent/return": 2.0}
    assert lines[1]["metrics"]["models/reconstruction"] == 30.5


def test_what_is_left_of_a_stretch_is_written_at_the_end(tmp_path):
    log(tmp_path, 1, 25).close()
    assert [line["update"] for line in read_metrics(tmp_path)] == [20, 25]


def test_a_resumed_run_writes_no_line_twice_and_goes_on_in_time(tmp_path):
    # The checkpoint is of update 30, the log went on to 60 before it was cut off.
    log(tmp_path, 1, 60)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"update": 80, "sec')
    before = read_metrics(tmp_path)
    log(tmp_path, 31, 60).close()
    raw = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in raw] == [20, 40, 60]
    assert raw[0] == before[0]
    assert raw[1]["metrics"]["models/reconstruction"] == pytest.approx(35.5)  # of 31 to 40
    assert raw[1]["seconds"] >= raw[0]["seconds"]


def test_lines_that_are_no_metrics_are_left_out(tmp_path):
    good = '{"update": 20, "seconds": 1.0, "metrics": {"a": 1.0}}'
    (tmp_path / "metrics.jsonl").write_text(f'{good}\n[]\n{{"update": 40}}\nnonsense\n{{"update": 60, "sec')
    assert read_metrics(tmp_path) == [json.loads(good)]
    assert read_metrics(tmp_path / "nowhere") == []


def test_in_a_terminal_a_bar_shows_how_far_a_resumed_run_is_and_how_fast_it_goes(tmp_path, monkeypatch):
    said, now = [], SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now.seconds)
    monkeypatch.setattr(
        sys, "stderr", SimpleNamespace(isatty=lambda: True, write=said.append, flush=lambda: None)
    )
    monkeypatch.setattr(progress, "get_terminal_size", lambda: SimpleNamespace(columns=200))
    written = RunLog(tmp_path, 60, quiet=False)
    for update in (31, 32, 33):
        now.seconds += 0.5
        written(update, {"reconstruction": 0.25})
    written.close()
    shown = [text for text in said if "60" in text]
    # Begun anew with update 31, at 0.5 s: 2 more updates took 1 s.
    assert shown[-1].endswith("] 33/60, 3.0/s, 9 s left  reconstruction 0.250")
    assert len(shown) == 3


def test_without_a_terminal_a_line_comes_each_minute(tmp_path, monkeypatch, capsys):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now.seconds)
    written = RunLog(tmp_path, 60, quiet=False)
    for update in range(1, 5):
        now.seconds += 40.0
        written(update, {"reconstruction": 0.25})
    assert (
        capsys.readouterr().err
        == "update 2 of 60  reconstruction 0.250\nupdate 4 of 60  reconstruction 0.250\n"
    )


def test_pictures_are_drawn_early_and_at_the_end(tmp_path):
    drawn = []

    def draw():
        drawn.append(len(read_metrics(tmp_path)))
        return {}

    written = RunLog(tmp_path, 60, quiet=True, draw=draw)
    for update in range(1, 61):
        written(update, {"reconstruction": 1.0})
    written.close()
    assert drawn == [1, 3]
