"""Flicker of restored films, how fast a change of haze is followed, and frames a second.

    python benchmarks/film.py [--scenes 8] [--photographs DIR] [--size 360 640] [--speed film.mp4]

Each film is a pan over a rendered scene outdoors with haze that drifts, noise and JPEG in every frame, so the truth is
known. Temporal error (Lai et al., ECCV 2018, made relative to the truth): mean over frames and places of how much the
restored frame departs from its predecessor, moved by the pan, beyond what the true frames do, in levels of 255. Places are
squares of a tenth of the height: flicker of a field of haze is smooth, and the film's own noise is none.
Intervals are 95 % bootstrap intervals over scenes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from clairvoy import Dehazer
from clairvoy.evaluation.aggregate import bootstrap
from clairvoy.imaging.files import read
from clairvoy.imaging.haze import smooth_field
from clairvoy.imaging.synthesis.outdoors import render_outdoors
from clairvoy.restoring.film import FilmRestorer
from clairvoy.restoring.steady import SECONDS

RATE, FRAMES = 25, 75
EXAMPLES = Path(__file__).parent.parent / "examples" / "hazy"
NOISE, QUALITY = 0.008, 80
AIRLIGHT = 0.8


def scene(
    textures: list[np.ndarray], size: tuple[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wide clear scene (H, W, 3) in [0, 1], its depth of mean 1, and a smooth field that drifts over it."""
    rng = np.random.default_rng(seed)
    height, width = size[0], size[1] + FRAMES
    rgb, depth = render_outdoors(textures, height, width, rng)
    field = smooth_field(1, height, 3 * width, torch.Generator().manual_seed(seed))[0, 0].numpy()
    near = np.minimum(depth, np.quantile(depth, 0.7) * 1.5)
    return rgb / 255.0, near / near.mean(), field


def film(
    parts: tuple[np.ndarray, np.ndarray, np.ndarray], width: int, density: Callable[[float], float], seed: int
):
    """Yield (clear, hazy) frames (H, width, 3) uint8 of a pan by a pixel a frame to the right."""
    rgb, depth, field = parts
    rng = np.random.default_rng(seed)
    for number in range(FRAMES):
        seen = slice(number, number + width)
        drift = 1 + 0.25 * np.clip(field[:, 2 * number : 2 * number + width], -2, 2)
        t = np.exp(-density(number / RATE) * depth[:, seen] * drift)[..., None]
        clear = rgb[:, seen]
        hazy = clear * t + AIRLIGHT * (1 - t) + rng.normal(0, NOISE, clear.shape)
        coded = cv2.imencode(
            ".jpg", (np.clip(hazy, 0, 1) * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )[1]
        yield (clear * 255).round().astype(np.uint8), cv2.imdecode(coded, cv2.IMREAD_COLOR)


def flicker(restored: list[np.ndarray], clear: list[np.ndarray]) -> float:
    """Temporal error in levels; the pan moves everything left by a pixel a frame."""
    errors = []
    for k in range(1, len(restored)):
        change = restored[k][:, :-1].astype(float) - restored[k - 1][:, 1:]
        true = clear[k][:, :-1].astype(float) - clear[k - 1][:, 1:]
        errors.append(np.abs(cv2.blur(change - true, (len(change) // 10,) * 2)).mean())
    return float(np.mean(errors))


def interval(values: list[float]) -> str:
    """Mean over scenes, and its interval."""
    found = bootstrap(values, np.mean)
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def psnr(restored: list[np.ndarray], clear: list[np.ndarray]) -> float:
    """Mean PSNR over frames, in dB."""
    return float(np.mean([cv2.PSNR(a, b) for a, b in zip(restored, clear, strict=True)]))


def steadiness(dehazer: Dehazer, textures: list[np.ndarray], size: tuple[int, int], scenes: int) -> None:
    """Print flicker and PSNR, frame by frame and steady."""
    rows: dict[str, list[tuple[float, float]]] = {"frame by frame": [], "steady": []}
    for seed in range(scenes):
        parts, density = scene(textures, size, seed), np.random.default_rng([seed, 1]).uniform(0.5, 1.2)
        clear, hazy = zip(*film(parts, size[1], lambda _, density=density: density, seed), strict=True)
        for name, seconds in (("frame by frame", 0.0), ("steady", SECONDS)):
            restore = FilmRestorer(dehazer, force=True, seconds=seconds)
            restored = [restore(frame, k / RATE) for k, frame in enumerate(hazy)]
            rows[name].append((flicker(restored, list(clear)), psnr(restored, list(clear))))
    print("| | temporal error, levels | PSNR, dB |\n|---|---|---|")
    for name, found in rows.items():
        error, quality = (interval(list(column)) for column in zip(*found, strict=True))
        print(f"| {name} | {error} | {quality} |")
    ratio = [b[0] / a[0] for a, b in zip(rows["frame by frame"], rows["steady"], strict=True)]
    print(f"| ratio of the errors | {interval(ratio)} | |")


def step(dehazer: Dehazer, textures: list[np.ndarray], size: tuple[int, int], scenes: int) -> None:
    """Print how much of a sudden change of haze has been followed after a second."""
    followed = []
    for seed in range(scenes):
        parts = scene(textures, size, 100 + seed)
        _, hazy = zip(*film(parts, size[1], lambda at: 0.3 if at < 1 else 1.0, seed), strict=True)
        restore = FilmRestorer(dehazer, force=True)
        depths = []
        for k, frame in enumerate(hazy):
            restore(frame, k / RATE)
            depths.append(float(restore.steady.field.grid.mean()))
        before, after = np.mean(depths[20:25]), np.mean(depths[70:75])
        if after - before > 0.05:
            followed.append((depths[50] - before) / (after - before))
    print(f"\nof a step in haze, followed after one second: {interval(followed)} ({len(followed)} scenes)")


def speed(dehazer: Dehazer, path: str, frames: int = 100) -> None:
    """Print frames a second from a film file to a film file, its codec counted."""
    import tempfile

    from clairvoy.apps.clear.films import Span, restore_film

    with tempfile.TemporaryDirectory() as folder:
        begun, spent = time.perf_counter(), time.process_time()
        entry = restore_film(
            path, Path(folder) / "out.mp4", FilmRestorer(dehazer, force=True), Span(0, frames / RATE)
        )
        wall, cpu = time.perf_counter() - begun, time.process_time() - spent
    print(
        f"\n{path}: {entry['frames']} frames in {wall:.1f} s, {entry['frames'] / wall:.1f} frames/s; {cpu:.1f} s of CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--photographs", type=Path, default=EXAMPLES, help="textures for the scenes")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--speed", metavar="FILM", help="measure frames a second on this film as well")
    args = parser.parse_args()
    textures = [read(path).shown for path in sorted(args.photographs.rglob("*.jpg"))[:40]]
    textures = [cv2.resize(one, (800, round(800 * one.shape[0] / one.shape[1]))) for one in textures]
    dehazer = Dehazer.load("fast")
    if args.scenes:
        steadiness(dehazer, textures, tuple(args.size), args.scenes)
        step(dehazer, textures, tuple(args.size), args.scenes)
    if args.speed:
        speed(dehazer, args.speed)


if __name__ == "__main__":
    main()
