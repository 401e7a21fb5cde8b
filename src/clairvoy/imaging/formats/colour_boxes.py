"""What the boxes of HEIC, AVIF and JPEG 2000 files say about colour (ISO 14496-12, ISO 23008-12, ISO 15444-1).

The boxes are found by their names and not by walking the tree: a box is believed only where its length fits too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_SDR = {(1, 13), (1, 1), (2, 2), (1, 2), (2, 13), (6, 6), (5, 6), (1, 6)}
"""Primaries and transfer (ITU-T H.273) that are shown as sRGB where a file has no profile."""


def contents(data: bytes, name: bytes) -> Iterator[bytes]:
    """Contents of every box of that name."""
    place = data.find(name, 4)
    while place >= 0:
        size = int.from_bytes(data[place - 4 : place], "big")
        if 8 <= size <= len(data) - place + 4:
            yield data[place + 4 : place - 4 + size]
        place = data.find(name, place + 4)


def profile(data: bytes) -> bytes | None:
    """ICC profile of a colour box, the largest one; None if there is none."""
    found = [
        box[start:]
        for box in contents(data, b"colr")
        for start in [4 if box[:4] in (b"prof", b"rICC") else 3 if box[:1] in (b"\2", b"\3") else 0]
        if start and box[start + 36 : start + 40] == b"acsp"
    ]
    return max(found, key=len, default=None)


def code_points(data: bytes) -> bytes | None:
    """Colour as the contents of a PNG's cICP chunk; None where the file has none or they stand for sRGB.

    Four bytes: primaries, transfer function, matrix (0: the samples are RGB) and full range (1).
    """
    for box in contents(data, b"colr"):
        if box[:4] == b"nclx" and len(box) >= 10:
            primaries, transfer = struct.unpack_from(">HH", box, 4)
            if (primaries, transfer) not in _SDR and max(primaries, transfer) < 256:
                return bytes((primaries, transfer, 0, 1))
            return None
    return None
