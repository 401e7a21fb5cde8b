"""Rasters of any size: memory and CPU seconds, steps at the borders of windows, resuming, what a search reads.

    python benchmarks/rasters.py [--only size seam resume search] [--sides 10000 40000] [--folder DIR]

The raster is the example photograph, enlarged, with grain: 8 bits, tiles of 512 pixels, ZSTD, with a place on the ground.
Each run is a `clairvoy clear` of its own with one thread. Seconds are of the CPU, memory is the largest resident size of
the process. A raster of 40,000 x 40,000 pixels needs about 10 GB in DIR for a while.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window

from clairvoy.imaging.rasters.raster_file import RasterFile
from clairvoy.restoring.raster import WINDOW_PIXELS

EXAMPLE = Path(__file__).parent.parent / "examples" / "hazy" / "salcantay.jpg"
WAYS = ("size", "seam", "resume", "search")
TILE = 512


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS, help="(default: all)")
    parser.add_argument("--sides", nargs="+", type=int, default=[10_000, 40_000], help="of `size`, in pixels")
    parser.add_argument("--side", type=int, default=10_000, help="of the others (default: 10000)")
    parser.add_argument("--kills", type=int, default=10, help="of `resume` (default: 10)")
    parser.add_argument("--photograph", type=Path, default=EXAMPLE, help="that is enlarged")
    parser.add_argument("--folder", type=Path, help="where rasters are made (default: a temporary one)")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        if "size" in args.only:
            for side in args.sides:
                for overviews in (True, False) if side == min(args.sides) else (True,):
                    say("size", size(folder, args.photograph, side, overviews))
        if "seam" in args.only:
            say("seam", seam(folder, args.side))
        if "resume" in args.only:
            say("resume", resume(folder, args.photograph, args.side, args.kills))
        if "search" in args.only:
            for overviews in (True, False):
                say("search", search(folder, args.photograph, args.side, overviews))
    finally:
        shutil.rmtree(folder)
    return 0


def say(what: str, found: dict[str, object]) -> None:
    print(json.dumps({"what": what, **found}), flush=True)


def size(folder: Path, photograph: Path, side: int, overviews: bool) -> dict[str, object]:
    """Memory and seconds of one raster."""
    source = enlarged(folder / "scene.tif", photograph, side, overviews)
    out = folder / "out.tif"
    seconds, megabytes = clear(source, out)
    found = {
        "side": side, "overviews": overviews, "CPU s": round(seconds, 1), "peak MB": round(megabytes),
        "CPU s/Mpx": round(seconds / (side * side / 1e6), 3), "in MB": source.stat().st_size // 10**6,
        "out MB": out.stat().st_size // 10**6,
    }  # fmt: skip
    out.unlink()
    source.unlink()
    return found


def seam(folder: Path, side: int) -> dict[str, object]:
    """Mean second difference across borders of windows, and elsewhere, of a restored gradient; in levels of 65,535."""
    ramp = (26_000 + 20_000 * np.linspace(0, 1, side)).astype(np.uint16)

    def rows(top: int, count: int) -> np.ndarray:
        down = (8_000 * np.linspace(0, 1, side)[top : top + count]).astype(np.uint16)
        return (ramp[None, :] + down[:, None])[..., None].repeat(3, axis=2)

    source, out = written(folder / "ramp.tif", side, rows, "uint16", False), folder / "out.tif"
    clear(source, out, "--force")
    with RasterFile(source) as raster:
        parts = raster.parts(WINDOW_PIXELS)
    tops, lefts = ({getattr(part, name) for part in parts} - {0} for name in ("top", "left"))
    found: dict[str, object] = {"side": side, "windows": len(parts)}
    with rasterio.open(out) as data, rasterio.open(source) as before:
        changed = data.read(1, window=Window(0, 0, side, 64)) != before.read(1, window=Window(0, 0, side, 64))
        found["changed"] = float(changed.mean())
        for name, borders, axis in (("down", tops, 0), ("across", lefts, 1)):
            band = Window(0, 0, 256, side) if axis == 0 else Window(0, 0, side, 256)
            bends = np.abs(np.diff(data.read(1, window=band).astype(np.int64), n=2, axis=axis)).mean(
                axis=1 - axis
            )
            # The difference number k is of the pixels k to k + 2: two of them lie across the border before a pixel.
            at = np.zeros(len(bends), bool)
            for border in borders:
                at[border - 2 : border] = True
            found[name] = {
                "at borders": round(float(bends[at].mean()), 4) if borders else None,
                "elsewhere": round(float(bends[~at].mean()), 4),
            }
    out.unlink()
    source.unlink()
    return found


def resume(folder: Path, photograph: Path, side: int, kills: int) -> dict[str, object]:
    """Kill a run again and again; compare its bytes with those of a run that was left alone."""
    source = enlarged(folder / "scene.tif", photograph, side, True)
    whole, out = folder / "whole.tif", folder / "out.tif"
    begun = time.monotonic()
    clear(source, whole)
    took = time.monotonic() - begun
    rng, killed, half = np.random.default_rng(0), 0, 0
    while killed < kills and not out.exists():
        process = subprocess.Popen(command(source, out), env=one_thread(), stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=float(rng.uniform(0.2, 0.6)) * took)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            half += out.exists()
    report = folder / "report.json"
    if not out.exists():
        clear(source, out, "--report", str(report))
    resumed = json.loads(report.read_text())["parts_resumed"] if report.exists() else None
    same = digest(whole) == digest(out)
    left = sorted(entry.name for entry in folder.iterdir() if "unfinished" in entry.name)
    for path in (source, whole, out, report):
        path.unlink(missing_ok=True)
    return {
        "side": side,
        "killed": killed,
        "parts resumed at last": resumed,
        "half files": half,
        "same bytes": same,
        "left": left,
    }


def search(folder: Path, photograph: Path, side: int, overviews: bool) -> dict[str, object]:
    """What a search of a scene reads whose right half only is hazy, and what it costs beside restoring all."""
    source = half_hazy(folder / "scene.tif", photograph, side, overviews)
    out, report = folder / "out.tif", folder / "report.json"
    seconds, _ = clear(source, out, "--search", "--report", str(report))
    account = json.loads(report.read_text())
    report.unlink()
    out.unlink()
    all_of_it, _ = clear(source, out)
    out.unlink()
    source.unlink()
    names = ("windows", "windows_looked_at", "windows_recognised", "part_read")
    return {
        "side": side, "overviews": overviews, **{name: account[name] for name in names},
        "CPU s": round(seconds, 1), "CPU s without --search": round(all_of_it, 1),
    }  # fmt: skip


def command(source: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "clairvoy", "clear", str(source), "-o", str(out), *options]


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def clear(source: Path, out: Path, *options: str) -> tuple[float, float]:
    """CPU seconds and the largest resident size, in MB, of one run."""
    process = subprocess.Popen(command(source, out, *options), env=one_thread())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{source}: could not be restored")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def enlarged(path: Path, photograph: Path, side: int, overviews: bool) -> Path:
    """A photograph as a raster of side x side pixels, with a little noise that does not repeat."""
    small = cv2.cvtColor(cv2.imread(str(photograph)), cv2.COLOR_BGR2RGB)
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 1.5, (TILE, 8191, 1)).astype(np.float32)

    def rows(top: int, count: int) -> np.ndarray:
        scale = np.array(
            [[small.shape[1] / side, 0, 0], [0, small.shape[0] / side, top * small.shape[0] / side]]
        )
        out = np.empty((count, side, 3), np.uint8)
        for left in range(0, side, 8000):  # OpenCV warps less than 32,768 pixels at a time
            width = min(8000, side - left)
            moved = scale + np.array([[0, 0, left * small.shape[1] / side], [0, 0, 0]])
            part = cv2.warpAffine(
                small,
                moved,
                (width, count),
                flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            shift = int(rng.integers(191))
            out[:, left : left + width] = np.clip(part + grain[:count, shift : shift + width], 0, 255)
        return out

    return written(path, side, rows, "uint8", overviews)


def half_hazy(path: Path, photograph: Path, side: int, overviews: bool) -> Path:
    """A raster whose left half is clear: the photograph, much darker and of more contrast, without its haze."""
    plain = enlarged(path.with_name("plain.tif"), photograph, side, False)
    with rasterio.open(plain) as data:

        def rows(top: int, count: int) -> np.ndarray:
            pixels = data.read(window=Window(0, top, side, count)).transpose(1, 2, 0).copy()
            left = pixels[:, : side // 2].astype(np.float32)
            pixels[:, : side // 2] = np.clip((left - 100) * 1.6, 0, 255)
            return pixels

        made = written(path, side, rows, "uint8", overviews)
    plain.unlink()
    return made


def written(
    path: Path, side: int, rows: Callable[[int, int], np.ndarray], dtype: str, overviews: bool
) -> Path:
    """Write a raster of side x side pixels, some rows (top, count) at a time."""
    how = {
        "driver": "GTiff", "count": 3, "height": side, "width": side, "dtype": dtype, "crs": "EPSG:32633",
        "transform": Affine(0.1, 0, 500_000, 0, -0.1, 4_500_000), "tiled": True, "blockxsize": TILE, "blockysize": TILE,
        "compress": "zstd", "zstd_level": 1, "predictor": 2, "interleave": "pixel", "photometric": "rgb",
        "bigtiff": "IF_SAFER",
    }  # fmt: skip
    with rasterio.Env(GDAL_CACHEMAX=256), rasterio.open(path, "w", **how) as out:
        for top in range(0, side, TILE):
            count = min(TILE, side - top)
            out.write(rows(top, count).transpose(2, 0, 1), window=Window(0, top, side, count))
        if overviews:
            factors = [2**step for step in range(1, 12) if side / 2**step > TILE / 2]
            out.build_overviews(factors, Resampling.average)
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
