"""`clairvoy watch` on a run that is written by hand."""

import json

import cv2
import numpy as np
import pytest

from clairvoy.apps.cli import main
from clairvoy.apps.watch import command as watch


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "pictures").mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"updates": 100}))
    picture = np.zeros((96, 32, 3), np.uint8)
    picture[:32] = 200
    cv2.imwrite(str(folder / "pictures" / "sample.png"), picture)
    write(folder, range(20, 61, 20))
    return folder


def write(folder, updates):
    with (folder / "metrics.jsonl").open("a") as file:
        for update in updates:
            metrics = {"agent/return": update / 10, "models/reconstruction": 1 / update, "other": 1.0}
            file.write(json.dumps({"update": update, "seconds": update * 2.0, "metrics": metrics}) + "\n")


def test_curves_numbers_and_where_the_pictures_are(run, capsys):
    assert main(["watch", str(run), "--width", "80"]) == 0
    shown = capsys.readouterr().out
    assert "update 60 of 100  2 min, 80 s to go" in shown
    assert "agent's return" in shown
    assert "6  (2 to 6)" in shown
    assert "sample.png" in shown
    assert "\x1b" not in shown  # no colours in a pipe
    assert max(map(len, shown.splitlines()[:-1])) <= 80


def test_it_follows_line_by_line_into_a_pipe_until_the_run_is_done(run, capsys, monkeypatch):
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        write(run, [60 + 20 * len(naps)])
        if len(naps) == 2:
            (run / "weights.safetensors").write_bytes(b"")

    monkeypatch.setattr(watch.time, "sleep", sleep)
    assert main(["watch", str(run), "--follow", "--seconds", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["20", "40", "60", "80", "100"]
    assert naps == [0.5, 0.5]


def test_control_c_ends_it_without_a_complaint(run, capsys, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupt)
    assert main(["watch", str(run), "--follow"]) == 0
    assert capsys.readouterr().err == ""


def test_a_run_that_has_only_begun(run, capsys):
    (run / "metrics.jsonl").unlink()
    assert main(["watch", str(run)]) == 0
    assert "nothing is written yet" in capsys.readouterr().out


def test_a_terminal_gets_colours(run, capsys, monkeypatch):
    monkeypatch.setattr(watch, "colours_of", lambda stream: 256)
    assert main(["watch", str(run), "--width", "60"]) == 0
    assert "\x1b[38;5;" in capsys.readouterr().out


def test_refusals(run, tmp_path, capsys):
    assert main(["watch", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["watch", str(tmp_path)]) == 2
    assert "no run here" in capsys.readouterr().err
    assert main(["watch", str(run), "--width", "10"]) == 2
    assert "--width" in capsys.readouterr().err
    assert main(["watch", str(run), "--seconds", "0"]) == 2
    assert "--seconds" in capsys.readouterr().err
