"""`metrics.jsonl`: means of stretches, whole lines, none twice after a resume."""

import json

import pytest

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
