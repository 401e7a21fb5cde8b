"""Strips and tiles of a TIFF as arrays of samples: decompressed, unpacked, the prediction undone.

A compression gives bytes, and everything else is done here, once for all of them: so what a file means cannot depend on
which library knows its compression. Deflate and LZMA are Python's; for the others libtiff, inside Pillow, is handed each
strip or tile as a small file of its own. JPEG, CCITT and YCbCr give no bytes but pixels; they become grey or RGB of 8 bits
there, or bits.
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from dataclasses import replace

import numpy as np
from PIL import Image, TiffImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats import tiff_page as tag
from clairvoy.imaging.formats.tiff_page import DAMAGED, Page

_NONE, _LZW, _JPEG, _DEFLATE, _PACKBITS, _LZMA, _ZSTD, _WEBP = 1, 5, 7, (8, 32946), 32773, 34925, 50000, 50001
_CCITT = (2, 3, 4)
_BY_LIBTIFF = (_LZW, _PACKBITS, _ZSTD)
_UNREADABLE = {
    **{
        6: "old-style JPEG",
        32809: "ThunderScan",
        34676: "SGI LogLuv",
        34677: "SGI LogLuv",
        33003: "JPEG 2000",
    },
    **{
        33005: "JPEG 2000",
        34712: "JPEG 2000",
        34887: "LERC",
        50002: "JPEG XL",
        52546: "JPEG XL",
        34892: "lossy JPEG",
    },
    **{
        34661: "JBIG",
        34715: "JBIG2",
        34926: "zstd of an old kind",
        34927: "WebP of an old kind",
        34933: "PNG",
    },
}
# What libtiff must be told of a page to make pixels of a strip: fill order, fax options, JPEG tables, YCbCr.
_FOR_LIBTIFF = (tag.BITS, tag.FILL_ORDER, 292, 293, 347, tag.SAMPLES, tag.EXTRA_SAMPLES, 529, 530, 531, 532)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LZMA_MEMORY = 2**28
_PILLOW_LIMIT = 170_000_000
"""Pixels above which Pillow refuses a file, in a setting that belongs to the whole process."""


def check_readable(page: Page) -> None:
    """Refuse compressions and samples that cannot be read; the message says what they are and what converts them."""
    if page.compression not in (_NONE, *_BY_LIBTIFF, _JPEG, *_DEFLATE, _LZMA, _WEBP, *_CCITT):
        name = _UNREADABLE.get(page.compression, f"a compression of number {page.compression}")
        raise FileError(
            f"is compressed with {name}, which cannot be read; convert it, "
            "such as by: gdal_translate -co COMPRESS=DEFLATE IN OUT"
        )
    if makes_pixels(page) and page.bits not in (1, 8):
        raise FileError(f"is a JPEG of {page.bits} bits inside, which cannot be read; save it with Deflate")
    widths = {tag.UNSIGNED: (*range(1, 17), 32), tag.SIGNED: (8, 16, 32), tag.FLOAT: (16, 32, 64)}
    if page.bits not in widths.get(page.format, ()):
        kind = {tag.UNSIGNED: "unsigned", tag.SIGNED: "signed", tag.FLOAT: "floating-point"}.get(page.format)
        raise FileError(
            f"has {kind or 'complex'} samples of {page.bits} bits, which cannot be read; "
            "save it with 8 or 16 bits, such as by: gdal_translate -ot UInt16 IN OUT"
        )


def makes_pixels(page: Page) -> bool:
    """Tell whether decompression gives pixels of a colour space and not the samples of the file."""
    return page.compression in (_JPEG, _WEBP, *_CCITT) or page.photometric == tag.YCBCR


def dtype_of(page: Page) -> np.dtype:
    """Type of the samples that are read, in the machine's byte order."""
    size = 8 if page.bits <= 8 else 16 if page.bits <= 16 else page.bits
    return np.dtype({tag.UNSIGNED: "u", tag.SIGNED: "i", tag.FLOAT: "f"}[page.format] + str(size // 8))


def finer(page: Page) -> Page:
    """The page with its rows cut into strips of about 256 KB, where it is one strip without compression."""
    channels = 1 if page.planar else page.samples
    row_bytes = -(-page.width * channels * page.bits // 8)
    rows = max(1, 2**18 // row_bytes)
    if page.compression != _NONE or page.tiled or page.down > 1 or rows >= page.height or makes_pixels(page):
        return page
    cuts = [
        (top * row_bytes, min(rows, page.height - top) * row_bytes) for top in range(0, page.height, rows)
    ]
    offsets = tuple(begin + cut for begin in page.offsets for cut, _ in cuts)
    sizes = tuple(size for _ in page.offsets for _, size in cuts)
    return replace(page, segment_height=rows, offsets=offsets, sizes=sizes)


def read_box(page: Page, top: int, left: int, bottom: int, right: int, fill: float = 0) -> np.ndarray:
    """Samples of a box inside the page, (bottom - top, right - left, samples).

    Parameters
    ----------
    page
        See `check_readable`, `check_extent`.
    fill
        Value of strips and tiles that were never written.
    """
    out = np.empty((bottom - top, right - left, page.samples), dtype_of(page))
    tall, wide = page.segment_height, page.segment_width
    for plane in range(page.samples if page.planar else 1):
        channels = slice(plane, plane + 1) if page.planar else slice(None)
        for row in range(top // tall, -(-bottom // tall)):
            for column in range(left // wide, -(-right // wide)):
                segment = read_segment(page, (plane * page.down + row) * page.across + column, fill)
                place_segment(out[..., channels], segment, (row * tall - top, column * wide - left))
    return out


def place_segment(out: np.ndarray, segment: np.ndarray, at: tuple[int, int]) -> None:
    """Copy what of a segment lies inside `out`; it begins at row and column `at`, which may be negative."""
    (first, begin), (height, width) = at, out.shape[:2]
    rows = slice(max(0, first), min(height, first + segment.shape[0]))
    cols = slice(max(0, begin), min(width, begin + segment.shape[1]))
    out[rows, cols] = segment[rows.start - first : rows.stop - first, cols.start - begin : cols.stop - begin]


def read_segment(page: Page, index: int, fill: float = 0) -> np.ndarray:
    """One strip or tile, (h, w, samples); a tile is cut to what lies inside the page.

    Raises
    ------
    FileError
        When it is damaged.
    """
    row, column = divmod(index % (page.across * page.down), page.across)
    inside = min(page.segment_height, page.height - row * page.segment_height)
    height = page.segment_height if page.tiled else inside
    width, channels = page.segment_width, 1 if page.planar else page.samples
    offset, size = page.offsets[index], page.sizes[index]
    if size == 0:
        samples = np.full((height, width, channels), fill, dtype_of(page))
    else:
        raw = page.block[offset : offset + size]
        try:
            if makes_pixels(page):
                samples = _pixels(raw, page, height, width, channels)
            else:
                samples = _samples(raw, page, height, width, channels)
        except FileError:
            raise
        except Exception as error:  # decoders meet damage with errors of many types
            raise FileError(DAMAGED.format(error)) from error
    return samples[:inside, : page.width - column * width]


def _samples(raw: bytes, page: Page, height: int, width: int, channels: int) -> np.ndarray:
    row_bytes = -(-width * channels * page.bits // 8)
    if page.number(tag.FILL_ORDER, 1) == 2:
        raw = raw.translate(_REVERSED)
    data = _decompressed(raw, page.compression, height, row_bytes)
    if len(data) < height * row_bytes:
        raise FileError(DAMAGED.format("pixels are missing"))
    rows = np.frombuffer(data, np.uint8, height * row_bytes).reshape(height, row_bytes)
    if page.predictor == 3 and page.format == tag.FLOAT:
        return _float_prediction_undone(rows, page.bits // 8, width, channels)
    if page.bits in (8, 16, 32, 64):
        stored = rows.view(dtype_of(page).newbyteorder(page.order)).reshape(height, width, channels)
        samples = stored.astype(dtype_of(page))
    else:
        samples = _unpacked(rows, page.bits, width * channels).reshape(height, width, channels)
    if page.predictor == 2 and page.compression != _NONE:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)
    elif page.predictor not in (1, 2):
        raise FileError(f"uses predictor {page.predictor}, which cannot be read; save it without")
    return samples


def _decompressed(raw: bytes, compression: int, height: int, row_bytes: int) -> bytes:
    size = height * row_bytes
    if compression in _DEFLATE:
        return zlib.decompressobj().decompress(raw, size)
    if compression == _LZMA:
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(raw, size)
    if compression in _BY_LIBTIFF:
        return _bytes_by_libtiff(raw, compression, height, row_bytes)
    return raw


def _unpacked(rows: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Samples of 1 to 15 bits, packed from the high bit on; (h, count) uint8 or uint16."""
    kind = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    out = np.empty((len(rows), count), kind)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(kind)
    for number, row in enumerate(rows):
        out[number] = np.unpackbits(row, count=count * bits).reshape(count, bits).astype(kind) @ weights
    return out


def _float_prediction_undone(rows: np.ndarray, size: int, width: int, channels: int) -> np.ndarray:
    """Undo predictor 3 (Adobe Photoshop TIFF Technical Note 3): differences of bytes, sorted by significance."""
    height = len(rows)
    summed = np.cumsum(rows.reshape(height, -1, channels), axis=1, dtype=np.uint8)
    planes = summed.reshape(height, size, width * channels)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
    return values.reshape(height, width, channels).astype(f"f{size}")


def _bytes_by_libtiff(raw: bytes, compression: int, height: int, row_bytes: int) -> bytes:
    """Decompress by handing the strip to libtiff as a grey picture of 8 bits, or of 4 channels where it is large."""
    channels, width = 1, row_bytes
    if height * row_bytes > _PILLOW_LIMIT and (height % 4 == 0 or row_bytes % 4 == 0):
        channels = 4
        width, height = (row_bytes // 4, height) if row_bytes % 4 == 0 else (row_bytes, height // 4)
    entries: ifd.Directory = {
        tag.PHOTOMETRIC: _numbers(tag.RGB if channels == 4 else tag.BLACK_IS_ZERO),
        tag.BITS: _numbers(*[8] * channels),
        tag.SAMPLES: _numbers(channels),
        **({tag.EXTRA_SAMPLES: _numbers(2)} if channels == 4 else {}),
    }
    return _image(raw, compression, height, width, entries).tobytes()


def _pixels(raw: bytes, page: Page, height: int, width: int, channels: int) -> np.ndarray:
    """Pixels of a strip or tile whose compression knows colours, or is for bits."""
    entries: ifd.Directory = {
        key: ifd.reordered(entry, page.order, "<")
        for key, entry in page.entries.items()
        if key in _FOR_LIBTIFF
    }
    photometric = page.photometric
    if page.compression in _CCITT:
        photometric = tag.BLACK_IS_ZERO
    if page.planar:
        entries |= {tag.SAMPLES: _numbers(1), tag.BITS: _numbers(page.bits)}
        entries.pop(tag.EXTRA_SAMPLES, None)
        photometric = tag.BLACK_IS_ZERO
    entries[tag.PHOTOMETRIC] = _numbers(photometric)
    image = _image(raw, page.compression, height, width, entries)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)[..., None]
    image = image.convert("RGB") if image.mode in ("YCbCr", "RGBX") and channels == 3 else image
    samples = np.asarray(image).reshape(height, width, -1)
    if samples.shape[2] != channels or samples.dtype != np.uint8:
        raise FileError(f"has pixels of kind {image.mode}, which cannot be read; save it with Deflate")
    return samples


def _image(raw: bytes, compression: int, height: int, width: int, entries: ifd.Directory) -> Image.Image:
    """A file of one strip for libtiff, opened and decoded by Pillow."""
    if height * width > _PILLOW_LIMIT:
        raise FileError("has one strip too large for its compression; save it with Deflate")
    raw += b"\0" * (len(raw) % 2)
    entries = entries | {
        tag.WIDTH: _numbers(width),
        tag.HEIGHT: _numbers(height),
        tag.COMPRESSION: _numbers(compression),
        tag.STRIP_OFFSETS: _numbers(8),
        tag.STRIP_SIZES: _numbers(len(raw)),
        tag.ROWS_PER_STRIP: _numbers(height),
        tag.PLANAR: _numbers(1),
    }
    header = b"II" + struct.pack("<HI", 42, 8 + len(raw))
    image = TiffImagePlugin.TiffImageFile(
        io.BytesIO(header + raw + ifd.write_tree(entries, "<", 8 + len(raw)))
    )
    image.load()
    return image


def _numbers(*values: int) -> ifd.Entry:
    """An entry of numbers, in little-endian order."""
    code, kind = ("H", 3) if max(values) < 65536 else ("I", 4)
    return ifd.Entry(kind, len(values), struct.pack(f"<{len(values)}{code}", *values))
