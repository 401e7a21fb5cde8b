"""End folder runs of `clairvoy clear` by SIGKILL at random moments; look for anything half written.

    python benchmarks/killed.py [--times 100] [--photographs 12] [--jobs 2]

The photographs are cut from the example. A run that is left alone says what each output is. Then runs with
`--skip-existing` are killed, after each of which every output must be missing or whole, and the report must be JSON. When
all outputs are there, they are removed and it begins anew. A last run is left alone: its outputs must be the bytes of the
first, with nothing beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from clairvoy.imaging.files import read, write

EXAMPLE = Path(__file__).parent.parent / "examples" / "hazy"


def outputs(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the parts of what is not finished."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="End folder runs by SIGKILL and look for anything half written."
    )
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder, out, report = Path(scratch, "in"), Path(scratch, "out"), Path(scratch, "report.json")
        folder.mkdir()
        picture = read(next(iter(sorted(EXAMPLE.glob("*.jpg")))))
        for number in range(args.photographs):
            suffix = ("jpg", "png", "tif")[number % 3]
            part = np.ascontiguousarray(picture.pixels[number * 8 : number * 8 + 560])
            write(folder / f"{number:02}.{suffix}", part, picture)
        command = [
            sys.executable,
            "-m",
            "clairvoy",
            "clear",
            str(folder),
            "-o",
            str(out),
            "--force",
            "--quiet",
        ]
        command += ["--jobs", str(args.jobs), "--skip-existing", "--report", str(report)]

        begun = time.monotonic()
        subprocess.run(command, check=True)
        duration, whole = time.monotonic() - begun, outputs(out)
        moments, killed, wrong, met = random.Random(args.seed), 0, 0, set()
        while killed < args.times:
            if len(outputs(out)) == len(whole):
                for path in out.iterdir():
                    path.unlink()
            with subprocess.Popen(command) as running:
                time.sleep(moments.uniform(0.2, 1.1) * duration)
                running.kill()
            if running.returncode != -signal.SIGKILL:
                continue  # it was done before
            killed += 1
            there = outputs(out) if out.exists() else {}
            met.add(len(there))
            wrong += sum(data != whole[name] for name, data in there.items())
            if report.exists():
                json.loads(report.read_bytes())
        time.sleep(1.0)
        subprocess.run(command, check=True)
        same, beside = outputs(out) == whole, [path.name for path in out.glob(".*")]
    print(
        f"{killed} runs killed, with {sorted(met)} of {len(whole)} outputs there; {wrong} half written or different"
    )
    print(
        f"the last run gave {'the same' if same else 'OTHER'} bytes, and left beside them: {beside or 'nothing'}"
    )
    return 0 if same and not wrong and not beside else 1


if __name__ == "__main__":
    sys.exit(main())
