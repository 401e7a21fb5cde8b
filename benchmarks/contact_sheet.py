"""Real photographs side by side: as they are, dark channel prior, clairvoy, and the haze that clairvoy saw.

python benchmarks/contact_sheet.py --photographs DIR --out sheet.png [--force] [--limit N]

For looking at what no figure shows: halos, colour casts, black holes, noise in the distance, torn skies. Each tile is
labelled with the file's name, the probability of haze and the PSNR that clairvoy expects. Writes sheet-1.png,
sheet-2.png and so on, eight photographs to a sheet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clairvoy import ClairvoyError, Dehazer
from clairvoy.imaging.dark_channel import restore_dark_channel
from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.formats.raster import to_eight_bits

WIDTH, HEIGHT, ON_A_SHEET = 320, 240, 8


def main() -> int:
    parser = argparse.ArgumentParser(description="Real photographs, before and after, for looking at.")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", default="fast")
    parser.add_argument("--force", action="store_true", help="restore also where no haze is recognised")
    parser.add_argument("--limit", type=int, help="this many, spread evenly over the sorted names")
    args = parser.parse_args()
    dehazer = Dehazer.load(args.weights)
    paths = find_photographs(args.photographs)
    if args.limit and args.limit < len(paths):
        paths = [paths[k * len(paths) // args.limit] for k in range(args.limit)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(paths), ON_A_SHEET):
        rows = [_row(dehazer, path, args.force) for path in paths[first : first + ON_A_SHEET]]
        sheet = args.out.with_stem(f"{args.out.stem}-{first // ON_A_SHEET + 1}")
        cv2.imwrite(str(sheet), np.vstack(rows)[..., ::-1])
        print(sheet)
    return 0


def _row(dehazer: Dehazer, path: Path, force: bool) -> NDArray[np.uint8]:
    pixels = to_eight_bits(read(path).pixels)
    scale = min(1.0, 2 * WIDTH / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    result = dehazer(pixels, force=force)
    peer = restore_dark_channel(pixels.astype(np.float32) / 255)[0]
    haze = np.repeat(result.haze[..., None] * 255, 3, axis=2)
    tiles = [_tile(x) for x in (pixels, peer * 255, result.image, haze)]
    report = result.report
    text = f"{path.name[:26]}  p {report.haze_probability:.2f}  {report.tau_db:.0f} dB"
    row = np.hstack(tiles)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(row, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return row


def _tile(picture: NDArray) -> NDArray[np.uint8]:
    """The picture at tile size, its shape kept, on black."""
    scale = min(WIDTH / picture.shape[1], HEIGHT / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture.round().astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    tile[: size[1], : size[0]] = small
    return tile


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClairvoyError as error:
        sys.exit(f"error: {error}")
