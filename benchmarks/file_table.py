"""What of which files is read, written and kept: every row is tried. The tables of docs/files.md.

python benchmarks/file_table.py [--write docs/files.md]

Files are made here (TIFF by the maker of the tests), read, and written again in their own format, or in the one that a
photograph of their format is written in. Without --write the tables are printed.
"""

from __future__ import annotations

import argparse
import io
import re
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from clairvoy.errors import FileError
from clairvoy.imaging.files import Metadata, Picture, encode, format_of, read
from clairvoy.imaging.formats.recognition import WRITTEN_AS
from clairvoy.imaging.formats.tiff_page import RGB

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "imaging" / "formats"))
from made_tiff import BYTE_COMPRESSIONS, made, tags_of  # noqa: E402

SIZE = (40, 48)
GREY, PALETTE, CMYK, LAB = 1, 3, 5, 8
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WRITTEN = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


@dataclass(frozen=True)
class Row:
    """One kind of file."""

    format: str
    samples: str
    coding: str
    data: bytes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the tables into this document")
    target = parser.parse_args(arguments).write
    tables = {"kinds": kinds_table(), "kept": kept_table()}
    if target is None:
        print("\n\n".join(tables.values()))
        return 0
    text = target.read_text()
    for name, table in tables.items():
        marks = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = text.split(marks[0])
        text = before + marks[0] + table + marks[1] + rest.split(marks[1])[1]
    target.write_text(text)
    return 0


def pattern(channels: int, dtype: type = np.uint8) -> np.ndarray:
    """A smooth picture with a little noise, (H, W, channels)."""
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]]
    planes = np.stack(
        [rows * 3 + cols, cols * 4, 200 - rows * 2, 120 + rows * 2, 60 + cols][:channels], axis=-1
    )
    share = (planes + np.random.default_rng(0).integers(0, 9, planes.shape)) / 255
    return (
        share.astype(dtype)
        if np.dtype(dtype).kind == "f"
        else np.rint(share * np.iinfo(dtype).max).astype(dtype)
    )


def kinds() -> Iterator[Row]:
    """Files of every kind that can be made here."""
    yield from jpegs()
    yield from pngs()
    yield from others()
    yield from tiffs()


def jpegs() -> Iterator[Row]:
    yield Row("JPEG", "grey, 8 bits", "baseline", by_pillow(pattern(1), "JPEG"))
    for name, options in (
        ("baseline", {}),
        ("progressive", {"progressive": True}),
        ("4:4:4", {"subsampling": 0}),
    ):
        yield Row("JPEG", "RGB, 8 bits", name, by_pillow(pattern(3), "JPEG", **options))
    inks = io.BytesIO()
    Image.fromarray(pattern(4)).convert("CMYK").save(inks, "JPEG")
    yield Row("JPEG", "CMYK without profile", "baseline", inks.getvalue())
    whole = by_pillow(pattern(3), "JPEG", quality=95)
    yield Row("JPEG", "RGB, 8 bits", "its end missing", whole[:-20])
    frame = whole.index(b"\xff\xc0")
    yield Row("JPEG", "RGB, 12 bits", "extended", whole[: frame + 4] + b"\x0c" + whole[frame + 5 :])


def pngs() -> Iterator[Row]:
    names = {1: "grey", 2: "grey, alpha", 3: "RGB", 4: "RGB, alpha"}
    for dtype in (np.uint8, np.uint16):
        for channels, name in names.items():
            yield Row(
                "PNG", f"{name}, {8 * np.dtype(dtype).itemsize} bits", "", by_clairvoy(channels, dtype, "PNG")
            )
    for mode, name in (("1", "grey, 1 bit"), ("P", "palette")):
        target = io.BytesIO()
        Image.fromarray(pattern(3)).convert(mode).save(target, "PNG")
        yield Row("PNG", name, "", target.getvalue())


def others() -> Iterator[Row]:
    for channels, name in ((3, "RGB, 8 bits"), (4, "RGB, alpha, 8 bits")):
        yield Row("WebP", name, "lossless", by_pillow(pattern(channels), "WEBP", lossless=True, exact=True))
        yield Row("WebP", name, "lossy", by_pillow(pattern(channels), "WEBP"))
        yield Row("AVIF", name, "", by_pillow(pattern(channels), "AVIF"))
    frames = [Image.fromarray(pattern(3)), Image.fromarray(255 - pattern(3))]
    for kind in ("WEBP", "GIF", "PNG"):
        target = io.BytesIO()
        frames[0].save(target, kind, save_all=True, append_images=frames[1:])
        yield Row({"WEBP": "WebP"}.get(kind, kind), "animation", "", target.getvalue())
    for kind, name in (("BMP", "BMP"), ("PPM", "PNM"), ("JPEG2000", "JPEG 2000")):
        options = {"irreversible": False} if kind == "JPEG2000" else {}
        yield Row(name, "RGB, 8 bits", "", by_pillow(pattern(3), kind, **options))
    for path in sorted((ROOT / "tests" / "imaging" / "formats" / "heic").glob("*.heic")):
        yield Row("HEIC", path.stem, "", path.read_bytes())


def tiffs() -> Iterator[Row]:
    colours: dict[str, tuple[int, int, dict]] = {
        "grey": (1, GREY, {}), "grey, white is 0": (1, 0, {}), "grey, alpha": (2, GREY, {"extra": (2,)}),
        "RGB": (3, RGB, {}), "RGB in planes": (3, RGB, {"planar": True}), "RGB in tiles": (3, RGB, {"tile": 16}),
        "RGB, alpha": (4, RGB, {"extra": (2,)}), "RGB, premultiplied alpha": (4, RGB, {"extra": (1,)}),
        "RGB, near infrared": (4, RGB, {"extra": (0,)}), "RGB, alpha, a fifth band": (5, RGB, {"extra": (2, 0)}),
        "CMYK": (4, CMYK, {}), "Lab": (3, LAB, {}),
    }  # fmt: skip
    for name, (channels, photometric, more) in colours.items():
        for dtype in (np.uint8, np.uint16):
            for coding in BYTE_COMPRESSIONS:
                data = made(pattern(channels, dtype), photometric, coding, **more)
                yield Row("TIFF", f"{name}, {8 * np.dtype(dtype).itemsize} bits", coding, data)
    for dtype in (np.float16, np.float32, np.float64, np.uint32, np.int16, np.int32):
        for coding in BYTE_COMPRESSIONS:
            yield Row("TIFF", f"RGB, {np.dtype(dtype).name}", coding, made(pattern(3, dtype), RGB, coding))
    for bits in (1, 2, 4, 10, 12, 14):
        for coding in BYTE_COMPRESSIONS:
            data = made(pattern(1, np.uint16) >> (16 - bits), GREY, coding, bits=bits)
            yield Row("TIFF", f"grey, {bits} bit{'s' * (bits > 1)}", coding, data)
    table = np.random.default_rng(0).integers(0, 65536, 768)
    for coding in BYTE_COMPRESSIONS:
        yield Row("TIFF", "palette", coding, made(pattern(1), PALETTE, coding, tags={320: ("H", *table)}))
    for mode, coding in (("L", "jpeg"), ("RGB", "jpeg"), ("1", "group3"), ("1", "group4")):
        target = io.BytesIO()
        Image.fromarray(pattern(3)).convert(mode).save(target, "TIFF", compression=coding)
        yield Row(
            "TIFF",
            {"1": "grey, 1 bit", "L": "grey, 8 bits"}.get(mode, "RGB, 8 bits"),
            coding,
            target.getvalue(),
        )
    pages = io.BytesIO()
    Image.fromarray(pattern(3)).save(
        pages, "TIFF", save_all=True, append_images=[Image.fromarray(pattern(3))]
    )
    yield Row("TIFF", "several pages", "none", pages.getvalue())
    for number, coding in ((50002, "JPEG XL"), (33005, "JPEG 2000"), (34887, "LERC")):
        yield Row("TIFF", "RGB, 8 bits", coding, made(pattern(3), RGB, tags={259: ("H", number)}))


def by_pillow(samples: np.ndarray, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(samples.squeeze()).save(target, kind, **options)
    return target.getvalue()


def by_clairvoy(channels: int, dtype: type, kind: str) -> bytes:
    samples = pattern(channels, dtype)
    grey = channels < 3
    pixels = samples[..., :1].repeat(3, axis=2) if grey else np.ascontiguousarray(samples[..., :3])
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    return encode(pixels, Picture(pixels, alpha, grey), kind)


def kinds_table() -> str:
    """One line for each kind; codings with the same outcome share it."""
    outcomes: dict[tuple[str, str, str], list[str]] = {}
    for row in kinds():
        outcomes.setdefault((row.format, row.samples, outcome(row)), []).append(row.coding)
    lines = [
        "| format | samples | coding | read | written as | pixels after that | said |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, samples, result), codings in outcomes.items():
        coding = ", ".join(codings)
        coding = "all seven*" if set(codings) == set(BYTE_COMPRESSIONS) else coding
        lines.append(f"| {kind} | {samples} | {coding} | {result} |")
    return "\n".join(lines) + f"\n\n\\* {', '.join(BYTE_COMPRESSIONS)}."


def outcome(row: Row) -> str:
    """What becomes of a file: read, written as, pixels, said."""
    try:
        picture = read(row.data)
    except FileError as error:
        return f"no | | | {str(error).removeprefix('<bytes>: ').split(';')[0]} "
    suffix = WRITTEN_AS.get(picture.format)
    kind = picture.format if picture.format in WRITTEN else format_of(f"a{suffix}")
    if kind == "JPEG" and picture.alpha is not None:
        kind = "PNG"
    back = read(encode(picture.pixels, picture, kind))
    same = back.pixels.dtype == picture.pixels.dtype and np.array_equal(back.pixels, picture.pixels)
    if picture.alpha is not None:
        same &= back.alpha is not None and np.array_equal(back.alpha, picture.alpha)
    kept = picture.kept
    if kept is not None:
        found = back.kept
        for name in ("colours", "bands"):
            before, after = getattr(kept, name), getattr(found, name, None)
            same &= before is None or (
                after is not None and after.dtype == before.dtype and np.array_equal(after, before)
            )
    bits = 8 * picture.pixels.itemsize
    if kept is not None and kept.colours is not None:
        bits = kept.colours.dtype.name
    shares = [one.pixels / np.iinfo(one.pixels.dtype).max for one in (picture, back)]
    off = np.abs(shares[0] - shares[1]).mean() * 255
    pixels = (
        "the same"
        if same
        else f"within {next(level for level in (1, 2, 5, 10, 256) if off < level)} levels (mean)"
    )
    kind = {"WEBP": "WebP"}.get(kind, kind)
    said = re.sub(r"last \d+", "last", "; ".join(picture.notes))
    return f"yes | {kind}, {bits}{' bits' if isinstance(bits, int) else ''} | {pixels} | {said} "


def kept_table() -> str:
    """What survives on the way from a TIFF, PNG or JPEG that holds it into each format."""
    lines = [
        f"| what | {' | '.join({'WEBP': 'WebP'}.get(kind, kind) for kind in WRITTEN)} |",
        "|---|" + "---|" * len(WRITTEN),
    ]
    for name, (source, holds) in everything().items():
        picture = read(source)
        assert holds(source, picture), name
        cells = []
        for kind in WRITTEN:
            try:
                data = encode(picture.pixels, picture, kind)
                cells.append("yes" if holds(data, read(data)) else "no")
            except FileError:
                cells.append("refused")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


Holds = Callable[[bytes, Picture], bool]


def everything() -> dict[str, tuple[bytes, Holds]]:
    """By its name: a file that holds it, and how to tell whether another one does."""
    exif = Image.Exif()
    exif[271], exif[40091] = "Camera", b"T\0i\0\0\0"
    exif.get_ifd(0x8769)[0x927C] = bytes(range(200))
    exif.get_ifd(0x8825)[1] = "N"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    pixels = pattern(3)
    iptc = b"8BIM" + struct.pack(">HHI", 1028, 0, 8) + b"\x1c\x02\x78\0\3cap"
    full = Metadata(
        block,
        SRGB,
        b"<x:xmpmeta>" + b" " * 70_000 + b"</x:xmpmeta>",
        (300.0, 300.0),
        photoshop=iptc,
        comments=(b"hello",),
    )
    jpeg = encode(pixels, Picture(pixels, metadata=full), "JPEG")
    large = replace(full, exif=exif_with_note(100_000))
    gamma = Metadata(
        png_chunks=((b"gAMA", struct.pack(">I", 100_000)), (b"tEXt", b"Author\0Me"), (b"tEXt", b"Mood\0good"))
    )
    png = encode(pixels, Picture(pixels, metadata=gamma), "PNG")
    geo = {
        33550: ("d", 0.5, 0.5, 0.0),
        33922: ("d", 0.0, 0.0, 0.0, 5e5, 45e5, 0.0),
        34735: ("H", 1, 1, 0, 0),
        42113: ("s", b"0\0"),
    }
    tiff = made(pixels, RGB, tags=geo | {60001: ("I", 7), 269: ("s", b"Document\0")})
    cut_out = by_clairvoy(4, np.uint8, "PNG")
    deep = by_clairvoy(3, np.uint16, "PNG")
    floats = made(pattern(3, np.float32), RGB)
    return {
        "EXIF, GPS": (jpeg, lambda data, found: tag(found, 0x8825) is not None),
        "maker note": (jpeg, lambda data, found: bytes(range(200)) in (found.metadata.exif or b"")),
        "EXIF of 100 KB": (
            encode(pixels, Picture(pixels, metadata=large), "TIFF"),
            lambda data, found: len(found.metadata.exif or b"") > 100_000,
        ),
        "Windows' titles and keywords (XP tags)": (jpeg, lambda data, found: tag(found, 40091) is not None),
        "ICC profile": (jpeg, lambda data, found: found.metadata.icc == SRGB),
        "XMP, also over 64 KB": (jpeg, lambda data, found: len(found.metadata.xmp or b"") > 70_000),
        "IPTC and Photoshop's resources": (jpeg, lambda data, found: found.metadata.photoshop == iptc),
        "resolution": (jpeg, lambda data, found: abs((found.metadata.dpi or (0,))[0] - 300) < 1),
        "comment of a JPEG": (jpeg, lambda data, found: b"hello" in data),
        "gAMA, cHRM, cICP of a PNG (as a profile)": (
            png,
            lambda data, found: found.metadata.icc is not None or found.metadata.png_chunks[:1] == gamma.png_chunks[:1],
        ),
        "author, title, description of a PNG": (
            png, lambda data, found: tag(found, 315) is not None or gamma.png_chunks[1] in found.metadata.png_chunks
        ),
        "other texts of a PNG": (png, lambda data, found: b"Mood" in data),
        "georeference, no data, private tags": (tiff, lambda data, found: {*geo, 60001, 269} <= set(tags(found))),
        "georeference that GIS programs find": (
            tiff, lambda data, found: found.format == "TIFF" and set(geo) <= set(tags_of(data))
        ),
        "alpha": (cut_out, lambda data, found: found.alpha is not None and found.alpha.min() < 255),
        "colours under alpha 0": (
            cut_out_over_red(), lambda data, found: bool((found.pixels[found.alpha == 0] == (255, 0, 0)).all())
        ),
        "16 bits": (deep, lambda data, found: np.array_equal(found.pixels, pattern(3, np.uint16))),
        "grey": (by_clairvoy(1, np.uint8, "PNG"), lambda data, found: found.grey),
        "bands beyond RGB": (
            made(pattern(4), RGB, extra=(0,)), lambda data, found: found.kept is not None and found.kept.bands is not None
        ),
        "floats and 32 bits": (floats, lambda data, found: found.kept is not None and found.kept.colours is not None),
    }  # fmt: skip


def exif_with_note(size: int) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = bytes(size)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def cut_out_over_red() -> bytes:
    pixels = pattern(3)
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[:9], pixels[:9] = 0, (255, 0, 0)
    return encode(pixels, Picture(pixels, alpha), "PNG")


def tags(picture: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + (picture.metadata.exif or b""))
    return exif


def tag(picture: Picture, number: int) -> object:
    return tags(picture).get(number)


if __name__ == "__main__":
    raise SystemExit(main())
