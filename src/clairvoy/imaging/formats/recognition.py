"""Which format a file is of: by its first bytes when it is read, by its suffix when it is looked for or written."""

from __future__ import annotations

from clairvoy.errors import FileError, UnknownFormatError
from clairvoy.imaging.formats import camera_raw

WRITTEN_SUFFIXES = {
    **{".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG"},
    **{".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF"},
}
"""Suffixes that a picture can be written under, and the format of each."""
READ_SUFFIXES = {
    **WRITTEN_SUFFIXES,
    **{".heic": "HEIC", ".heif": "HEIC", ".hif": "HEIC", ".bmp": "BMP", ".dib": "BMP", ".gif": "GIF"},
    **{".apng": "PNG", ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".jpf": "JPEG2000", ".jpx": "JPEG2000"},
    **{".ppm": "PNM", ".pgm": "PNM", ".pnm": "PNM", ".jxl": "JPEGXL"},
    **{f".{suffix}": "RAW" for suffix in camera_raw.SUFFIXES},
}
"""Suffixes under which photographs are looked for in a folder."""
WRITTEN_AS = {
    **{"HEIC": ".jpg", "BMP": ".png", "GIF": ".png", "PNM": ".png", "JPEG2000": ".png", "JPEGXL": ".png"},
    **{"RAW": ".tif", "PNG": ".png"},
}
"""Suffix of the restored picture where the format of the photograph cannot be written."""
SUPPORTED = "JPEG, PNG, WebP, TIFF or AVIF"

_SIGNATURES = {
    **{b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"BM": "BMP", b"GIF8": "GIF"},
    **{b"P5": "PNM", b"P6": "PNM"},
    **{b"\0\0\0\x0cjP  \r\n": "JPEG2000", b"\xff\x4f\xff\x51": "JPEG2000"},
    **{b"\0\0\0\x0cJXL \r\n": "JPEGXL", b"\xff\x0a": "JPEGXL"},
    **{b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF"},
}
_UNREADABLE = {
    **{b"8BPS": "Photoshop", b"%PDF": "PDF", b"v/1\x01": "OpenEXR", b"#?RADIANCE": "Radiance HDR"},
    **{b"\x1aE\xdf\xa3": "Matroska or WebM video", b"<svg": "SVG", b"gimp xcf": "GIMP"},
    **{b"SIMPLE  =": "FITS", b"\x0a\x05\x01": "PCX", b"P1": "PBM", b"P4": "PBM"},
}
# Brands of ISO base media files (ISO 14496-12), at the beginning or among the compatible ones.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def recognise(data: bytes) -> str:
    """Format of a file by its content.

    Raises
    ------
    FileError
        When the file is empty.
    UnknownFormatError
        When it is of a format that cannot be read (which is named), or of none.
    """
    if not data:
        raise FileError("is empty; get the file again")
    if camera_raw.is_raw(data):
        return "RAW"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    for table, readable in ((_SIGNATURES, True), (_UNREADABLE, False)):
        kind = next((name for start, name in table.items() if data.startswith(start)), None)
        if kind and readable:
            return kind
        if kind:
            raise UnknownFormatError(f"is a {kind} file, which cannot be read; convert it to {SUPPORTED}")
    raise UnknownFormatError(
        f"is not a picture that can be read (or its beginning is lost); give a {SUPPORTED} file"
    )


def _of_brands(data: bytes) -> str:
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[place : place + 4] for place in range(16, size, 4))}
    if not brands.isdisjoint((b"avif", b"avis")):
        return "AVIF"
    if not brands.isdisjoint(_HEIC_BRANDS):
        return "HEIC"
    raise UnknownFormatError(
        f"is a video or another ISO media file; extract one picture and save it as {SUPPORTED}"
    )
