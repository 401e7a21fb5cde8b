"""What a fleet costs, and where its bottleneck moves: from the workers to the storage.

    python benchmarks/fleet_cost.py measure [--megapixels 12] [--photographs 12] [--noise 6]
    python benchmarks/fleet_cost.py simulate --cpu 0.5 --read 5 --written 5 [--files 1000000] [--gigabytes 1.25]

`measure` restores photographs with one thread and tells what one more costs: seconds of CPU, megabytes in and out. Noise
makes the files as large as those of cameras. `simulate` lets workers go round: ask the scheduler for a file, read it,
restore it, write it. Workers compute each for themselves. The scheduler serves one after another. The storage shares its
bandwidth among all that read or write, none faster than its own line, and answers each request after a while.
"""

from __future__ import annotations

import argparse
import heapq
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clairvoy.imaging.files import read, write


@dataclass(frozen=True)
class Fleet:
    """Workers, what a file asks of them, and what they share."""

    workers: int
    """Each one core."""
    cpu: float
    """Seconds of CPU for a file."""
    read: float
    """Megabytes of a file."""
    written: float
    """Megabytes of what it becomes."""
    line: float = 100.0
    """Megabytes a second that one worker can send or receive."""
    bandwidth: float = 1250.0
    """Megabytes a second of the storage, for all together."""
    answer: float = 0.03
    """Seconds until the storage begins to answer."""
    scheduling: float = 0.005
    """Seconds of the scheduler and its client for a file; one after another."""
    spread: float = 0.3
    """Of sizes and times: the standard deviation of their logarithm."""


@dataclass(frozen=True)
class Load:
    """What came of it."""

    rate: float
    """Files a second."""
    computing: float
    """Part of the workers' time, in [0, 1]."""
    storage: float
    """Part of the storage's bandwidth, in [0, 1]."""
    scheduler: float
    """Part of the scheduler's time, in [0, 1]."""


class _Storage:
    """Bandwidth shared evenly: a transfer ends when each has been given as much as it is large."""

    def __init__(self, line: float, bandwidth: float) -> None:
        self.line, self.bandwidth = line, bandwidth
        self.given = self.now = self.moved = 0.0
        self.going: list[tuple[float, int]] = []

    def rate(self) -> float:
        """Megabytes a second for each of those that go on now."""
        return min(self.line, self.bandwidth / len(self.going)) if self.going else 0.0

    def move_to(self, now: float) -> None:
        """Let time pass."""
        step = self.rate() * (now - self.now)
        self.given, self.now, self.moved = self.given + step, now, self.moved + step * len(self.going)

    def next_end(self) -> float:
        """When the next transfer ends, if none begins before."""
        return self.now + (self.going[0][0] - self.given) / self.rate() if self.going else float("inf")


def simulate(fleet: Fleet, files: int, seed: int = 0) -> Load:
    """Let the workers of a fleet take so many files, and tell how fast they went and what was busy."""
    rng = np.random.default_rng(seed)
    # Of mean 1, so that the spread changes no total.
    spread = lambda: float(rng.lognormal(-(fleet.spread**2) / 2, fleet.spread))  # noqa: E731
    storage = _Storage(fleet.line, fleet.bandwidth)
    # What happens next to each worker: (when, who, what); transfers end by the storage's own clock.
    events: list[tuple[float, int, str]] = []
    size = [1.0] * fleet.workers
    free = computed = 0.0
    begun = done = 0

    def ask(worker: int, now: float) -> None:
        nonlocal free, begun
        if begun < files:
            begun += 1
            free = max(free, now) + fleet.scheduling
            size[worker] = spread()
            heapq.heappush(events, (free + fleet.answer, worker, "read"))

    for worker in range(fleet.workers):
        ask(worker, 0.0)
    reading: set[int] = set()
    while events or storage.going:
        when, end = events[0][0] if events else float("inf"), storage.next_end()
        if end <= when:
            storage.move_to(end)
            _, worker = heapq.heappop(storage.going)
            if worker in reading:
                reading.remove(worker)
                seconds = fleet.cpu * size[worker]
                computed += seconds
                heapq.heappush(events, (end + seconds + fleet.answer, worker, "write"))
            else:
                done += 1
                ask(worker, end)
        else:
            storage.move_to(when)
            _, worker, what = heapq.heappop(events)
            if what == "read":
                reading.add(worker)
            amount = (fleet.read if what == "read" else fleet.written) * size[worker]
            heapq.heappush(storage.going, (storage.given + amount, worker))
    span = storage.now
    return Load(
        files / span,
        computed / (span * fleet.workers),
        storage.moved / (span * fleet.bandwidth),
        files * fleet.scheduling / span,
    )


def table(args: argparse.Namespace) -> None:
    print("| cores | files/s | hours | core hours | computing | storage | scheduler | bottleneck |")
    print("|---|---|---|---|---|---|---|---|")
    for workers in args.workers:
        fleet = Fleet(
            workers,
            args.cpu,
            args.read,
            args.written,
            args.line,
            1000 * args.gigabytes,
            args.answer,
            args.scheduling,
        )
        load = simulate(fleet, args.rounds * workers)
        hours = args.files / load.rate / 3600
        shares = {"workers": load.computing, "storage": load.storage, "scheduler": load.scheduler}
        print(
            f"| {workers} | {load.rate:.1f} | {hours:.1f} | {hours * workers:.0f} | {load.computing:.0%} | "
            f"{load.storage:.0%} | {load.scheduler:.0%} | {max(shares, key=shares.__getitem__)} |"
        )


def measure(args: argparse.Namespace) -> None:
    from fleet import make_photographs

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "in")
        make_photographs(folder, args.photographs + 2, args.megapixels)
        rng, photographs = np.random.default_rng(0), sorted(folder.iterdir())
        for path in photographs:
            picture = read(path)
            noise = rng.normal(0, args.noise, picture.pixels.shape).astype(np.float32)
            noisy = np.clip(picture.pixels + noise, 0, 255).astype(np.uint8)
            write(path, noisy, picture, overwrite=True)
        few, out = _seconds(photographs[:2], Path(scratch, "few")), Path(scratch, "out")
        cpu = (_seconds(photographs, out) - few) / args.photographs
        megabytes = [
            sum(path.stat().st_size for path in where.iterdir()) / 1e6 / len(photographs)
            for where in (folder, out)
        ]
    print(
        f"{args.megapixels:g} Mpx: {cpu:.3f} s of CPU, {megabytes[0]:.2f} MB read, {megabytes[1]:.2f} MB written "
        "for a photograph"
    )


def _seconds(photographs: list[Path], out: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "clairvoy", "clear", *map(str, photographs), "-o", f"{out}/"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--force", "--quiet", "--jobs", "1"], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description="Core hours of a fleet, and its bottleneck.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kind = kinds.add_parser("measure")
    kind.add_argument("--megapixels", type=float, default=12.0)
    kind.add_argument("--photographs", type=int, default=12)
    kind.add_argument("--noise", type=float, default=6.0, help="levels of 255, which makes JPEGs larger")
    kind = kinds.add_parser("simulate")
    kind.add_argument("--cpu", type=float, required=True, help="seconds of CPU for a file")
    kind.add_argument("--read", type=float, required=True, help="megabytes of a file")
    kind.add_argument("--written", type=float, required=True, help="megabytes of what it becomes")
    kind.add_argument("--files", type=int, default=1_000_000)
    kind.add_argument("--workers", type=int, nargs="+", default=[1, 16, 64, 256, 1024])
    kind.add_argument("--line", type=float, default=Fleet.line, help="MB/s of one worker")
    kind.add_argument("--gigabytes", type=float, default=1.25, help="GB/s of the storage, for all together")
    kind.add_argument("--answer", type=float, default=Fleet.answer, help="seconds until the storage answers")
    kind.add_argument("--scheduling", type=float, default=Fleet.scheduling, help="seconds for a file")
    kind.add_argument("--rounds", type=int, default=40, help="files that each worker takes in the simulation")
    args = parser.parse_args()
    (measure if args.kind == "measure" else table)(args)


if __name__ == "__main__":
    main()
