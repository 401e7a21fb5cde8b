"""TIFF: 8 or 16 bits, grey or RGB, with or without alpha (TIFF 6.0; BigTIFF is read).

Every offset is checked against the file's length before a decoder sees it, since decoders fill what is
missing. Pixels are read by tifffile; compressions that it does not know without extra packages (LZW,
PackBits, JPEG) go to Pillow at 8 bits and to OpenCV at 16. Written here: strips, Deflate with horizontal
prediction, in the byte order of the EXIF block, so that no value of it must be converted.

Kept: EXIF and GPS directories, the descriptive tags below, ICC profile, XMP, resolution, bit depth, alpha.
Rewriting moves the EXIF directory, so a maker note (a block in a format private to its maker) keeps its
bytes, but pointers inside it may no longer fit. Left out: private tags, layers, reduced copies. Refused:
several pages, camera raw, floating point, signed and 32-bit samples, CMYK, Lab, premultiplied alpha at 16
bits.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Literal

import cv2
import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size, rgb_order, samples_of

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 259, 262, 277
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_SIZES, _PLANAR = 273, 278, 279, 284
_X_RES, _Y_RES, _RES_UNIT = 282, 283, 296
_SUBFILE, _PREDICTOR, _TILE_OFFSETS, _TILE_SIZES = 254, 317, 324, 325
_EXTRA, _SAMPLE_FORMAT, _XMP, _ICC = 338, 339, 700, 34675
_DNG_VERSION, _COLOUR_FILTER_ARRAY = 50706, 32803
# Description, make, model, software, date, artist, copyright, IPTC.
_TEXTS = (270, 271, 272, 305, 306, 315, 33432, 33723)
_DESCRIPTIVE = (*_TEXTS, ifd.ORIENTATION, ifd.EXIF_POINTER, ifd.GPS_POINTER)
_DEFLATE = 8
_TIFFFILE_COMPRESSIONS = (1, 8, 32946, 34925)
_PHOTOMETRICS = {0: "white is zero", 1: "black is zero", 2: "RGB", 3: "palette", 6: "YCbCr"}
_PREMULTIPLIED = 1
_DAMAGED = "is truncated or damaged ({}); get the file again"
_SHORT, _LONG, _RATIONAL, _BYTE, _UNDEFINED = 3, 4, 5, 1, 7


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a TIFF file; see `clairvoy.imaging.formats`."""
    layout = ifd.read_layout(data)
    page, link = ifd.read_entries(data, layout, layout.first)
    _check_single(data, layout, page, link)

    def number(tag: int, default: int) -> int:
        values = ifd.integers(page[tag], layout.order) if tag in page else ()
        return values[0] if values else default

    width, height, photometric = number(_WIDTH, 0), number(_HEIGHT, 0), number(_PHOTOMETRIC, 1)
    check_size(width, height, max_pixels)
    bits = set(ifd.integers(page[_BITS], layout.order)) if _BITS in page else {1}
    _check_kind(bits, number(_SAMPLE_FORMAT, 1), photometric)
    _check_extent(data, layout, page)
    if number(_COMPRESSION, 1) == 1 and _STRIP_SIZES in page:
        stored = sum(ifd.integers(page[_STRIP_SIZES], layout.order))
        if 8 * stored < width * height * number(_SAMPLES, 1) * max(bits):
            raise FileError(_DAMAGED.format("pixels are missing"))

    metadata = _read_metadata(data, layout, page)
    # Decoders disagree about who turns the picture; without the tag none of them does.
    if number(ifd.ORIENTATION, 1) != 1:
        patched = bytearray(data)
        ifd.set_integer(patched, page[ifd.ORIENTATION], layout.order, 1)
        data = bytes(patched)
    plain = number(_COMPRESSION, 1) in _TIFFFILE_COMPRESSIONS and photometric in (0, 1, 2)
    extra = number(_EXTRA, 0)
    if bits == {16}:
        if extra == _PREMULTIPLIED:
            raise FileError("has premultiplied alpha; save it with straight (unassociated) alpha")
        if not plain and number(_PLANAR, 1) == 2:
            raise FileError("keeps its colours in separate compressed planes; save it with Deflate")
        samples = _decode_plain(data) if plain else _decode_with_opencv(data)
    elif bits == {8} and plain and extra != _PREMULTIPLIED:
        samples = _decode_plain(data)
    else:
        samples = _decode_with_pillow(data)
    if photometric == 0 and plain and bits in ({8}, {16}) and extra != _PREMULTIPLIED:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    if samples.shape not in {(height, width, channels) for channels in (1, 2, 3, 4)}:
        raise FileError(f"has samples of shape {samples.shape}; save it as grey or RGB of 8 or 16 bits")
    return Raster(samples, metadata)


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None) -> bytes:
    """Encode (H, W, 1 to 4) samples as TIFF of the same bit depth; lossless, so `quality` has no effect."""
    height, width, channels = samples.shape
    tree, order = _exif_tree(metadata.exif)
    parts, offsets, end = [], [], 8
    rows_per_strip = max(1, 65_536 // width)
    for top in range(0, height, rows_per_strip):
        part = _compressed(samples[top : top + rows_per_strip], order)
        offsets.append(end)
        parts.append(part + b"\0" * (len(part) % 2))
        end += len(parts[-1])
    if end >= 2**32 - 2**24:
        raise FileError("a TIFF can hold at most 4 GB; write PNG")

    def entry(kind: int, *values: int) -> ifd.Entry:
        code = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}[kind]
        count = len(values) // (2 if kind == _RATIONAL else 1)
        return ifd.Entry(kind, count, struct.pack(f"{order}{len(values)}{code}", *values))

    tree |= {
        _WIDTH: entry(_LONG, width),
        _HEIGHT: entry(_LONG, height),
        _BITS: entry(_SHORT, *[8 * samples.itemsize] * channels),
        _COMPRESSION: entry(_SHORT, _DEFLATE),
        _PHOTOMETRIC: entry(_SHORT, 2 if channels >= 3 else 1),
        _STRIP_OFFSETS: entry(_LONG, *offsets),
        _SAMPLES: entry(_SHORT, channels),
        _ROWS_PER_STRIP: entry(_LONG, rows_per_strip),
        _STRIP_SIZES: entry(_LONG, *map(len, parts)),
        _PLANAR: entry(_SHORT, 1),
        _PREDICTOR: entry(_SHORT, 2),
    }
    if channels in (2, 4):
        tree[_EXTRA] = entry(_SHORT, 2)
    if metadata.dpi:
        across, down = (round(dots * 10_000) for dots in metadata.dpi)
        tree |= {_X_RES: entry(_RATIONAL, across, 10_000), _Y_RES: entry(_RATIONAL, down, 10_000)}
        tree[_RES_UNIT] = entry(_SHORT, 2)
    if metadata.xmp:
        tree[_XMP] = ifd.Entry(_BYTE, len(metadata.xmp), metadata.xmp)
    if metadata.icc:
        tree[_ICC] = ifd.Entry(_UNDEFINED, len(metadata.icc), metadata.icc)
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, end)
    return b"".join([header, *parts, ifd.write_tree(tree, order, end)])


def _check_single(data: bytes, layout: ifd.Layout, page: dict[int, ifd.Entry], link: int) -> None:
    """Refuse camera raw, whose first page is a preview, and files of several pages."""

    def number(entries: dict[int, ifd.Entry], tag: int) -> int:
        values = ifd.integers(entries[tag], layout.order) if tag in entries else ()
        return values[0] if values else 0

    preview, mosaic = number(page, _SUBFILE) & 1, number(page, _PHOTOMETRIC) == _COLOUR_FILTER_ARRAY
    if _DNG_VERSION in page or preview or mosaic:
        raise FileError("is camera raw or begins with a preview; develop it and save a TIFF or JPEG")
    seen = {layout.first}
    while following := ifd.next_directory(data, layout, link):
        if following in seen:
            raise FileError(_DAMAGED.format("its pages run in a circle"))
        seen.add(following)
        other, link = ifd.read_entries(data, layout, following)
        # Reduced copies (bit 0) and masks (bit 2) belong to the first page.
        if not number(other, _SUBFILE) & 0b101:
            raise FileError("has several pages (or is camera raw); save the one that you want on its own")


def _check_kind(bits: set[int], sample_format: int, photometric: int) -> None:
    if sample_format == 3:
        raise FileError("has floating-point samples, of unknown range; scale them and save 16-bit integers")
    if sample_format not in (1, 4) or not bits <= {1, 2, 4, 8, 16} or len(bits) != 1:
        raise FileError("has samples other than unsigned integers of 8 or 16 bits; save it with such samples")
    if photometric not in _PHOTOMETRICS:
        raise FileError(f"has colours of kind {photometric} (CMYK, Lab or another); convert it to RGB")


def _check_extent(data: bytes, layout: ifd.Layout, page: dict[int, ifd.Entry]) -> None:
    """Refuse a file whose strips or tiles are not all inside it."""
    tags = (_TILE_OFFSETS, _TILE_SIZES) if _TILE_OFFSETS in page else (_STRIP_OFFSETS, _STRIP_SIZES)
    offsets, sizes = (ifd.integers(page[tag], layout.order) if tag in page else () for tag in tags)
    if not offsets or len(offsets) != len(sizes):
        raise FileError(_DAMAGED.format("it does not say where its pixels are"))
    if any(size == 0 or offset + size > len(data) for offset, size in zip(offsets, sizes, strict=True)):
        raise FileError(_DAMAGED.format("pixels are missing"))


def _decode_plain(data: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        samples = page.asarray()
        if samples.ndim == 3 and page.planarconfig == 2:
            samples = np.moveaxis(samples, 0, -1)
    samples = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
    return samples.reshape(*samples.shape[:2], -1) if samples.ndim <= 3 else samples


def _decode_with_opencv(data: bytes) -> np.ndarray:
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise FileError(
            "has 16-bit samples in a compression that cannot be read; save it with Deflate or LZW"
        )
    return rgb_order(samples)


def _decode_with_pillow(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        # The size has been checked against max_pixels already.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image: Image.Image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
            mode = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB"}.get(image.mode, image.mode)
            if mode not in ("L", "LA", "RGB", "RGBA", "RGBX"):
                raise FileError(f"has pixels of kind {mode}; save it as grey or RGB of 8 or 16 bits")
            return samples_of(image if mode == image.mode else image.convert(mode))
        except Image.DecompressionBombError as error:
            raise FileError("is too large for its compression; save it with Deflate") from error


def _read_metadata(data: bytes, layout: ifd.Layout, page: dict[int, ifd.Entry]) -> Metadata:
    tree = ifd.read_tree(data, layout, layout.first)
    described = {tag: tree[tag] for tag in _DESCRIPTIVE if tag in tree}
    dpi = None
    unit = ifd.integers(page[_RES_UNIT], layout.order) if _RES_UNIT in page else (2,)
    if unit[:1] in ((2,), (3,)) and _X_RES in page and _Y_RES in page:
        scale = 2.54 if unit[0] == 3 else 1.0
        dots = [scale * _ratio(page[tag].value, layout.order) for tag in (_X_RES, _Y_RES)]
        dpi = (dots[0], dots[1]) if min(dots) > 0 else None
    return Metadata(
        exif=ifd.new_block(described, layout.order) if described else None,
        icc=page[_ICC].value if _ICC in page else None,
        xmp=page[_XMP].value if _XMP in page else None,
        dpi=dpi,
    )


def _ratio(value: bytes, order: str) -> float:
    if len(value) != 8:
        return 0.0
    numerator, denominator = struct.unpack(order + "II", value)
    return numerator / denominator if denominator else 0.0


def _exif_tree(exif: bytes | None) -> tuple[ifd.Directory, Literal["<", ">"]]:
    """Take from an EXIF block what a TIFF file holds, and its byte order."""
    if not exif:
        return {}, "<"
    try:
        layout = ifd.read_layout(exif)
        tree = ifd.read_tree(exif, layout, layout.first)
    except FileError:
        return {}, "<"
    return {tag: tree[tag] for tag in _DESCRIPTIVE if tag in tree}, layout.order


def _compressed(rows: np.ndarray, order: Literal["<", ">"]) -> bytes:
    """One strip: horizontal differences (predictor 2), then Deflate."""
    difference = rows.copy()
    difference[:, 1:] -= rows[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder(order), copy=False).tobytes(), 3)
