"""What it costs to have clairvoy and to use it: start, memory over many shapes, one very large photograph, installed size.

python benchmarks/runtime.py [--only start shapes large size] > runtime.json

Seconds are of the CPU (user and system), so that other work on the machine counts little. Run it with the Python of the
installation that is to be measured: each way is a process of its own of that Python.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from packaging.requirements import Requirement

from clairvoy import Dehazer

EXAMPLE = Path(__file__).parent.parent / "examples" / "hazy" / "salcantay.jpg"
WAYS = ("start", "shapes", "large", "size")


def main() -> int:
    parser = argparse.ArgumentParser(description="Start, memory and installed size.")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS, help="(default: all)")
    parser.add_argument("--pictures", type=int, default=2000, help="restored in one process (default: 2000)")
    parser.add_argument("--shapes", type=int, default=200, help="that they come in (default: 200)")
    parser.add_argument("--megapixels", type=float, default=101, help="of the very large JPEG (default: 101)")
    parser.add_argument("--here", action="store_true", help="restore pictures of many shapes in this process")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(resident_over_shapes(args.pictures, args.shapes)))
        return 0
    result: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
    }
    with tempfile.TemporaryDirectory() as folder:
        if "start" in args.only:
            photo = enlarged(Path(folder) / "two.jpg", 2)
            result["clear of a 2 Mpx JPEG, three cold starts"] = [clear(photo, folder) for _ in range(3)]
        if "large" in args.only:
            photo = enlarged(Path(folder) / "large.jpg", args.megapixels)
            result[f"clear of a {args.megapixels:g} Mpx JPEG"] = clear(photo, folder)
    if "shapes" in args.only:
        command = [
            sys.executable,
            __file__,
            "--here",
            f"--pictures={args.pictures}",
            f"--shapes={args.shapes}",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result[f"resident MB after pictures of {args.shapes} shapes"] = json.loads(told)
    if "size" in args.only:
        result["installed MB"] = installed()
    print(json.dumps(result, indent=2))
    return 0


def enlarged(path: Path, megapixels: float) -> Path:
    """The example as a JPEG of about so many pixels."""
    photo = cv2.imread(str(EXAMPLE))
    scale = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
    cv2.imwrite(str(path), cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    return path


def clear(photo: Path, folder: str) -> dict[str, float]:
    """`clairvoy clear` in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "clairvoy",
        "clear",
        str(photo),
        "-o",
        f"{folder}/out.jpg",
        "--overwrite",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, command)
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
    }


def resident_over_shapes(pictures: int, shapes: int) -> dict[int, float]:
    """Resident memory in MB after so many pictures, noise from 40 to 900 pixels a side, all restored by force."""
    rng = np.random.default_rng(0)
    sizes = [tuple(int(side) for side in rng.integers(40, 900, 2)) for _ in range(shapes)]
    dehazer, noted = Dehazer.load("fast", "cpu"), {}
    marks = {0, 1, shapes // 2, *(shapes * k for k in (1, 2, 3, 5)), pictures // 2, pictures}
    for number in range(pictures + 1):
        if number in marks:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            noted[number] = round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
        dehazer(rng.integers(80, 220, (*sizes[number % shapes], 3), dtype=np.uint8), force=True)
    return noted


def installed() -> dict[str, float]:
    """MB on the disk of clairvoy and of each package that it needs without any extra."""
    sizes: dict[str, float] = {}
    waiting = ["clairvoy"]
    while waiting:
        name = waiting.pop()
        if name in sizes:
            continue
        found = importlib.metadata.distribution(name)
        files = [Path(str(found.locate_file(file))) for file in found.files or ()]
        sizes[name] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        needs = [Requirement(text) for text in found.requires or ()]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return {"in all": round(sum(sizes.values()), 1)} | {
        name: round(size, 1) for name, size in sorted(sizes.items(), key=lambda pair: -pair[1])
    }


if __name__ == "__main__":
    sys.exit(main())
