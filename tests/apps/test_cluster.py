"""A Dask cluster restores what one process restores, and loses nothing when its workers are killed."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import dask
import distributed
import pytest
import stand_in
from test_workers import photographs, run, written

from clairvoy.apps import cluster as of_clusters
from clairvoy.errors import SettingsError, WeightsError


@pytest.fixture(scope="module")
def cluster():
    # How often a photograph may end its worker before Dask gives it up: less than usual, for the time that it takes.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
    ):
        yield cluster


@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives(folder, cluster):
    photographs(*(f"{letter}.jpg" for letter in "abcdefgh"), "z.png")
    assert run("--jobs", "1", "--report", "one.json") == 0
    alone = written()
    Path("out").rename("before")
    assert (
        run("--cluster", cluster.scheduler_address, "--report", "two.json", load=stand_in.load_and_note) == 0
    )
    assert written() == alone
    assert Path("two.json").read_bytes() == Path("one.json").read_bytes().replace(b"before", b"out")
    processes = {path.read_text() for path in Path("in").glob("*.pid")}
    assert str(os.getpid()) not in processes


@pytest.mark.slow
def test_what_is_wrong_with_one_photograph_stops_no_other(folder, cluster):
    photographs("a.png", "z.png")
    Path("in/m.png").write_bytes(b"no picture")
    assert run("--cluster", cluster.scheduler_address, "--report", "report.json") == 2
    assert sorted(written()) == ["a.png", "z.png"]


@pytest.mark.slow
def test_killed_workers_cost_time_and_no_photograph(folder, cluster):
    photographs(*(f"slow{number}.png" for number in range(12)))
    over, killed = threading.Event(), []

    def kill() -> None:
        """Kill a worker every second; its nanny starts another."""
        while not over.wait(1.0):
            alive = [nanny.pid for nanny in cluster.workers.values() if nanny.pid]
            if alive:
                os.kill(alive[0], signal.SIGKILL)
                killed.append(alive[0])

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert run("--cluster", cluster.scheduler_address) == 0
    finally:
        over.set()
        killer.join()
    assert killed
    assert len(written()) == 12
    assert not list(Path("out").glob(".*"))


@pytest.mark.slow
def test_a_photograph_that_kills_its_workers_is_reported(folder, cluster, capsys):
    photographs("a.png", "crash.png", "z.png")
    assert run("--cluster", cluster.scheduler_address, "--report", "report.json") == 2
    assert sorted(written()) == ["a.png", "z.png"]
    failed = [entry for entry in json.loads(Path("report.json").read_text()) if entry["status"] == "failed"]
    assert [entry["source"] for entry in failed] == ["in/crash.png"]
    assert "in/crash.png: the workers that restored it were lost" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_about_the_run_ends_it(folder, cluster):
    photographs("a.png", "weights.png")
    with pytest.raises(WeightsError, match="these weights are no good"):
        run("--cluster", cluster.scheduler_address)


@pytest.mark.slow
def test_a_cluster_without_workers(folder, monkeypatch):
    photographs("a.png")
    monkeypatch.setattr(of_clusters, "SECONDS_TO_CONNECT", 1)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty,
        pytest.raises(SettingsError, match="has no workers"),
    ):
        run("--cluster", empty.scheduler_address)


def test_nobody_at_the_address(folder, monkeypatch):
    photographs("a.png")
    monkeypatch.setattr(of_clusters, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(SettingsError, match="no Dask scheduler answers"):
        run("--cluster", "tcp://127.0.0.1:1")


FAULTS = """
import resource
import numpy as np
from clairvoy.apps.clear.cluster import prepare_worker

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        np.ones(4_000_000, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
before = faults()
prepare_worker()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is about glibc")
@pytest.mark.parametrize(("chosen", "kept"), [("65536", True), ("65537", False)])
def test_a_worker_keeps_the_memory_of_its_arrays(chosen, kept):
    """What Dask sets makes every array cost its pages anew; what somebody else chose stays."""
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": chosen}
    program = [sys.executable, "-c", FAULTS]
    told = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
    before, after = map(int, told.split())
    assert (after < before / 4) is kept
