"""HEIC, what telephones write: 8 to 12 bits, grey or RGB, with or without alpha. Read only, by `pi-heif` (extra ``heic``).

Kept: EXIF, ICC profile or colour code points, XMP, bit depth (10 and 12 bits become 16). Left out: further pictures,
depth, gain maps, previews. libheif turns the picture; the EXIF block then says so.
"""

from __future__ import annotations

import io

import numpy as np

from clairvoy.errors import FileError
from clairvoy.imaging.formats import colour_boxes, exif, xmp
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size, stretched

_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4, "RGBa": 4}


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode the main picture of a HEIC file; see `clairvoy.imaging.formats`."""
    try:
        import pi_heif
    except ImportError as error:
        raise FileError("is a HEIC file; to read it: pip install 'clairvoy[heic]'") from error

    _check_names(data)
    file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    mode, _, deep = file.mode.partition(";")
    width, height = file.size
    check_size(width, height, max_pixels)
    kind = np.dtype("<u2" if deep else np.uint8)
    if mode not in _CHANNELS:
        raise FileError(f"has pixels of kind {file.mode}; save it as JPEG first")
    lines = np.frombuffer(file.data, kind).reshape(height, -1)
    samples = lines[:, : width * _CHANNELS[mode]].reshape(height, width, -1).astype(kind.newbyteorder("="))
    if deep:  # libheif's bits stand at the upper end of 16
        bits = int(file.info["bit_depth"])
        samples = stretched(samples // 2 ** (16 - bits), 2**bits - 1)
    if mode == "RGBa":
        samples = _straight(samples)
    info = file.info
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0")
    points = colour_boxes.code_points(data) if not info.get("icc_profile") else None
    metadata = Metadata(
        exif=exif.made_upright(block) if block else None,
        icc=info.get("icc_profile") or None,
        xmp=xmp.upright(info["xmp"]) if info.get("xmp") else None,
        png_chunks=((b"cICP", points),) if points else (),
        jpeg_subsampling=2,
        lossless=False,
    )
    notes = ("holds several pictures; the main one was taken",) if len(file) > 1 else ()
    return Raster(samples, metadata, notes)


def _check_names(data: bytes) -> None:
    """Refuse a file whose items have names that are no text: pi-heif 1.4 ends the whole process at them."""
    for box in colour_boxes.contents(data, b"infe"):  # item information (ISO 14496-12, 8.11.6)
        try:
            box[8 if box[:1] == b"\2" else 10 :].decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileError("is truncated or damaged (an item has no name); get the file again") from error


def _straight(samples: np.ndarray) -> np.ndarray:
    """Divide premultiplied colours by their alpha."""
    alpha = samples[..., 3:].astype(np.float32)
    most = np.iinfo(samples.dtype).max
    colour = np.where(alpha > 0, samples[..., :3] * (most / np.maximum(alpha, 1)), 0)
    return np.concatenate([np.minimum(np.rint(colour), most).astype(samples.dtype), samples[..., 3:]], axis=2)
