"""Panoramas restored as spheres, beside other ways to do it: seam, turning, poles, error, CPU.

A table on stderr, JSON on stdout:

python benchmarks/panoramas.py --panoramas DIR [--densities .3 .8 1.6] [--sheet sheet.png] > panoramas.json

Haze with known truth is put on clear panoramas, three densities each: depth by the network in the package, asked for
overlapping squares all around, so that depth has no seam of its own. All ways restore by force, in one run:

    flat      as any picture: `clairvoy clear --flat`
    padded    the panorama continued by an eighth on either side, restored flat, cut again
    faces     the six faces of a cube, 110 degrees each, restored flat one by one and blended where they overlap
    sphere    as `clairvoy clear` does
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clairvoy import Dehazer
from clairvoy.drawing.png import picture_png
from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.haze import add_haze
from clairvoy.imaging.panorama import WHOLE
from clairvoy.imaging.synthesis.depth_model import DepthModel
from clairvoy.restoring.projection import smoothed_at_poles
from clairvoy.restoring.released import WEIGHTS_FOLDER

Bytes = NDArray[np.uint8]
Float = NDArray[np.float32]
Restorer = Callable[[Bytes], Bytes]

OVERLAP = math.radians(110)
"""Of a face; without overlap it would be 90 degrees."""
FOLD = math.pi / 4
"""What lies farther from the horizon is seen when looking up or down."""
FACES = [(0, 0), (90, 0), (180, 0), (270, 0), (0, 90), (0, -90)]
"""Longitude and latitude of their middles, in degrees."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Panoramas restored as spheres, beside other ways.")
    parser.add_argument("--panoramas", type=Path, required=True)
    parser.add_argument("--densities", type=float, nargs="+", default=[0.3, 0.8, 1.6])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--ways", nargs="+", help="of flat, padded, faces and sphere; by default all")
    parser.add_argument("--sheet", type=Path, help="a picture to look at: the seam in the middle, all ways")
    args = parser.parse_args()
    dehazer = Dehazer.load("fast", "cpu")
    ways = {name: way for name, way in _ways(dehazer).items() if name in (args.ways or [name])}
    depth = DepthModel(WEIGHTS_FOLDER / "tcmonodepth_small.onnx")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    rows = []
    for number, path in enumerate(find_photographs(args.panoramas)[: args.limit]):
        clear = read(path).pixels
        distance = _distance(depth, clear, np.random.default_rng(number))
        rng = np.random.default_rng(1000 + number)
        for density in args.densities:
            airlight = (rng.uniform(0.7, 0.95) + rng.normal(0, 0.015, 3)).astype(np.float32)
            t = np.exp(-density * distance)[..., None]
            hazy = np.rint(255 * np.clip(add_haze(clear / np.float32(255), t, airlight), 0, 1)).astype(
                np.uint8
            )
            restored = {name: _measured(way, hazy, clear, found[name]) for name, way in ways.items()}
            if density == args.densities[len(args.densities) // 2]:
                turned = (
                    np.roll(one, one.shape[1] // 2, axis=1) for one in (hazy, *restored.values(), clear)
                )
                rows.append(
                    np.hstack([cv2.resize(one, (480, 240), interpolation=cv2.INTER_AREA) for one in turned])
                )
    _table(found)
    if args.sheet:
        args.sheet.write_bytes(picture_png(np.vstack(rows)))
    print(json.dumps(found, indent=2))
    return 0


def _ways(dehazer: Dehazer) -> dict[str, Restorer]:
    def flat(pixels: Bytes) -> Bytes:
        return np.asarray(dehazer(np.ascontiguousarray(pixels), force=True, flat=True).image)

    def padded(pixels: Bytes) -> Bytes:
        margin = pixels.shape[1] // 8
        return flat(np.pad(pixels, ((0, 0), (margin, margin), (0, 0)), mode="wrap"))[:, margin:-margin]

    return {
        "flat": flat,
        "padded": padded,
        "faces": lambda pixels: _by_faces(pixels, flat),
        "sphere": lambda pixels: np.asarray(dehazer(pixels, force=True).image),
    }


def _by_faces(pixels: Bytes, flat: Restorer) -> Bytes:
    """Six overlapping perspective views restored one by one and put back, each weighted by how near its middle is."""
    height, width = pixels.shape[:2]
    side, reach = height // 2, math.tan(OVERLAP / 2)
    plane = ((np.arange(side) + 0.5) / side * 2 - 1) * reach
    across, down = np.meshgrid(plane, plane)
    rays = _rays(height)
    total, weights = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 1), np.float32)
    for longitude, latitude in np.radians(FACES):
        turn = _turned(longitude, latitude)
        ray = np.stack([np.ones_like(across), across, -down], axis=-1) @ turn.T
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        column = (np.arctan2(ray[..., 1], ray[..., 0]) / (2 * np.pi) % 1) * width - 0.5
        row = (0.5 - np.arcsin(ray[..., 2]) / np.pi) * height - 0.5
        face = flat(_sampled(pixels, column, row, wraps=True)).astype(np.float32)
        local = rays @ turn
        ahead = local[..., 0] > 1e-6
        depth = np.where(ahead, local[..., 0], 1)
        x, y = local[..., 1] / depth / reach, -local[..., 2] / depth / reach
        weight = np.clip(1 - np.maximum(np.abs(x), np.abs(y)), 0, 1) * ahead
        seen = _sampled(face, (x + 1) * side / 2 - 0.5, (y + 1) * side / 2 - 0.5)
        total += seen * weight[..., None].astype(np.float32)
        weights += weight[..., None].astype(np.float32)
    return np.asarray(np.rint(total / weights), np.uint8)


def _rays(height: int) -> NDArray[np.float64]:
    """Unit vectors of the pixels of a whole panorama, (H, 2 H, 3): ahead at longitude 0, left, up."""
    longitude = 2 * np.pi * (np.arange(2 * height) + 0.5) / (2 * height)
    latitude = WHOLE.latitudes(height)[:, None]
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude) + 0 * longitude,
        ],
        axis=-1,
    )


def _turned(longitude: float, latitude: float) -> NDArray[np.float64]:
    """Rotation whose columns are where a camera looks, its right and its up."""
    ahead = [
        math.cos(latitude) * math.cos(longitude),
        math.cos(latitude) * math.sin(longitude),
        math.sin(latitude),
    ]
    right = [-math.sin(longitude), math.cos(longitude), 0.0]
    return np.stack([ahead, right, np.cross(ahead, right)], axis=1)


def _sampled(
    pixels: NDArray[np.generic], column: NDArray[np.float64], row: NDArray[np.float64], *, wraps: bool = False
) -> NDArray[np.generic]:
    if wraps:
        pixels, column = np.pad(pixels, ((0, 0), (1, 1), (0, 0)), mode="wrap"), column + 1
    return cv2.remap(
        pixels,
        column.astype(np.float32),
        row.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _distance(model: DepthModel, clear: Bytes, rng: np.random.Generator) -> Float:
    """Distance in each direction (H, W), its mean over the sphere 1, without a seam and with one value at each pole."""
    height, width = clear.shape[:2]
    total, weights = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    window = np.maximum(np.hanning(height + 2)[1:-1], 1e-3).astype(np.float32)
    for begin in range(0, width, width // 8):
        columns = (begin + np.arange(height)) % width
        nearness = model._ask(np.ascontiguousarray(clear[:, columns]))
        total[:, columns] += cv2.resize(nearness, (height, height)) * window
        weights[:, columns] += window
    latitudes = WHOLE.latitudes(height)
    nearness = smoothed_at_poles((total / weights)[None, None], latitudes, closed=True)[0, 0]
    distance = 1 / (nearness + math.exp(rng.uniform(math.log(0.06), math.log(0.4))))
    return np.asarray(distance / np.average(distance, weights=_solid(height, width)), np.float32)


def _solid(height: int, width: int) -> NDArray[np.float64]:
    return np.repeat(np.cos(WHOLE.latitudes(height))[:, None], width, axis=1)


def _measured(way: Restorer, hazy: Bytes, clear: Bytes, found: list[dict[str, float]]) -> Bytes:
    """What a way makes of a panorama; figures about it are added to `found`."""
    begin = time.process_time()
    restored = way(hazy)
    seconds = time.process_time() - begin
    half = hazy.shape[1] // 2
    turned = np.roll(way(np.roll(hazy, half, axis=1)), half, axis=1)
    change = np.abs(restored.astype(float) - turned)
    height, width = clear.shape[:2]
    latitudes = WHOLE.latitudes(height)
    squared = np.square((restored.astype(float) - clear) / 255).mean(axis=2)
    weights = _solid(height, width)
    regions = {"": latitudes < 9, " up": latitudes > FOLD, " down": latitudes < -FOLD}
    entry = {"seconds": seconds, "turning": float(change[:, [0, 1, 2, 3, -4, -3, -2, -1]].mean())}
    for name, rows in regions.items():
        entry["psnr" + name] = -10 * math.log10(np.average(squared[rows], weights=weights[rows]))
        entry["step" + name] = _step(restored[rows]) / _step(clear[rows])
        # Restoring strengthens what is faint everywhere: a seam is a step that grew more than others.
        turns = [round(width * part / 16) for part in range(1, 16)]
        steps = [[_step(np.roll(one[rows], turn, axis=1)) for turn in turns] for one in (restored, clear)]
        entry["elsewhere" + name] = float(np.mean(steps[0]) / np.mean(steps[1]))
    found.append(entry)
    return restored


def _step(pixels: Bytes) -> float:
    """Mean difference between the last column and the first, in levels."""
    return float(np.abs(pixels[:, 0].astype(float) - pixels[:, -1]).mean())


def _table(found: dict[str, list[dict[str, float]]]) -> None:
    names = list(next(iter(found.values()))[0])
    print("way     " + "".join(f"{name:>15}" for name in names), file=sys.stderr)
    for way, entries in found.items():
        means = (float(np.mean([entry[name] for entry in entries])) for name in names)
        print(f"{way:8}" + "".join(f"{value:15.3f}" for value in means), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
