"""JPEG: 8-bit grey or RGB. Pixels through Pillow (libjpeg-turbo), segments are read and written here.

Kept: EXIF, ICC profile, XMP (also one too large for a segment), IPTC and Photoshop's resources, comments, resolution,
chroma subsampling, quantisation tables, progressive or not. Left out: the second pictures and films that phones append
(previews, depth, gain maps, motion photos), since they would no longer match, and what the XMP says of them. CMYK is read
into sRGB, through its profile where it has one that fits. Where the end of the file is missing, rows that are lost count
as "no data".
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats import jpeg_segments as segments
from clairvoy.imaging.formats import xmp as packets
from clairvoy.imaging.formats.inks_and_lab import cmyk_to_srgb, srgb_profile
from clairvoy.imaging.formats.photoshop import without_previews
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size, samples_of, to_eight_bits

MAX_SIDE = 65_500
QUALITY = 95
"""Where nothing else is asked for and the picture was no JPEG."""
_MOST_LOST, _MOST_LOST_ROWS, _NEVER_MORE = 0.1, 18, 0.25
"""Part of the rows, or rows (of one row of blocks, and of smoothing above it), that may be lost at the end; and the part
that must not be, however few rows it is."""
_FILLERS = (b"", b"\x55\x2a" * 4096, b"\xaa\x91" * 4096)
_END = b"\xff\xd9"


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a JPEG file; see `clairvoy.imaging.formats`."""
    head = segments.read_head(data)
    bare = segments.bare(data, head)
    file = _opened(bare)
    check_size(file.width, file.height, max_pixels)
    metadata = _metadata(head, file)
    notes: tuple[str, ...] = ()
    lost = None
    try:
        samples = samples_of(file)
    except OSError as error:
        if "truncated" not in str(error):
            raise
        samples, lost = _without_end(bare, head)
        rows = 0 if lost is None else int(lost[:, 0].sum())
        notes += (f"lacks its end; of its rows the last {rows} are lost" if rows else "lacks its end",)
    if file.mode == "CMYK":
        samples, said = cmyk_to_srgb(samples, metadata.icc)
        metadata, notes = replace(metadata, icc=srgb_profile(), jpeg_tables=()), notes + said
    return Raster(samples, metadata, notes, lost)


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None) -> bytes:
    """Encode (H, W, 1 or 3) samples as JPEG; 16-bit samples are rounded to 8 bits.

    Where no `quality` is asked for, the quantisation tables of the JPEG that the picture came from are used again.
    """
    if max(samples.shape[:2]) > MAX_SIDE:
        raise FileError(f"a JPEG can have at most {MAX_SIDE} pixels a side; write PNG or TIFF")
    samples = to_eight_bits(samples)
    target = io.BytesIO()
    dots = [round(value) for value in metadata.dpi or (0, 0)]
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(
        target,
        "JPEG",
        **_coarseness(metadata, quality),
        progressive=metadata.progressive,
        subsampling=metadata.jpeg_subsampling,
        # Finer ones do not fit into the field.
        dpi=tuple(dots) if min(dots) >= 1 and max(dots) < 65_536 else (0, 0),
    )
    written = target.getvalue()
    head = segments.read_head(written)
    first = head.segments[0]
    begin = 2 + len(segments.segment(*first)) if first[0] == segments.APP0 else 2
    said = [
        *(segments.exif_segments(metadata.exif) if metadata.exif else ()),
        *(segments.xmp_segments(metadata.xmp) if metadata.xmp else ()),
        *(segments.icc_segments(metadata.icc) if metadata.icc else ()),
        *(segments.photoshop_segments(metadata.photoshop) if metadata.photoshop else ()),
        *(segments.segment(segments.COMMENT, comment[:65_533]) for comment in metadata.comments),
    ]
    return written[:begin] + b"".join(said) + written[begin:]


def _opened(bare: bytes) -> JpegImagePlugin.JpegImageFile:
    # The plug-in is called directly: Image.open would apply Pillow's own limit on pixels, a global of the process.
    return JpegImagePlugin.JpegImageFile(io.BytesIO(bare))


def _metadata(head: segments.Head, file: JpegImagePlugin.JpegImageFile) -> Metadata:
    exif = head.exif()
    xmp = next(iter(head.contents(segments.APP1, segments.XMP)), None)
    extended = head.extended_xmp()
    if xmp is not None and (extended or b"HasExtendedXMP" in xmp):
        xmp = packets.merged(xmp, extended)
    dpi = file.info.get("dpi") if file.info.get("jfif_unit") in (1, 2) else None
    return Metadata(
        exif=exif,
        icc=head.icc(),
        xmp=xmp or None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else ifd.resolution_of(exif),
        photoshop=without_previews(b"".join(head.contents(segments.APP13, segments.PHOTOSHOP))) or None,
        comments=tuple(head.contents(segments.COMMENT)),
        jpeg_subsampling=max(0, JpegImagePlugin.get_sampling(file)) if file.mode == "RGB" else 0,
        jpeg_tables=tuple(tuple(table) for _, table in sorted(file.quantization.items())),
        progressive=bool(file.info.get("progressive")),
        lossless=False,
    )


def _without_end(bare: bytes, head: segments.Head) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples of a file that was cut off, and the rows that are lost, (H, W) bool; refused where these are many.

    Decoded with different bytes in the place of the missing ones, the rows that depend on those differ.
    """
    bare = bare.rstrip(b"\0").rstrip(b"\xff")
    if not segments.has_all_scans(bare, segments.read_head(bare)):
        raise FileError("is truncated or damaged (only a coarse picture is left); get the file again")
    whole, *others = (samples_of(_opened(bare + filler + _END)) for filler in _FILLERS)
    differs = np.zeros(len(whole), bool)
    for other in others:
        differs |= (other != whole).any(axis=(1, 2))
    if not differs.any():
        return whole, None
    first = int(differs.argmax())
    part = 1 - first / len(whole)
    if part > _NEVER_MORE or (part > _MOST_LOST and len(whole) - first > _MOST_LOST_ROWS):
        raise FileError(f"is truncated or damaged ({part:.0%} of its rows are missing); get the file again")
    lost = np.zeros(whole.shape[:2], bool)
    lost[first:] = True
    return whole, lost


def _coarseness(metadata: Metadata, quality: int | None) -> dict[str, Any]:
    """Options of Pillow that say how coarse the JPEG will be."""
    if quality is not None:
        return {"quality": quality}
    tables = metadata.jpeg_tables
    # Baseline JPEG, which every program reads, has numbers of 8 bits.
    usable = 1 <= len(tables) <= 4 and all(1 <= value <= 255 for table in tables for value in table)
    return {"qtables": tables} if usable else {"quality": QUALITY}
