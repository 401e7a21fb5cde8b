"""JPEG XL: read only, by `pylibjxl` (extra ``jxl``), at 8 bits.

Kept: EXIF, ICC profile, XMP. Samples of more bits are rounded to 8, which is said. Of an animation the first frame is
taken, which is said too. libjxl turns the picture; the EXIF block then says so.
"""

from __future__ import annotations

import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif, xmp
from clairvoy.imaging.formats.raster import FIRST_FRAME, Metadata, Raster, check_size


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a JPEG XL file; see `clairvoy.imaging.formats`."""
    try:
        import pylibjxl
    except ImportError as error:
        raise FileError("is a JPEG XL file; to read it: pip install 'clairvoy[jxl]'") from error

    header = pylibjxl.probe(data)
    check_size(header["width"], header["height"], max_pixels)
    samples, said = pylibjxl.decode(data, metadata=True)
    notes = []
    if header["have_animation"]:
        notes.append(FIRST_FRAME)
    if header["bits_per_sample"] > 8:
        notes.append(f"has {header['bits_per_sample']} bits a sample, which were rounded to 8")
    block = said.get("exif", b"")
    # The box begins with four bytes that say where the TIFF header lies (ISO 18181-2).
    start = block.find(block[4:6]) if block[4:6] in (b"II", b"MM") else 0
    block = block[start:].removeprefix(b"Exif\0\0")
    metadata = Metadata(
        exif=exif.made_upright(block) if block else None,
        icc=said.get("icc") or None,
        xmp=xmp.upright(said["xmp"]) if said.get("xmp") else None,
        lossless=False,
    )
    return Raster(np.ascontiguousarray(samples.reshape(*samples.shape[:2], -1)), metadata, tuple(notes))
