"""Seconds for a picture in memory, clairvoy beside its peers, at several sizes: a table on stderr, JSON on stdout.

python benchmarks/speed.py [--threads 2] [--megapixels 1 2 8.3 32 101] [--repeat 5] > speed.json

The picture is the example, enlarged. Clairvoy restores by force, so that the whole way is timed: look, agent, pass.
The methods take turns within each repetition, so that a busy moment of the machine hits them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from peers import AODNet, dark_channel_opencv

from clairvoy import Dehazer
from clairvoy.imaging.files import read
from clairvoy.restoring import full_resolution

EXAMPLE = Path(__file__).parent.parent / "examples" / "hazy"
LARGEST_AOD = 9e6
"""Eager AOD-Net keeps a dozen planes of floats: larger pictures would measure the swap."""

Bytes = NDArray[np.uint8]


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Seconds for a picture in memory, clairvoy beside its peers."
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 8.2944, 32, 101])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--weights", default="fast")
    parser.add_argument(
        "--cpu", action="store_true", help="seconds of the processor, for a machine that others use too"
    )
    parser.add_argument("--only", nargs="+", help="methods to time (default: all)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)

    photo = read(next(iter(sorted(EXAMPLE.glob("*.jpg"))))).pixels
    methods = _methods(Dehazer.load(args.weights, device="cpu"))
    chosen = {name: call for name, call in methods.items() if not args.only or name in args.only}
    rows = []
    for megapixels in args.megapixels:
        height = round((megapixels * 1e6 * 9 / 16) ** 0.5)
        size = (round(height * 16 / 9), height)
        picture = np.ascontiguousarray(cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC))
        rows.append(
            {
                "megapixels": picture.size / 3e6,
                "seconds": _times(
                    chosen, picture, args.repeat, time.process_time if args.cpu else time.perf_counter
                ),
            }
        )
    result = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "torch": torch.__version__,
        "repetitions": args.repeat,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "sizes": rows,
    }
    _table(rows, list(chosen))
    print(json.dumps(result, indent=2))
    return 0


def _methods(clairvoy: Dehazer) -> dict[str, Callable[[Bytes], object]]:
    aod = AODNet().eval()

    def by_numpy(picture: Bytes) -> object:
        kept, full_resolution.COMPILED_FROM = full_resolution.COMPILED_FROM, sys.maxsize
        try:
            return clairvoy(picture, force=True).image
        finally:
            full_resolution.COMPILED_FROM = kept

    @torch.inference_mode()
    def aod_eager(picture: Bytes) -> object:
        # Its time does not depend on its weights, so random ones do.
        planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        return (aod(planes).clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()

    return {
        "clairvoy": lambda picture: clairvoy(picture, force=True).image,
        "clairvoy without numba": by_numpy,
        "dark channel, OpenCV": dark_channel_opencv,
        "AOD-Net, eager": aod_eager,
    }


def _times(
    methods: dict[str, Callable[[Bytes], object]],
    picture: Bytes,
    repeat: int,
    clock: Callable[[], float],
) -> dict[str, float | None]:
    """Median seconds of each method; None where a picture is too large for it."""
    fits = {n: f for n, f in methods.items() if not (n.startswith("AOD") and picture.size / 3 > LARGEST_AOD)}
    taken: dict[str, list[float]] = {name: [] for name in fits}
    for turn in range(repeat + 1):
        for name, method in fits.items():
            began = clock()
            method(picture)
            # The first turn warms up caches and compiles.
            if turn:
                taken[name].append(clock() - began)
    return {name: statistics.median(taken[name]) if name in fits else None for name in methods}


def _table(rows: list[dict], names: list[str]) -> None:
    print("seconds (seconds per megapixel)", file=sys.stderr)
    print("  ".join(["     Mpx", *(name.rjust(24) for name in names)]), file=sys.stderr)
    for row in rows:
        cells = [
            f"{s:.3f} ({s / row['megapixels']:.3f})" if (s := row["seconds"][name]) is not None else "-"
            for name in names
        ]
        print("  ".join([f"{row['megapixels']:8.1f}", *(c.rjust(24) for c in cells)]), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
