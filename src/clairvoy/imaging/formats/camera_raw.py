"""Camera raw: developed to 16-bit sRGB by LibRaw through `rawpy` (extra ``raw``). Read only.

White balance is the camera's, brightness is LibRaw's own (the brightest hundredth of the picture becomes white). Kept,
from raw formats that are TIFF inside (DNG, CR2, NEF, ARW, PEF, ...): the descriptive tags, EXIF and GPS.
"""

from __future__ import annotations

import io

import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size

SUFFIXES = (
    *("dng", "cr2", "cr3", "nef", "nrw", "arw", "srf", "sr2", "orf", "rw2", "raf", "pef", "srw", "3fr"),
    *("erf", "kdc", "mos", "mrw", "x3f", "iiq", "rwl"),
)
_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION, _FILTER_ARRAY = 254, 262, 330, 50706, 32803
# Make, model, software, date, artist, copyright.
_KEPT = (271, 272, 305, 306, 315, 33432, ifd.ORIENTATION, ifd.EXIF_POINTER, ifd.GPS_POINTER)
_SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")
_GAMMA = (2.4, 12.92)
"""The power and the slope at black of sRGB."""


def is_raw(data: bytes) -> bool:
    """Tell whether a file is camera raw, by its content."""
    if data.startswith(_SIGNATURES) or (data[4:8] == b"ftyp" and data[8:12] == b"crx "):
        return True
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if data[8:10] == b"CR":
        return True
    try:
        layout = ifd.read_layout(data)
        page, _ = ifd.read_entries(data, layout, layout.first)
    except FileError:
        return False

    def number(tag: int) -> int:
        values = ifd.integers(page[tag], layout.order) if tag in page else ()
        return values[0] if values else 0

    # The first page of raw files is a preview, and the raw picture hangs below it.
    preview = number(_SUBFILE) & 1 and _SUB_IFDS in page
    return bool(_DNG_VERSION in page or preview or number(_PHOTOMETRIC) == _FILTER_ARRAY)


def decode(data: bytes, max_pixels: int) -> Raster:
    """Develop a camera's raw file; see `clairvoy.imaging.formats`."""
    try:
        import rawpy
    except ImportError as error:
        raise FileError("is camera raw; to read it: pip install 'clairvoy[raw]'") from error

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            check_size(raw.sizes.width, raw.sizes.height, max_pixels)
            samples = raw.postprocess(
                output_bps=16, use_camera_wb=True, gamma=_GAMMA, output_color=rawpy.ColorSpace.sRGB
            )
    except rawpy.LibRawFileUnsupportedError as error:
        raise FileError(
            "is camera raw of a kind that LibRaw does not know; develop it and save a TIFF"
        ) from error
    return Raster(np.ascontiguousarray(samples), Metadata(exif=_exif(data)))


def _exif(data: bytes) -> bytes | None:
    """What the raw file says besides its pixels, as an EXIF block for an upright picture."""
    try:
        layout = ifd.read_layout(data)
        tree = ifd.read_tree(data, layout, layout.first)
    except FileError:
        return None
    kept = {tag: tree[tag] for tag in _KEPT if tag in tree}
    return ifd.made_upright(ifd.new_block(kept, layout.order)) if kept else None
