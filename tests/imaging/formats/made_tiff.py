"""TIFF files of any kind, made by hand: samples, what they are called, and any compression that works on bytes."""

from __future__ import annotations

import io
import lzma
import struct
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin

from clairvoy.imaging.formats import exif as ifd

BYTE_COMPRESSIONS = {
    **{
        "none": 1,
        "lzw": 5,
        "deflate": 8,
        "old deflate": 32946,
        "packbits": 32773,
        "lzma": 34925,
        "zstd": 50000,
    }
}


def compressed(raw: bytes, compression: str) -> bytes:
    """Bytes as libtiff packs them: a grey picture of one row has no other meaning than its bytes."""
    if compression == "none":
        return raw
    if "deflate" in compression:
        return zlib.compress(raw)
    if compression == "lzma":
        return lzma.compress(raw)
    target = io.BytesIO()
    name = {"lzw": "tiff_lzw"}.get(compression, compression)
    Image.frombytes("L", (len(raw), 1), raw).save(target, "TIFF", compression=name)
    tags = TiffImagePlugin.TiffImageFile(io.BytesIO(target.getvalue())).tag_v2
    assert len(tags[273]) == 1
    return target.getvalue()[tags[273][0] :][: tags[279][0]]


def entry(order: str, code: str, *values: float) -> ifd.Entry:
    """A tag; the code is struct's, "s" for text."""
    kinds = {"B": 1, "H": 3, "I": 4, "f": 11, "d": 12}
    if code == "s":
        text = values[0]
        return ifd.Entry(2, len(text), text)
    return ifd.Entry(kinds[code], len(values), struct.pack(f"{order}{len(values)}{code}", *values))


def made(
    samples: np.ndarray, photometric: int, compression: str = "none", *, order: str = "<", tile: int = 0,
    rows: int = 7, planar: bool = False, predictor: bool = False, extra: tuple[int, ...] | None = None,
    tags: dict[int, tuple] | None = None, bits: int | None = None, fill_order: int = 1, missing: tuple[int, ...] = (),
) -> bytes:  # fmt: skip
    """A TIFF of samples (H, W, C).

    `tags` are further ones, such as ``{42113: ("s", b"0\\0")}``; `bits` packs samples tighter than their type;
    `missing` are strips or tiles that are not written, as GDAL leaves out empty ones.
    """
    height, width, channels = samples.shape
    block, wide = (tile or rows), (tile or width)
    parts = []
    for plane in np.split(samples, channels, axis=2) if planar else [samples]:
        for top in range(0, height, block):
            for left in range(0, width, wide):
                part = plane[top : top + block, left : left + wide]
                if tile:
                    part = np.pad(part, ((0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0)))
                parts.append(packed(part, order, predictor, bits))
    data, offsets, sizes = b"", [], []
    for number, part in enumerate(parts):
        piece = b"" if number in missing else compressed(part, compression)
        if fill_order == 2:
            piece = piece.translate(bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256)))
        offsets.append(8 + len(data) if piece else 0)
        sizes.append(len(piece))
        data += piece + b"\0" * (len(piece) % 2)
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    named = {
        256: ("I", width), 257: ("I", height), 258: ("H", *[bits or 8 * samples.itemsize] * channels),
        259: ("H", BYTE_COMPRESSIONS[compression]), 262: ("H", photometric), 266: ("H", fill_order),
        277: ("H", channels), 284: ("H", 2 if planar else 1), 317: ("H", 2 if predictor else 1),
        339: ("H", *[kind] * channels),
        **({322: ("I", tile), 323: ("I", tile), 324: ("I", *offsets), 325: ("I", *sizes)} if tile else
           {278: ("I", rows), 273: ("I", *offsets), 279: ("I", *sizes)}),
        **({338: ("H", *extra)} if extra is not None else {}),
    } | (tags or {})  # fmt: skip
    tree: ifd.Directory = {tag: entry(order, *value) for tag, value in named.items()}
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data))
    return header + data + ifd.write_tree(tree, order, 8 + len(data))


def packed(part: np.ndarray, order: str, predictor: bool, bits: int | None) -> bytes:
    """The bytes of a strip before compression."""
    if bits and bits != 8 * part.itemsize:
        rows = [np.packbits(_bits(row.ravel(), bits)).tobytes() for row in part]
        return b"".join(rows)
    if predictor:
        part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1)
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _bits(values: np.ndarray, bits: int) -> np.ndarray:
    return (values[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel()


def tags_of(data: bytes) -> dict[int, ifd.Entry]:
    """All tags of the first page."""
    layout = ifd.read_layout(data)
    return ifd.read_entries(data, layout, layout.first)[0]
