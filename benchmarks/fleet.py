"""`clairvoy clear --cluster` on this machine: throughput, workers that are killed, and a great many files.

    python benchmarks/fleet.py throughput [--photographs 48] [--megapixels 2] [--workers 4]
    python benchmarks/fleet.py killed     [--photographs 200] [--megapixels 2] [--workers 4] [--every 10]
    python benchmarks/fleet.py many       [--files 100000] [--workers 2]

`throughput` restores the same photographs with so many plain processes of one thread each, that share them out beforehand,
and with a cluster of as many workers. On a machine that others use too, seconds of wall say little, and seconds of CPU what
sharing costs. `killed` sends SIGKILL to a worker every so many seconds, and compares all files and the report with those of
an undisturbed run. `many` copies small files, so that what is measured is the client and the scheduler: their memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import psutil

from clairvoy.apps.clear.jobs import Job
from clairvoy.apps.clear.outcome import Outcome
from clairvoy.apps.clear.restore_settings import Settings
from clairvoy.imaging.files import read, write
from clairvoy.storage.atomic import replace_file

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "hazy"
_ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
}


def copying(settings: Settings):
    """In the dehazer's place, for `many`: the file is copied."""

    def copy(job: Job) -> Outcome:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(job.target, job.source.read_bytes())
        return Outcome({"source": job.name, "output": str(job.target), "status": "restored"}, [])

    return copy


def client(folder: str, out: str, address: str) -> int:
    """`clairvoy clear folder -o out --cluster address` with copies in the place of restorations."""
    from clairvoy.apps.clear.command import Run
    from clairvoy.apps.clear.jobs import plan
    from clairvoy.apps.cli import _parser

    args = _parser(["clear"]).parse_args(["clear", folder, "-o", out, "--cluster", address, "--quiet"])
    args.verbose = False
    return Run(args, plan(args.inputs, args.output), copying).all()


class Watch:
    """CPU time and memory of processes and all that they start, sampled until it is left.

    Attributes
    ----------
    cpu
        Seconds by name.
    memory
        Resident megabytes by name, in the order of time.
    """

    def __init__(self, **processes: int) -> None:
        self._tops = {name: psutil.Process(number) for name, number in processes.items()}
        self._spent: dict[str, dict[int, float]] = {name: {} for name in processes}
        self.memory: dict[str, list[float]] = {name: [] for name in processes}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._before = {name: self._sample(name) for name in self._tops}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._tops:
            self._sample(name)
        self._over.set()
        self._thread.join()
        self.cpu = {name: sum(spent.values()) - self._before[name] for name, spent in self._spent.items()}

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            for name in self._tops:
                self._sample(name)

    def _sample(self, name: str) -> float:
        memory = 0.0
        with suppress(psutil.NoSuchProcess):
            top = self._tops[name]
            for process in [top, *top.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._spent[name][process.pid] = times.user + times.system
                    memory += process.memory_info().rss / 1e6
        if memory:
            self.memory[name].append(memory)
        return sum(self._spent[name].values())


def make_photographs(folder: Path, count: int, megapixels: float) -> None:
    """Crops and mirrored crops of the example, enlarged, so that no two are alike."""
    source = read(next(EXAMPLE.glob("*.jpg")))
    rng = np.random.default_rng(0)
    height, width = source.pixels.shape[:2]
    side = (round((megapixels * 1e6 * 2 / 3) ** 0.5), round((megapixels * 1e6 * 3 / 2) ** 0.5))
    folder.mkdir()
    for number in range(count):
        top, left = rng.integers(0, height // 4), rng.integers(0, width // 4)
        crop = source.pixels[top : top + 3 * height // 4, left : left + 3 * width // 4]
        crop = crop[:, ::-1] if number % 2 else crop
        pixels = cv2.resize(np.ascontiguousarray(crop), side[::-1], interpolation=cv2.INTER_CUBIC)
        write(folder / f"{number:05d}.jpg", pixels, source)


@contextmanager
def cluster(workers: int, scratch: Path) -> Iterator[tuple[str, subprocess.Popen, subprocess.Popen]]:
    """A scheduler, and a process whose children are the workers; the address, and both."""
    file = scratch / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": _ENVIRONMENT}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", str(file)], **quiet)
    while not file.exists() or not file.read_text():
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard"]
    command += ["--nthreads", "1", "--nworkers", str(workers), "--local-directory", str(scratch)]
    crew = subprocess.Popen(command, **quiet)
    try:
        from distributed import Client

        with Client(address, set_as_default=False) as asking:
            asking.wait_for_workers(workers, timeout=120)
        yield address, scheduler, crew
    finally:
        for process in (crew, scheduler):
            process.terminate()
            process.wait()


def clear(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "clairvoy", "clear", *map(str, arguments), "--force", "--quiet"]
    return subprocess.Popen(command, env=_ENVIRONMENT)


def throughput(args: argparse.Namespace, scratch: Path) -> None:
    make_photographs(scratch / "in", args.photographs, args.megapixels)
    photographs = sorted((scratch / "in").iterdir())
    for share in range(args.workers):
        (scratch / f"share{share}").mkdir()
        for photograph in photographs[share :: args.workers]:
            os.link(photograph, scratch / f"share{share}" / photograph.name)
    for turn in range(args.repeat):
        begun = time.monotonic()
        plain = [
            clear(scratch / f"share{share}", "-o", scratch / f"plain{turn}", "--jobs", 1)
            for share in range(args.workers)
        ]
        with Watch(**{f"process {number}": process.pid for number, process in enumerate(plain)}) as watch:
            codes = [process.wait() for process in plain]
        report("plain", args, begun, watch, codes)
        with cluster(args.workers, scratch) as (address, scheduler, crew):
            begun = time.monotonic()
            asking = clear(scratch / "in", "-o", scratch / f"cluster{turn}", "--cluster", address)
            with Watch(workers=crew.pid, scheduler=scheduler.pid, client=asking.pid) as watch:
                codes = [asking.wait()]
            report("cluster", args, begun, watch, codes)


def report(name: str, args: argparse.Namespace, begun: float, watch: Watch, codes: list[int]) -> None:
    if any(codes):
        raise SystemExit(f"{name}: exit codes {codes}")
    cpu, wall = sum(watch.cpu.values()), time.monotonic() - begun
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in watch.cpu.items())
    print(
        f"{name:8}{wall:7.1f} s of wall, {cpu:7.1f} s of CPU ({parts}); "
        f"{1000 * cpu / args.photographs:.0f} ms of CPU for a photograph"
    )


def killed(args: argparse.Namespace, scratch: Path) -> None:
    make_photographs(scratch / "in", args.photographs, args.megapixels)
    if clear(scratch / "in", "-o", scratch / "alone", "--jobs", 1).wait():
        raise SystemExit("the undisturbed run failed")
    rng, deaths, over = random.Random(0), [], threading.Event()
    with cluster(args.workers, scratch) as (address, _, crew):

        def kill() -> None:
            while not over.wait(args.every):
                workers = [
                    one for one in psutil.Process(crew.pid).children(recursive=True) if one.is_running()
                ]
                workers = [one for one in workers if "spawn_main" in " ".join(one.cmdline())]
                if workers:
                    victim = rng.choice(workers)
                    victim.send_signal(signal.SIGKILL)
                    deaths.append(victim.pid)

        killer = threading.Thread(target=kill)
        killer.start()
        file = scratch / "report.json"
        code = clear(scratch / "in", "-o", scratch / "out", "--cluster", address, "--report", file).wait()
        over.set()
        killer.join()
    entries = [entry["source"] for entry in json.loads(file.read_text()) if entry["status"] != "failed"]
    alone = {path.name: path.read_bytes() for path in (scratch / "alone").iterdir()}
    out = {path.name: path.read_bytes() for path in (scratch / "out").iterdir()}
    same = sum(out.get(name) == data for name, data in alone.items())
    print(
        f"exit code {code}; {len(deaths)} workers killed; {len(entries)} of {args.photographs} photographs restored, "
        f"{len(entries) - len(set(entries))} twice; {len(out)} files, {same} "
        f"with the bytes of the undisturbed run, {len(out.keys() - alone.keys())} besides"
    )


def many(args: argparse.Namespace, scratch: Path) -> None:
    make_photographs(scratch / "one", 1, 0.002)
    data = next((scratch / "one").iterdir()).read_bytes()
    (scratch / "in").mkdir()
    for number in range(args.files):
        (scratch / "in" / f"{number:06d}.jpg").write_bytes(data)
    with cluster(args.workers, scratch) as (address, scheduler, crew):
        begun = time.monotonic()
        call = f"import sys, fleet; sys.exit(fleet.client({str(scratch / 'in')!r}, {str(scratch / 'out')!r}, {address!r}))"
        asking = subprocess.Popen([sys.executable, "-c", call], env=_ENVIRONMENT)
        with Watch(client=asking.pid, scheduler=scheduler.pid, workers=crew.pid) as watch:
            told = 0
            while asking.poll() is None:
                time.sleep(1.0)
                done = _files(scratch / "out")
                if done >= (told + 0.05) * args.files:
                    told = done / args.files
                    memory = ", ".join(
                        f"{name} {held[-1]:.0f} MB" for name, held in watch.memory.items() if held
                    )
                    print(f"{done} files, {time.monotonic() - begun:.0f} s: {memory}", flush=True)
        print(
            f"exit code {asking.returncode}, {_files(scratch / 'out')} files, {time.monotonic() - begun:.0f} s"
        )
        for name, seconds in watch.cpu.items():
            print(f"{name}: {1000 * seconds / args.files:.2f} ms of CPU for a file")


def _files(folder: Path) -> int:
    try:
        return sum(1 for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description="A Dask cluster on one machine.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name in ("throughput", "killed"):
        kind = kinds.add_parser(name)
        kind.add_argument("--photographs", type=int, default=48 if name == "throughput" else 200)
        kind.add_argument("--megapixels", type=float, default=2.0)
        kind.add_argument("--workers", type=int, default=4)
        kind.add_argument("--repeat", type=int, default=1)
        kind.add_argument("--every", type=float, default=10.0, metavar="SECONDS")
    kind = kinds.add_parser("many")
    kind.add_argument("--files", type=int, default=100_000)
    kind.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        {"throughput": throughput, "killed": killed, "many": many}[args.kind](args, Path(scratch))


if __name__ == "__main__":
    main()
