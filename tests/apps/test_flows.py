"""`clairvoy flows`: train on a log, flag another."""

import csv
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from clairvoy.apps.cli import main
from clairvoy.apps.flows.flag import _safe
from clairvoy.apps.flows.page import KINDS, timeline
from clairvoy.scenarios.flows.beliefs import BeliefSettings
from clairvoy.scenarios.flows.flags import Flag
from clairvoy.scenarios.flows.training import FlowSettings

sys.path.append(str(Path(__file__).parents[1] / "scenarios/flows"))
from logs import toy_csv


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    (folder / "day1.csv").write_text(toy_csv(500) + "half a line\n")
    (folder / "day2.csv").write_text(toy_csv(200, seed=1, strange=3))
    quick = partial(
        FlowSettings,
        BeliefSettings(width=16, voters=1, updates=200, batch=48),
        scenes=512,
        made=60,
        trial_updates=60,
    )
    command = [
        "flows",
        "train",
        str(folder / "day1.csv"),
        "--out",
        str(folder / "run"),
        "--benign",
        "web",
        "--updates",
        "40",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clairvoy.apps.flows.train.FlowSettings", quick)
        assert main(command) == 0
    return folder


@pytest.mark.slow
def test_a_training_says_what_it_read_and_what_came_of_it(trained, capsys):
    told = json.loads((trained / "run/flows.json").read_text())
    assert told["read"]["dropped"] == {"another number of fields than its header": 1}
    assert told["by_time"] is True
    assert told["held_out"]["flows"] == 50
    assert {entry["name"] for entry in told["generated"]} <= {"scan", "leak"}
    assert set(told["strange"]["before"]) == set(told["strange"]["after"]) <= {"scan", "leak"}
    assert told["settings"]["flows"]["seed"] == 0
    assert main(["flows", "train", str(trained / "day1.csv"), "--out", str(trained / "run")]) == 2
    assert "holds a model already" in capsys.readouterr().err


@pytest.mark.slow
def test_flags_as_csv_json_and_page(trained, capsys, monkeypatch):
    log, run = str(trained / "day2.csv"), str(trained / "run")
    assert main(["flows", "flag", log, "--model", run]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(shown.out.splitlines()))
    assert f"{len(rows)} flagged" in shown.err
    assert {row["verdict"] for row in rows} <= {"alarm", "person", "strange"}
    assert all(0 <= float(row["confidence"]) <= 1 and row["file"] == log for row in rows)
    out, page = trained / "flags.json", trained / "page.html"
    assert (
        main(["flows", "flag", log, "--model", run, "--alarms", "5/day", "-o", str(out), "--page", str(page)])
        == 0
    )
    told = json.loads(out.read_text())
    assert len(told["flags"]) == 5
    assert told["flows"] == 203
    html = page.read_text()
    assert html.count("<svg") == 3
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html


@pytest.mark.slow
def test_what_a_log_says_cannot_act_in_the_page_or_the_sheet(trained, tmp_path):
    lines = (trained / "day2.csv").read_text().splitlines()
    odd = "<script>alert(1)</script>"
    lines += [f"16000099{n},{odd},=2+5,0,90000,{odd}" for n in range(10, 15)]
    log, out, page = tmp_path / "day3.csv", tmp_path / "f.csv", tmp_path / "p.html"
    log.write_text("\n".join(lines) + "\n")
    assert (
        main(
            ["flows", "flag", str(log), "--model", str(trained / "run"), "-o", str(out), "--page", str(page)]
        )
        == 0
    )
    assert odd in out.read_text()
    assert not any(
        cell.startswith(("=", "@")) for row in csv.reader(out.read_text().splitlines()) for cell in row
    )
    assert odd not in page.read_text()


def test_a_formula_is_quoted_and_a_number_is_not():
    assert [_safe(value) for value in ("=1+1", "-x", "@a", "-1.5", "web", 7)] == [
        "'=1+1",
        "'-x",
        "'@a",
        "-1.5",
        "web",
        7,
    ]


@pytest.mark.parametrize("words", ["20/week", "0/day", "many"])
def test_alarms_that_are_no_number(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(["flows", "flag", "x.csv", "--model", "run", "--alarms", words])
    assert left.value.code == 2
    assert "20/day" in capsys.readouterr().err


def test_a_model_that_is_none(tmp_path, capsys):
    (tmp_path / "x.csv").write_text(toy_csv(20))
    assert main(["flows", "flag", str(tmp_path / "x.csv"), "--model", str(tmp_path)]) == 2
    assert "flows.safetensors" in capsys.readouterr().err
    assert (
        main(
            [
                "flows",
                "flag",
                str(tmp_path / "x.csv"),
                "--model",
                str(tmp_path),
                "-o",
                str(tmp_path / "x.txt"),
            ]
        )
        == 2
    )
    assert ".json" in capsys.readouterr().err


def test_a_timeline_tells_apart_no_more_classes_than_there_are_colours():
    def shown(kinds):
        flags = [
            Flag("a.log", n, 1.6e9 + n, "alarm", f"kind {n}", 0.9, 0.0, (), (), "")
            for n in range(kinds)
            for _ in range(9 - n)
        ]
        return timeline(flags)

    assert "other classes" not in shown(KINDS)
    # 9 + 8 + 7 + 6 are told apart; of the last three there are 5, 4 and 3.
    assert "kind 0: 9, kind 1: 8, kind 2: 7, kind 3: 6, 3 other classes: 12" in shown(KINDS + 2)
