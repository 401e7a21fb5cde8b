"""JPEG: 8-bit grey or RGB. Pixels through Pillow (libjpeg-turbo).

Kept: EXIF, ICC profile, XMP, resolution, chroma subsampling. Left out: comments, IPTC, and the second
pictures (previews, depth, gain maps) that phones append, since they would no longer match. CMYK is read
through its ICC profile into sRGB, and refused without one: ink amounts alone name no colours.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin

from clairvoy.errors import FileError
from clairvoy.imaging.formats.raster import Metadata, Raster, check_size, samples_of, to_eight_bits

MAX_SIDE = 65_500
QUALITY = 95
"""Where nothing else is asked for and the picture was no JPEG."""
_EXIF_PREFIX, _XMP_PREFIX = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENT = 65_533


def decode(data: bytes, max_pixels: int) -> Raster:
    """Decode a JPEG file; see `clairvoy.imaging.formats`."""
    # The plug-in is called directly: Image.open would apply Pillow's own limit on pixels, a global of the
    # process.
    file = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    image: Image.Image = file
    check_size(image.width, image.height, max_pixels)
    info, dpi = file.info, file.info.get("dpi")
    xmp = (content for _, content in file.applist if content.startswith(_XMP_PREFIX))
    metadata = Metadata(
        exif=info.get("exif", b"").removeprefix(_EXIF_PREFIX) or None,
        icc=info.get("icc_profile") or None,
        xmp=next(xmp, b"").removeprefix(_XMP_PREFIX) or None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
        jpeg_subsampling=max(0, JpegImagePlugin.get_sampling(file)) if image.mode == "RGB" else 0,
        jpeg_tables=tuple(tuple(table) for _, table in sorted(file.quantization.items())),
        progressive=bool(info.get("progressive")),
        lossless=False,
    )
    if image.mode == "CMYK":
        image, metadata = _from_cmyk(image, metadata)
    return Raster(samples_of(image), metadata)


def encode(samples: np.ndarray, metadata: Metadata, quality: int | None) -> bytes:
    """Encode (H, W, 1 or 3) samples as JPEG; 16-bit samples are rounded to 8 bits.

    Where no `quality` is asked for, the quantisation tables of the JPEG that the picture came from are used again.
    """
    if max(samples.shape[:2]) > MAX_SIDE:
        raise FileError(f"a JPEG can have at most {MAX_SIDE} pixels a side; write PNG or TIFF")
    exif = _EXIF_PREFIX + metadata.exif if metadata.exif else b""
    xmp = _XMP_PREFIX + metadata.xmp if metadata.xmp else b""
    for name, content in (("EXIF", exif), ("XMP", xmp)):
        if len(content) > _MAX_SEGMENT:
            raise FileError(
                f"{len(content):,} bytes of {name} exceed what a JPEG holds; write PNG, WebP or TIFF"
            )
    samples = to_eight_bits(samples)
    target = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(
        target,
        "JPEG",
        **_coarseness(metadata, quality),
        progressive=metadata.progressive,
        subsampling=metadata.jpeg_subsampling,
        exif=exif,
        icc_profile=metadata.icc,
        dpi=metadata.dpi or (0, 0),
        extra=b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp if xmp else b"",
    )
    return target.getvalue()


def _coarseness(metadata: Metadata, quality: int | None) -> dict[str, Any]:
    """Options of Pillow that say how coarse the JPEG will be."""
    if quality is not None:
        return {"quality": quality}
    tables = metadata.jpeg_tables
    # Baseline JPEG, which every program reads, has numbers of 8 bits.
    usable = 1 <= len(tables) <= 4 and all(1 <= value <= 255 for table in tables for value in table)
    return {"qtables": tables} if usable else {"quality": QUALITY}


def _from_cmyk(image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
    if metadata.icc is None:
        raise FileError(
            "is CMYK without a colour profile, so its colours are unknown; convert it to RGB first"
        )
    inks = ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    converted = ImageCms.profileToProfile(image, inks, srgb, outputMode="RGB")
    assert converted is not None
    return converted, Metadata(metadata.exif, srgb.tobytes(), metadata.xmp, metadata.dpi, lossless=False)
