"""Several processes share a folder: what comes out does not depend on how many, and what is lost is one photograph."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import stand_in
from PIL import Image

from clairvoy.apps.clear import workers
from clairvoy.apps.clear.command import Run
from clairvoy.apps.clear.jobs import Extras, plan
from clairvoy.apps.cli import _parser
from clairvoy.errors import WeightsError


def photographs(*names: str, size: tuple[int, int] = (40, 30)) -> None:
    Path("in").mkdir(exist_ok=True)
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(f"in/{name}")


def run(*arguments: str, load=stand_in.load) -> int:
    args = _parser(["clear"]).parse_args(["clear", "in", "-o", "out", *arguments])
    args.verbose = False
    return Run(args, plan(args.inputs, args.output, Extras(), report=args.report), load).all()


def written() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("out").iterdir()}


def test_two_workers_give_what_one_gives_and_the_report_keeps_its_order(folder):
    photographs("slow.png", *(f"{letter}.jpg" for letter in "abcdef"), "z.png")
    assert run("--jobs", "1", "--report", "one.json") == 0
    alone = written()
    Path("out").rename("before")
    assert run("--jobs", "2", "--report", "two.json", load=stand_in.load_and_note) == 0
    assert written() == alone
    assert Path("two.json").read_bytes() == Path("one.json").read_bytes().replace(b"before", b"out")
    processes = {path.read_text() for path in Path("in").glob("*.pid")}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


@pytest.mark.slow
def test_a_crash_costs_one_photograph(folder, capsys):
    photographs("a.png", "crash.png", "m.png", "once.png", "z.png")
    assert run("--jobs", "2", "--report", "report.json") == 2
    assert sorted(written()) == ["a.png", "m.png", "once.png", "z.png"]
    status = {entry["source"]: entry["status"] for entry in json.loads(Path("report.json").read_text())}
    assert status == dict.fromkeys(["in/a.png", "in/m.png", "in/once.png", "in/z.png"], "restored") | {
        "in/crash.png": "failed"
    }
    assert "in/crash.png: the process that restored it was ended twice" in capsys.readouterr().err


@pytest.mark.slow
def test_who_is_lost_after_writing_has_not_failed(folder):
    """The process ended before it could say that the photograph is written; it is written again."""
    photographs("a.png", "late.png", "z.png")
    assert run("--jobs", "2") == 0
    assert sorted(written()) == ["a.png", "late.png", "z.png"]


def test_what_does_not_fit_into_memory_beside_others_is_tried_alone(folder):
    photographs("a.png", "memory.png", "z.png")
    assert run("--jobs", "2") == 0
    assert sorted(written()) == ["a.png", "memory.png", "z.png"]


def test_large_photographs_are_worked_on_one_at_a_time(folder, monkeypatch):
    photographs("large1.png", "large2.png", "large3.png", "a.png")
    photographs("b.png", size=(4, 4))
    monkeypatch.setattr(workers, "LARGE_PIXELS", 100)
    assert run("--jobs", "3") == 0
    spans = sorted(tuple(map(float, path.read_text().split())) for path in Path("in").glob("*.span"))
    assert len(spans) == 3
    assert all(end <= begun for (_, end), (begun, _) in pairwise(spans))


def test_what_is_about_the_run_ends_it(folder):
    photographs("a.png", "weights.png", "z.png")
    with pytest.raises(WeightsError, match="no good"):
        run("--jobs", "2")


@pytest.mark.slow
def test_where_no_process_can_be_started_all_is_done_in_this_one(folder):
    photographs("a.png", "b.png", "c.png", "d.png")
    assert run("--jobs", "2", load=stand_in.load_only_at_home) == 0
    assert sorted(written()) == ["a.png", "b.png", "c.png", "d.png"]


def test_workers_that_are_all_lost_at_once_are_not_waited_for(folder, monkeypatch):
    """Both pipes end in one round of waiting, which a slow start of one of them hides."""
    photographs("a.png", "b.png", "c.png")
    args = _parser(["clear"]).parse_args(["clear", "in", "-o", "out"])
    jobs = plan(args.inputs, args.output, Extras()).jobs
    crew = workers._Crew(jobs, None, lambda settings: lambda job: job.name, lambda job: None, 2)
    monkeypatch.setattr(crew, "_failed_starts", workers._FAILED_STARTS)
    assert dict(crew._pass(range(3), 2)) == {k: jobs[k].name for k in range(3)}


def test_workers_are_as_many_as_cores_memory_and_photographs_allow(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 8)
    monkeypatch.setattr(workers, "_free_memory", lambda: 64_000_000_000)
    assert [workers.default_workers(jobs) for jobs in (0, 1, 3, 10, 100)] == [1, 1, 1, 5, 8]
    monkeypatch.setattr(workers, "_free_memory", lambda: 4_000_000_000)
    assert workers.default_workers(100) == 2
    monkeypatch.setattr(workers, "_free_memory", lambda: 100)
    assert workers.default_workers(100) == 1
    monkeypatch.setattr(workers, "_free_memory", lambda: None)
    assert workers.default_workers(100) == 8


def program(*arguments: str, stderr=subprocess.DEVNULL) -> subprocess.Popen:
    script = Path(__file__).with_name("clear_with_stand_in.py")
    command = [sys.executable, str(script), *arguments]
    return subprocess.Popen(
        command, stderr=stderr, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )


def parts() -> list[Path]:
    return list(Path("out").glob(".clairvoy-*")) if Path("out").exists() else []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_a_run_that_is_killed_leaves_nothing_half_written_and_resumes_to_the_same_bytes(folder):
    photographs(*(f"{number:02}.{'jpg' if number % 2 else 'png'}" for number in range(12)), size=(300, 400))
    arguments = ("in", "-o", "out", "--jobs", "2", "--skip-existing", "--report", "report.json")
    begun = time.monotonic()
    assert program(*arguments).wait() == 0
    duration = time.monotonic() - begun
    whole = written()
    assert len(whole) == 12

    moments = random.Random(0)
    for _ in range(10):
        if len(list(Path("out").glob("[0-9]*"))) == len(whole):
            for path in Path("out").iterdir():
                path.unlink()
        running = program(*arguments)
        time.sleep(moments.uniform(0.3, 1.0) * duration)
        running.kill()
        running.wait()
        assert all(path.read_bytes() == whole[path.name] for path in Path("out").glob("[0-9]*"))
        if Path("report.json").exists():
            json.loads(Path("report.json").read_bytes())

    deadline = time.monotonic() + 20
    assert program(*arguments).wait() == 0
    while parts() and time.monotonic() < deadline:  # of workers that had not ended yet when it began
        assert program(*arguments).wait() == 0
    assert written() == whole


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)]
)
def test_ctrl_c_ends_all_workers_and_leaves_a_report(folder, number, to_all):
    photographs("a.png", *(f"slow{number}.png" for number in range(8)))
    arguments = ("in", "-o", "out", "--jobs", "2", "--report", "report.json")
    with program(*arguments, stderr=subprocess.PIPE) as running:
        assert "[1/9] in/a.png" in running.stderr.readline()
        # In a terminal Ctrl-C goes to every process; `kill -INT` and `timeout` go to one.
        os.killpg(running.pid, number) if to_all else running.send_signal(number)
        said = running.stderr.read()
    assert running.returncode == 130
    assert said.endswith("clairvoy: interrupted\n")
    assert "Traceback" not in said
    assert json.loads(Path("report.json").read_text())[0]["source"] == "in/a.png"
    assert parts() == []
