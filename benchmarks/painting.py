"""How good paintings are, and what they cost: a table on stderr, measurements as JSON lines on stdout.

python benchmarks/painting.py PICTURES --primitive BINARY > painting.jsonl     # --counts 25 50 100 200 --seeds 0
python benchmarks/painting.py --table painting.jsonl                            # only the table, also of several files

All arms paint the same pictures with triangles of opacity 0.5, and all are measured by one rasteriser: PSNR in RGB against
the picture at 128 pixels. Seconds are those of the CPU. Arms:

primitive       Fogleman's program, on one thread, at 128 pixels (its seed is the clock)
search quick    `clairvoy paint --effort quick`
search          a search that has `--share` of primitive's seconds on the same picture
search equal    a search that has as many seconds as primitive
greedy equal    the same without improving earlier strokes: all seconds go into finding each
painter         with --painter FILE: as long as `search`, with the changes that the generator draws and the agent's stops
no generator    the same, with changes by chance
no agent        the same, with a fixed number of rounds

Numba compiles once for a machine; that is done before anything is measured. Where primitive is not run, the budgets are
`--share` of `--seconds` for 100 strokes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clairvoy.apps.paint.command import EFFORTS
from clairvoy.painting.learnt import Learnt
from clairvoy.painting.painter import Painter, PainterSettings
from clairvoy.painting.painting import Painting, Stroke, on_paper
from clairvoy.painting.search import Search
from clairvoy.painting.shapes import FAMILIES
from clairvoy.painting.target import Target, target_of

PIXELS = 128
SEARCHED = 64
OPACITY = 128 / 255
TRIANGLES = FAMILIES["triangles"]


def main() -> int:
    parser = argparse.ArgumentParser(description="How good paintings are, and what they cost.")
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE")
    parser.add_argument("--table", type=Path, nargs="+", default=[], metavar="JSONL", help="measured before")
    parser.add_argument("--primitive", type=Path, metavar="BINARY", help="Fogleman's program")
    parser.add_argument("--counts", type=int, nargs="+", default=[25, 50, 100, 200], help="strokes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--arms", nargs="+", choices=[*ARMS, *PAINTER_ARMS], help="(default: all that can be)"
    )
    parser.add_argument("--painter", type=Path, metavar="FILE", help="what `clairvoy train paint` wrote")
    parser.add_argument(
        "--share", type=float, default=0.05, help="of primitive's seconds, for `search` and painters"
    )
    parser.add_argument(
        "--seconds", type=float, default=6.5, help="budget for 100 strokes where primitive is not run"
    )
    args = parser.parse_args()
    args.arms = args.arms or [*ARMS, *(PAINTER_ARMS if args.painter is not None else ())]
    args.learnt = Learnt.load(args.painter) if args.painter is not None else None
    rows = [json.loads(line) for file in args.table for line in file.read_text().splitlines()]
    if args.pictures:
        warm_up(args.pictures[0])
    for picture in args.pictures:
        for seed in args.seeds:
            for row in measured(picture, seed, args):
                print(json.dumps(row), flush=True)
                rows.append(row)
    for line in summary(rows):
        print(
            "{arm:15} {strokes:4} strokes  {pictures} pictures  {psnr[value]:6.2f} dB [{psnr[low]:.2f}, {psnr[high]:.2f}]  "
            "{seconds:6.2f} s  {over}".format(over=_over(line), **line), file=sys.stderr,
        )  # fmt: skip
    return 0


def measured(picture: Path, seed: int, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All arms on one picture."""
    budgets = {count: args.seconds * count / 100 for count in args.counts}
    if args.primitive is not None:
        for row in by_primitive(args.primitive, picture, args.counts):
            budgets[row["strokes"]] = row["seconds"]
            yield {"picture": picture.name, "seed": seed, "arm": "primitive", **row}
    for count in args.counts:
        for arm in args.arms:
            budget = budgets[count] * (1.0 if arm.endswith("equal") else args.share)
            if arm in ARMS:
                row = by_search(picture, count, budget, seed, ARMS[arm])
            else:
                row = by_search(picture, count, budget, seed, timed, args.learnt, PAINTER_ARMS[arm])
            yield {"picture": picture.name, "seed": seed, "arm": arm, "strokes": count, **row}


def psnr(canvas: np.ndarray, target: Target) -> float:
    return float(-10 * np.log10(((canvas - target.pixels) ** 2).mean()))


def by_search(
    picture: Path,
    count: int,
    budget: float,
    seed: int,
    paint: Callable[[Search, int, float], None],
    learnt: Learnt | None = None,
    looks: PainterSettings | None = None,
) -> dict[str, Any]:
    """One painting: reading and reducing the picture is counted, as it is for primitive."""
    began = time.process_time()
    target = target_of(picture, SEARCHED)
    settings = replace(EFFORTS["quick"], opacity=OPACITY)
    given = target, Painting(target.size, target.mean), settings, np.random.default_rng(seed), (TRIANGLES,)
    search = Search(*given) if learnt is None else Painter(learnt, looks or PainterSettings(), *given)
    paint(search, count, began + budget)
    seconds = time.process_time() - began
    drawn = on_paper(search.painting.draw(PIXELS))
    return {"psnr": psnr(drawn, target_of(picture, PIXELS)), "seconds": seconds, "tried": search.tried}


def quick(search: Search, count: int, until: float) -> None:
    _strokes(search, count)
    list(search.sweep())


def timed(search: Search, count: int, until: float) -> None:
    """A third of the time to find strokes, the rest to improve them."""
    left = until - time.process_time()
    _greedy(search, count, time.process_time() + left / 3)
    while time.process_time() < until:
        for _ in search.sweep():
            if time.process_time() >= until:
                break


def greedy(search: Search, count: int, until: float) -> None:
    _greedy(search, count, until)


def _greedy(search: Search, count: int, until: float) -> None:
    """Each stroke gets an equal part of the time: it is looked for again and again, and the best is painted."""
    for number in range(count):
        part = time.process_time() + (until - time.process_time()) / (count - number)
        residual = search.residual()
        best = search.find(residual)
        while time.process_time() < part:
            best = max(best, search.find(residual), key=lambda found: found.gain)
        if best.gain > 0:
            search.paint(best.stroke)


def _strokes(search: Search, count: int) -> None:
    for _ in range(count):
        search.add()


ARMS: dict[str, Callable[[Search, int, float], None]] = {
    "search quick": quick,
    "search": timed,
    "search equal": timed,
    "greedy equal": greedy,
}
PAINTER_ARMS = {
    "painter": PainterSettings(),
    "no generator": PainterSettings(generator=False),
    "no agent": PainterSettings(agent=False),
}


def by_primitive(binary: Path, picture: Path, counts: list[int]) -> list[dict[str, Any]]:
    """One run; what it had painted after each count, and its CPU seconds then, read when the file appears."""
    target = target_of(picture, PIXELS)
    rows: list[dict[str, Any]] = []
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        png = Path(folder) / "in.png"
        Image.open(picture).convert("RGB").save(png)
        out = Path(folder) / "%d.svg"
        command = [binary.resolve(), "-i", png, "-o", out, "-n", max(counts), "-nth", gcd(*counts), "-m", 1, "-a", 128,
                   "-r", PIXELS, "-s", PIXELS, "-j", 1]  # fmt: skip
        process = subprocess.Popen(list(map(str, command)))
        for count in sorted(counts):
            files = [Path(folder) / f"{count:0{width}d}.svg" for width in range(1, 6)]
            while process.poll() is None and not any(file.exists() for file in files):
                time.sleep(0.01)
                seconds = _cpu_seconds(process.pid) or seconds
            found = next(file for file in files if file.exists())
            while not found.read_text().rstrip().endswith("</svg>"):
                time.sleep(0.01)
            rows.append(
                {"strokes": count, "seconds": seconds, "psnr": psnr(_drawn(found.read_text()), target)}
            )
        process.wait()
    return rows


def _cpu_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def _drawn(svg: str) -> np.ndarray:
    """What primitive wrote, drawn by our rasteriser."""
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    ground = re.search(r'fill="#(\w+)"', svg)
    assert size is not None
    assert ground is not None
    width, height = int(size[1]), int(size[2])
    strokes = [
        Stroke(
            TRIANGLES,
            # A vertex at (0, 0) is the middle of a pixel there.
            (np.array([float(number) for number in points.replace(",", " ").split()]) + 0.5)
            / max(width, height),
            _colour(colour),
            float(opacity),
        )
        for colour, opacity, points in re.findall(
            r'fill="#(\w+)" fill-opacity="([\d.]+)" points="([^"]+)"', svg
        )
    ]
    return on_paper(Painting((width, height), _colour(ground[1]), strokes).draw(max(width, height)))


def _colour(digits: str) -> np.ndarray:
    return np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])


def warm_up(picture: Path) -> None:
    by_search(picture, 2, 1.0, 0, quick)


def summary(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Means over pictures with intervals, and over primitive at as many strokes on the same pictures."""
    primitive = {
        (row["picture"], row["seed"], row["strokes"]): row["psnr"]
        for row in rows
        if row["arm"] == "primitive"
    }
    for count in sorted({row["strokes"] for row in rows}):
        for arm in dict.fromkeys(row["arm"] for row in rows):
            mine = [row for row in rows if row["arm"] == arm and row["strokes"] == count]
            if not mine:
                continue
            keys = [(row["picture"], row["seed"], count) for row in mine]
            pairs = [
                row["psnr"] - primitive[key] for row, key in zip(mine, keys, strict=True) if key in primitive
            ]
            line = {
                "arm": arm, "strokes": count, "pictures": len({row["picture"] for row in mine}),
                "psnr": _mean([row["psnr"] for row in mine]),
                "seconds": float(np.mean([row["seconds"] for row in mine])),
            }  # fmt: skip
            yield line | ({"over_primitive": _mean(pairs)} if pairs else {})


def _mean(values: list[float]) -> dict[str, float]:
    """Mean and bootstrap interval over pictures."""
    drawn = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high)}


def _over(line: dict[str, Any]) -> str:
    over = line.get("over_primitive")
    return "" if over is None else "over primitive {value:+.2f} [{low:+.2f}, {high:+.2f}]".format(**over)


if __name__ == "__main__":
    sys.exit(main())
