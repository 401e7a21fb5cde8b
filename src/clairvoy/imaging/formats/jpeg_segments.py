"""The segments of a JPEG file: what is said before the picture begins, and a picture whose end is missing.

Sources: ITU-T T.81, annex B; EXIF 2.32, section 4.7; XMP specification part 3, section 1.1.3; ICC.1:2022, annex B.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from clairvoy.errors import FileError

APP0, APP1, APP2, APP13, APP14, COMMENT, SCAN, END = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDA, 0xD9
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP, ICC, PHOTOSHOP = b"http://ns.adobe.com/xmp/extension/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_MOST = 65_533
"""Bytes that a segment can hold."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_DAMAGED = "is truncated or damaged ({}); get the file again"


@dataclass(frozen=True)
class Head:
    """What stands before the first scan: segments (marker, content), and where that scan begins in the file."""

    segments: tuple[tuple[int, bytes], ...]
    scan: int

    def contents(self, marker: int, prefix: bytes = b"") -> list[bytes]:
        """Contents of the segments of a kind, without the prefix that tells it."""
        return [
            part[len(prefix) :] for kind, part in self.segments if kind == marker and part.startswith(prefix)
        ]

    def exif(self) -> bytes | None:
        """EXIF block. One that does not fit into a segment goes on in the next."""
        parts = self.contents(APP1, EXIF)
        count = next((place for place, part in enumerate(parts) if len(part) < _MOST - 600), len(parts))
        return b"".join(parts[: count + 1]) or None

    def icc(self) -> bytes | None:
        """Colour profile, its parts in their order."""
        parts = sorted((part[0], part[2:]) for part in self.contents(APP2, ICC) if len(part) > 2)
        return b"".join(part for _, part in parts) or None

    def extended_xmp(self) -> bytes:
        """The part of the XMP that did not fit into its segment; empty if there is none."""
        parts = [part for part in self.contents(APP1, EXTENDED_XMP) if len(part) > 40]
        placed = sorted((int.from_bytes(part[36:40], "big"), part[40:]) for part in parts)
        return b"".join(part for _, part in placed)


def read_head(data: bytes) -> Head:
    """Segments before the first scan.

    Raises
    ------
    FileError
        When the file ends before, or is a JPEG of a kind that cannot be read.
    """
    segments: list[tuple[int, bytes]] = []
    place = 2
    while True:
        place = data.find(b"\xff", place)
        while data[place : place + 1] == b"\xff" and place >= 0:
            place += 1
        if place < 1 or place + 3 > len(data):
            raise FileError(_DAMAGED.format("it ends before its picture begins"))
        marker = data[place]
        if marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:
            continue
        size = int.from_bytes(data[place + 1 : place + 3], "big")
        if marker == SCAN:
            return Head(tuple(segments), place - 1)
        if marker == END or size < 2 or place + 1 + size > len(data):
            raise FileError(_DAMAGED.format("it ends before its picture begins"))
        content = data[place + 3 : place + 1 + size]
        if marker in _FRAMES or marker == 0xF7:
            _check_frame(marker, content)
        segments.append((marker, content))
        place += 1 + size


def _check_frame(marker: int, content: bytes) -> None:
    name = {0xF7: "JPEG-LS"}.get(
        marker, "hierarchical JPEG" if marker in (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF) else ""
    )
    if not name and content[:1] not in (b"\x08", b""):
        name = f"a JPEG of {content[0]} bits"
    if name:
        raise FileError(
            f"is {name}, which cannot be read; convert it to a 16-bit PNG or TIFF, "
            "such as by: djpeg (libjpeg-turbo 3), or gdal_translate IN OUT.tif"
        )


def bare(data: bytes, head: Head) -> bytes:
    """The file with only what decides its pixels, so that nothing else can confuse a decoder."""
    needed = [
        segment(marker, content)
        for marker, content in head.segments
        if marker in (APP0, APP14) or not (0xE0 <= marker <= 0xEF or marker == COMMENT)
    ]
    return b"\xff\xd8" + b"".join(needed) + data[head.scan :]


def has_all_scans(data: bytes, head: Head) -> bool:
    """Tell whether every coefficient is told to its last bit; always so unless the JPEG is coded coarse to fine."""
    frame = next(((marker, part) for marker, part in head.segments if marker in _FRAMES), None)
    if frame is None or frame[0] not in _PROGRESSIVE:
        return True
    components = {frame[1][place] for place in range(6, len(frame[1]), 3)}
    wanted = {(component, number) for component in components for number in range(64)}
    place = head.scan
    while place >= 0 and place + 5 < len(data):
        count = data[place + 4]
        names = data[place + 5 : place + 5 + 2 * count : 2]
        first, last, bits = data[place + 5 + 2 * count : place + 8 + 2 * count].ljust(3, b"\xff")
        if bits & 15 == 0:
            wanted -= {(name, number) for name in names for number in range(first, min(last, 63) + 1)}
        place = data.find(bytes((0xFF, SCAN)), place + 2)
    return not wanted


def segment(marker: int, content: bytes) -> bytes:
    """One segment as bytes."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def exif_segments(exif: bytes) -> Iterator[bytes]:
    """Segments that hold an EXIF block of any size."""
    return _cut(APP1, EXIF, exif)


def photoshop_segments(block: bytes) -> Iterator[bytes]:
    """Segments that hold Photoshop's image resources."""
    return _cut(APP13, PHOTOSHOP, block)


def icc_segments(profile: bytes) -> Iterator[bytes]:
    """Segments that hold a colour profile, numbered from 1."""
    room = _MOST - len(ICC) - 2
    parts = [profile[place : place + room] for place in range(0, len(profile), room)]
    if len(parts) > 255:
        raise FileError("has a colour profile too large for a JPEG; write PNG, WebP or TIFF")
    for number, part in enumerate(parts, start=1):
        yield segment(APP2, ICC + bytes((number, len(parts))) + part)


def xmp_segments(xmp: bytes) -> Iterator[bytes]:
    """The segment of an XMP packet; one that is too large becomes a packet that points to it, and its parts."""
    if len(XMP) + len(xmp) <= _MOST:
        yield segment(APP1, XMP + xmp)
        return
    name = hashlib.md5(xmp, usedforsecurity=False).hexdigest().upper().encode()
    yield segment(
        APP1,
        XMP + b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
        + name + b'"/></rdf:RDF></x:xmpmeta>',
    )  # fmt: skip
    room = 65_400
    for place in range(0, len(xmp), room):
        sizes = len(xmp).to_bytes(4, "big") + place.to_bytes(4, "big")
        yield segment(APP1, EXTENDED_XMP + name + sizes + xmp[place : place + room])


def _cut(marker: int, prefix: bytes, content: bytes) -> Iterator[bytes]:
    room = _MOST - len(prefix)
    for place in range(0, len(content), room):
        yield segment(marker, prefix + content[place : place + room])
