"""BMP, GIF and PNM: read only. Pixels through Pillow; PNM of more than 8 bits is read here.

Kept: transparency, resolution. Palettes become RGB. Of an animation the first frame is taken, which is said.
"""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, PpmImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats.raster import FIRST_FRAME, Metadata, Raster, check_size, samples_of, stretched

_GAP = rb"(?:\s|#[^\n]*\n)+"  # one blank at a time: a run of them can be cut in one way only
_PNM_HEADER = re.compile(
    rb"P[56]"
    + _GAP
    + rb"(?P<width>\d{1,9})"
    + _GAP
    + rb"(?P<height>\d{1,9})"
    + _GAP
    + rb"(?P<peak>\d{1,9})\s"
)
_PLUGINS = (
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"P", PpmImagePlugin.PpmImageFile),
)


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a BMP, GIF or PNM file; see `clairvoy.imaging.formats`."""
    if data.startswith(b"P") and (deep := _deep(data, max_pixels)) is not None:
        return Raster(deep, Metadata())
    plugin = next(plugin for start, plugin in _PLUGINS if data.startswith(start))
    image: Image.Image = plugin(io.BytesIO(data))
    check_size(image.width, image.height, max_pixels)
    moving = getattr(image, "is_animated", False)
    notes = (FIRST_FRAME,) if moving else ()
    dpi = image.info.get("dpi")
    metadata = Metadata(dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None)
    image.load()
    clear = "transparency" in image.info
    if image.mode == "P":
        image = image.convert("RGBA" if clear else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif clear and image.mode in ("L", "RGB"):
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise FileError(f"has pixels of kind {image.mode}; save it as PNG first")
    return Raster(samples_of(image), metadata, notes)


def _deep(data: bytes, max_pixels: int) -> np.ndarray | None:
    """Samples (H, W, C) uint16 of a binary PNM of more than 8 bits, which Pillow cannot hold; None for any other."""
    header = _PNM_HEADER.match(data)
    if header is None or int(header["peak"]) <= 255:
        return None
    width, height, peak = (int(header[name]) for name in ("width", "height", "peak"))
    check_size(width, height, max_pixels)
    channels = 3 if data.startswith(b"P6") else 1
    count = width * height * channels
    if peak > 65535 or len(data) < header.end() + 2 * count:
        raise FileError("is truncated or damaged (pixels are missing); get the file again")
    samples = np.frombuffer(data, ">u2", count, header.end()).reshape(height, width, channels)
    return stretched(samples.astype(np.uint16), peak)
