"""Mutated files for every reader, by `atheris` (pip install atheris); not part of pytest.

    python tests/fuzz/fuzz_readers.py [--seconds 60] [--corpus DIR] [--only JPEG TIFF ...]

Whatever the bytes are, a reader gives a `Picture` or raises `FileError`; what it gave can be written. The corpus is made
at the start: a small picture in every format, depth and compression that can be written here. What breaks is kept in the
folder of the corpus as a file `crash-*`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["clairvoy.imaging", "PIL", "tifffile"]):
    import cv2
    import numpy as np
    import tifffile
    from PIL import Image

    from clairvoy.errors import FileError
    from clairvoy.imaging.files import Metadata, Picture, encode, read
    from clairvoy.imaging.formats.recognition import WRITTEN_AS, WRITTEN_SUFFIXES

MAX_PIXELS = 100_000
EXIF = bytes.fromhex("49492a0008000000020012010300010000000600000031010200040000006d696e6500000000")
HEIC = Path(__file__).parent.parent / "imaging/formats/heic"


def corpus() -> Iterator[tuple[str, bytes]]:
    """Small files, each with the name of its format."""
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.uint16):
        pixels = rng.integers(0, np.iinfo(dtype).max, (9, 12, 3)).astype(dtype)
        for alpha in (None, pixels[..., 0].copy()):
            for grey in (False, True):
                picture = Picture(
                    pixels, alpha, grey, metadata=Metadata(exif=EXIF, xmp=b"<x:xmpmeta/>", dpi=(72, 72))
                )
                for kind in ("PNG", "TIFF", "WEBP", "AVIF", *(("JPEG",) if alpha is None else ())):
                    yield kind, encode(pixels, picture, kind)
    eight = Image.fromarray(rng.integers(0, 255, (9, 12, 3), np.uint8))
    frames = {"save_all": True, "append_images": [eight.rotate(180)]}
    variants: list[tuple[str, dict[str, object]]] = [
        *(("TIFF", {"compression": name}) for name in ("tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate")),
        *((kind, frames) for kind in ("WEBP", "PNG", "GIF", "AVIF")),
        *((kind, {}) for kind in ("BMP", "GIF", "PPM")),
        ("JPEG", {"progressive": True, "comment": "hello"}),
    ]
    for kind, options in variants:
        target = io.BytesIO()
        eight.save(target, kind, **options)
        yield kind, target.getvalue()
    yield "JPEG2000", cv2.imencode(".jp2", rng.integers(0, 65535, (64, 64, 3)).astype(np.uint16))[1].tobytes()
    for options in ({"tile": (16, 16)}, {"planarconfig": "separate"}, {"bigtiff": True}):
        target = io.BytesIO()
        array = rng.integers(0, 65535, (3, 20, 24) if "planarconfig" in options else (20, 24, 3)).astype(
            np.uint16
        )
        tifffile.imwrite(target, array, photometric="rgb", compression="zlib", **options)
        yield "TIFF", target.getvalue()
    with suppress(ImportError):
        import pylibjxl

        for channels in (1, 3, 4):
            samples = rng.integers(0, 255, (9, 12, channels), np.uint8)
            yield "JPEGXL", pylibjxl.encode(samples, lossless=True, exif=bytes(4) + EXIF, xmp=b"<x:xmpmeta/>")
    tags = [
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, bytes((0, 1, 1, 2)), True),
        (50706, 1, 4, bytes((1, 4, 0, 0)), True),
    ]
    target = io.BytesIO()
    mosaic = rng.integers(0, 65535, (32, 48)).astype(np.uint16)
    tifffile.imwrite(target, mosaic, photometric=32803, metadata=None, extratags=tags)
    yield "RAW", target.getvalue()
    yield from (("HEIC", path.read_bytes()) for path in HEIC.glob("*.heic"))


def try_bytes(data: bytes) -> None:
    """Read; write what was read. Anything but a `FileError` is what is looked for."""
    try:
        picture = read(data, max_pixels=MAX_PIXELS)
        kind = WRITTEN_SUFFIXES.get(WRITTEN_AS.get(picture.format, ""), picture.format)
        encode(picture.pixels, picture, kind)
    except FileError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutated files for every reader.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder to keep the corpus in (default: a temporary one)")
    parser.add_argument("--only", nargs="+", metavar="FORMAT")
    args = parser.parse_args()
    folder = args.corpus or Path(tempfile.mkdtemp(prefix="clairvoy-corpus-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, (kind, data) in enumerate(corpus()):
        if not args.only or kind in args.only:
            (folder / f"{kind}-{number}").write_bytes(data)
    flags = [
        *("-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={folder}/"),
        f"-max_total_time={args.seconds}",
        "-rss_limit_mb=4096",
        "-timeout=20",
        "-max_len=65536",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder)], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
