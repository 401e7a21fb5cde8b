"""A folder of photographs with one worker on one core, and with more on as many: seconds of wall and of CPU.

    python benchmarks/folder.py [--photographs 40] [--megapixels 4] [--cores 1 2] [--repeat 3]

Each run is a process of `clairvoy clear --force` that may use so many cores and has as many workers. On a machine that
others use too, seconds of wall say little. The CPU time of all processes then says what sharing costs, and that of the
busiest one how even the shares are: an idle machine takes about as long as its busiest process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from clairvoy.imaging.files import read, write

EXAMPLE = Path(__file__).parent.parent / "examples" / "hazy"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(session: int) -> dict[int, float]:
    """CPU time of each process of a session, by its number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def run(folder: Path, out: Path, cores: int) -> dict[str, float]:
    """One run over the folder."""
    command = [sys.executable, "-m", "clairvoy", "clear", str(folder), "-o", str(out)]
    command += ["--force", "--quiet", "--overwrite", "--jobs", str(cores)]
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    begun, spent, over = time.monotonic(), dict[int, float](), threading.Event()
    process = subprocess.Popen(
        command, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, chosen)
    )

    def watch() -> None:
        while not over.wait(0.05):
            for number, seconds in cpu_seconds(process.pid).items():
                spent[number] = max(spent.get(number, 0.0), seconds)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    over.set()
    watcher.join()
    if code:
        raise SystemExit(f"the run failed with exit code {code}")
    return {"wall": time.monotonic() - begun, "cpu": sum(spent.values()), "busiest": max(spent.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description="A folder with one worker and with more.")
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--megapixels", type=float, default=4.0)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()

    runs: dict[int, list[dict[str, float]]] = {cores: [] for cores in args.cores}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "in")
        folder.mkdir()
        example = read(next(iter(sorted(EXAMPLE.glob("*.jpg")))))
        height = round((args.megapixels * 1e6 / 1.5) ** 0.5)
        large = cv2.resize(example.pixels, (round(1.5 * height), height), interpolation=cv2.INTER_CUBIC)
        for number in range(args.photographs):
            write(
                folder / f"{number:03}.jpg",
                np.ascontiguousarray(np.roll(large, number * 16, axis=1)),
                example,
            )
        for _ in range(args.repeat):  # in turns, so that a busy moment hits all alike
            for cores in args.cores:
                runs[cores].append(run(folder, Path(scratch, "out"), cores))
    best = {cores: {name: min(one[name] for one in of) for name in of[0]} for cores, of in runs.items()}
    print("cores  wall s  CPU s, all  CPU s, busiest process")
    for cores, one in best.items():
        print(f"{cores:5}  {one['wall']:6.1f}  {one['cpu']:10.1f}  {one['busiest']:22.1f}")
    print(json.dumps({"runs": runs, "best": best}))


if __name__ == "__main__":
    main()
