"""`clairvoy ablate haze` as a user calls it, very short: what is written, and that a finished run is not done again."""

import json
from contextlib import nullcontext

import distributed
import numpy as np
import pytest
from PIL import Image

from clairvoy.apps import ablate
from clairvoy.apps import cluster as of_clusters
from clairvoy.apps.cli import main
from clairvoy.evaluation.ablation import ARMS
from clairvoy.imaging.files import Picture, write


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for index in range(20):
        pixels = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
        write(folder / f"{index:02d}.png", pixels, Picture(pixels))
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {
        "pool": 8,
        "scenes": 8,
        "searches": 4,
        "batch": 4,
        "from_agent": 2,
        "draws": 2,
    }.items():
        monkeypatch.setattr(ablate.AblationSettings, name, value)
    init = ablate.AblationSettings.__init__
    few = {"pool": 8, "scenes": 8, "searches": 4, "batch": 4, "from_agent": 2, "draws": 2}
    monkeypatch.setattr(
        ablate.AblationSettings, "__init__", lambda self, **given: init(self, **(few | given))
    )


def call(photographs, out, *more):
    short = ["--updates", "2", "--scenes", "20", "--size", "32", "--seeds", "2", "--quiet"]
    return main(["ablate", "haze", "--clear", str(photographs), "--out", str(out), *short, *more])


@pytest.mark.slow
def test_four_arms_table_json_and_figure_and_no_run_is_done_twice(photographs, tmp_path, capsys, monkeypatch):
    assert call(photographs, tmp_path / "a") == 0
    table = capsys.readouterr().out
    assert all(f"| {arm} |" in table for arm in ARMS)
    assert table.count("| 2 |") >= 4  # seeds
    assert (tmp_path / "a" / "ablation.md").read_text() == table
    with Image.open(tmp_path / "a" / "ablation.png") as figure:
        assert figure.width > figure.height > 100
    told = json.loads((tmp_path / "a" / "ablation.json").read_text())
    assert len(told["runs"]) == 8
    assert {run["updates"] for run in told["runs"]} == {2}
    assert len({run["windows"] for run in told["runs"]}) == 1
    said = json.loads((tmp_path / "a" / "settings.json").read_text())
    assert said["updates"] == 2
    assert said["data"]["clear"]["files"] == 20

    # The arms differ in their switches alone: apart and "agent helps generator" have the very same agent.
    by_arm = {(run["arm"], run["seed"]): run["measures"] for run in told["runs"]}
    assert by_arm["apart", 0]["return"] == by_arm["agent helps generator", 0]["return"]
    assert by_arm["apart", 0]["restored_db"] != by_arm["apart", 1]["restored_db"]

    # One run is lost: it alone is done again, to the same numbers.
    (tmp_path / "a" / "runs" / "both-1.json").unlink()
    done = []
    run = ablate._Bench.run
    monkeypatch.setattr(ablate._Bench, "run", lambda self, *given: done.append(given[0]) or run(self, *given))
    assert call(photographs, tmp_path / "a") == 0
    assert done == ["both"]
    again = json.loads((tmp_path / "a" / "ablation.json").read_text())
    assert again["level"] == told["level"]

    assert call(photographs, tmp_path / "a", "--updates", "3") == 2
    assert "began with updates 2, not 3" in capsys.readouterr().err


def test_refusals(photographs, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    (few / "0.png").write_bytes((photographs / "00.png").read_bytes())
    for folder, more, told in (
        (few, (), "at least 20"),
        (photographs, ("--seeds", "0"), "--seeds"),
        (photographs, ("--size", "60"), "--size"),
        (tmp_path / "nowhere", (), "nowhere"),
    ):
        assert call(folder, tmp_path / "out", *more) == 2
        assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cluster_gives_the_numbers_of_one_process(photographs, tmp_path, monkeypatch):
    two = {name: ARMS[name] for name in ("apart", "both")}
    monkeypatch.setattr("clairvoy.evaluation.ablation.ARMS", two)
    assert call(photographs, tmp_path / "alone", "--seeds", "1") == 0
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        more = ("--seeds", "1", "--cluster", cluster.scheduler_address)
        assert call(photographs, tmp_path / "shared", *more) == 0
    alone, shared = (
        json.loads((tmp_path / name / "ablation.json").read_text()) for name in ("alone", "shared")
    )
    assert len(shared["runs"]) == 2
    for one, other in zip(alone["runs"], shared["runs"], strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_run_whose_workers_are_lost_is_named_and_the_others_are_kept(
    photographs, tmp_path, monkeypatch, capsys
):
    class Losing:
        def results(self, function, calls, started):
            for number, call in enumerate(calls):
                yield number, of_clusters.Lost if number else function(*call)

    monkeypatch.setattr(of_clusters, "connected", lambda address: nullcontext(Losing()))
    assert call(photographs, tmp_path / "out", "--cluster", "tcp://nobody:1") == 2
    assert "the workers that trained it were lost" in capsys.readouterr().err
    assert len(list((tmp_path / "out/runs").iterdir())) == 1
