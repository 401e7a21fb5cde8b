"""`clairvoy clear` from addresses to addresses: memory:// stands for a bucket."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import distributed
import fsspec
import numpy as np
import pytest
import stand_in
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from clairvoy.apps.clear.command import Run
from clairvoy.apps.clear.jobs import Extras, plan
from clairvoy.apps.cli import _parser
from clairvoy.errors import FileError


@pytest.fixture
def bucket():
    """An empty bucket."""
    memory = fsspec.filesystem("memory")
    yield memory
    if memory.exists("/bucket"):
        memory.rm("/bucket", recursive=True)


def png(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def run(*arguments: str, load=stand_in.load_in_memory) -> int:
    args = _parser(["clear"]).parse_args(["clear", *arguments])
    args.verbose = False
    extras = Extras(args.haze_map, args.tau_map, args.comparison)
    how = {name: getattr(args, name) for name in ("report", "recursive", "overwrite", "skip_existing")}
    return Run(args, plan(args.inputs, args.output, extras, **how), load).all()


def below(bucket, folder: str) -> dict[str, bytes]:
    found = bucket.find(folder) if bucket.exists(folder) else []
    return {name.removeprefix(f"{folder}/"): bucket.cat_file(name) for name in found}


def test_a_bucket_gives_what_a_folder_gives(folder, bucket):
    for number, name in enumerate(("a.png", "b.png", "deep/c.png")):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
        bucket.pipe_file(f"/bucket/in/{name}", png(number))
    options = ["--recursive", "--jobs", "1", "--overwrite"]
    assert run("in", "-o", "out", "--haze-map", "maps", "--report", "report.json", *options) == 0
    there = "memory://bucket"
    more = ["--haze-map", f"{there}/maps", "--report", f"{there}/report.json"]
    assert run(f"{there}/in/", "-o", f"{there}/out/", *more, *options) == 0
    for kind in ("out", "maps"):
        here = {
            path.relative_to(kind).as_posix(): path.read_bytes()
            for path in Path(kind).rglob("*") if path.is_file()
        }  # fmt: skip
        assert below(bucket, f"/bucket/{kind}") == here
    told = Path("report.json").read_text()
    for kind in ("in", "out"):
        told = told.replace(f'"{kind}/', f'"{there}/{kind}/')
    assert json.loads(bucket.cat_file("/bucket/report.json")) == json.loads(told)


def test_from_a_bucket_to_a_folder_and_back(folder, bucket):
    bucket.pipe_file("/bucket/a.png", png(0))
    assert run("memory://bucket/a.png", "-o", "here.png") == 0
    assert run("here.png", "-o", "memory://bucket/back.png", load=stand_in.load_untouched) == 0
    assert bucket.cat_file("/bucket/back.png") == Path("here.png").read_bytes()
    assert run("memory://bucket/a.png") == 0  # beside it
    assert bucket.cat_file("/bucket/a.clear.png") == Path("here.png").read_bytes()


def test_what_is_there_is_refused_skipped_or_replaced(folder, bucket):
    for number, name in enumerate("abc"):
        bucket.pipe_file(f"/bucket/in/{name}.png", png(number))
    bucket.pipe_file("/bucket/out/b.png", b"from before")
    call = ("memory://bucket/in", "-o", "memory://bucket/out", "--jobs", "1")
    with pytest.raises(FileError, match=r"memory://bucket/out/b.png exists; --overwrite"):
        run(*call)
    assert run(*call, "--skip-existing", "--report", "memory://bucket/report.json") == 0
    assert bucket.cat_file("/bucket/out/b.png") == b"from before"
    status = [entry["status"] for entry in json.loads(bucket.cat_file("/bucket/report.json"))]
    assert status == ["restored", "skipped", "restored"]
    assert run(*call, "--skip-existing", "--report", "memory://bucket/report.json") == 0
    status = [entry["status"] for entry in json.loads(bucket.cat_file("/bucket/report.json"))]
    assert status == ["restored", "skipped", "restored"]
    assert run(*call, "--overwrite") == 0
    assert bucket.cat_file("/bucket/out/b.png") != b"from before"


def test_what_a_store_refuses_costs_one_photograph(folder, bucket, monkeypatch, capsys):
    for number, name in enumerate("abc"):
        bucket.pipe_file(f"/bucket/in/{name}.png", png(number))
    write, read = MemoryFileSystem.pipe_file, MemoryFileSystem.cat_file

    def refuse(does, name):
        def refusing(self, path, *args, **kwargs):
            if path.endswith(name):
                raise RuntimeError("slow down")
            return does(self, path, *args, **kwargs)

        return refusing

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse(write, "out/a.png"))
    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse(read, "in/b.png"))
    assert run("memory://bucket/in", "-o", "memory://bucket/out", "--jobs", "1") == 2
    assert bucket.find("/bucket/out") == ["/bucket/out/c.png"]
    said = capsys.readouterr().err
    assert "memory://bucket/out/a.png cannot be reached (slow down)" in said
    assert "memory://bucket/in/b.png cannot be reached (slow down)" in said


def test_what_is_no_photograph_and_what_is_not_there(folder, bucket):
    bucket.pipe_file("/bucket/in/readme.txt", b"x")
    with pytest.raises(FileError, match=r"memory://bucket/in: no .* file here"):
        run("memory://bucket/in", "-o", "memory://bucket/out")
    assert run("memory://bucket/none.png", "-o", "memory://bucket/out.png") == 2
    assert not bucket.exists("/bucket/out.png")
    bucket.pipe_file("/bucket/a.png", png(0))
    with pytest.raises(FileError, match="is one of the photographs to read"):
        run("memory://bucket/a.png", "-o", "memory://bucket/a.png", "--overwrite")


@pytest.mark.slow
def test_a_cluster_reads_and_writes_a_bucket(folder, bucket):
    for number in range(6):
        bucket.pipe_file(f"/bucket/in/{number}.png", png(number))
    # Threads of this process, since what is in memory is in no other.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        call = ("memory://bucket/in", "-o", "memory://bucket/out", "--cluster", cluster.scheduler_address)
        assert run(*call) == 0
    assert sorted(below(bucket, "/bucket/out")) == [f"{number}.png" for number in range(6)]
