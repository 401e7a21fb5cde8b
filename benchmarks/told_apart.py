"""How often a picture that says nothing is taken for a panorama: panoramas, and photographs cut to twice their height.

    python benchmarks/told_apart.py --panoramas DIR --photographs DIR...

Photographs are cut around their middle, and count where they are at least 256 columns wide. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.panorama import panorama_of
from clairvoy.imaging.synthesis.panoramas import render_panorama


def main() -> int:
    parser = argparse.ArgumentParser(description="How often pictures are taken for panoramas.")
    parser.add_argument("--panoramas", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, nargs="+", required=True)
    parser.add_argument("--rendered", type=int, default=200)
    args = parser.parse_args()
    kinds: dict[str, Iterable[NDArray[np.generic]]] = {
        "panoramas": (read(path).pixels for path in find_photographs(args.panoramas)),
        "rendered": (render_panorama(128, np.random.default_rng(seed))[0] for seed in range(args.rendered)),
        "photographs": (
            _cut(read(path).pixels)
            for folder in args.photographs
            for path in find_photographs(folder, recursive=True)
        ),
    }
    told = {}
    for name, pictures in kinds.items():
        taken = [panorama_of(one) is not None for one in pictures if one.shape[1] >= 256]
        told[name] = {"pictures": len(taken), "taken for a panorama": sum(taken)}
    print(json.dumps(told, indent=1))
    return 0


def _cut(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """The middle of a picture (H, W, 3), twice as wide as high."""
    height = min(pixels.shape[0], pixels.shape[1] // 2)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - 2 * height) // 2
    return pixels[top : top + height, left : left + 2 * height]


if __name__ == "__main__":
    sys.exit(main())
