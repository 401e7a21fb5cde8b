"""Photoshop's image resources: the block of an APP13 segment of JPEG and of tag 34377 of TIFF.

Source: Adobe Photoshop File Formats Specification (2019), section "Image Resources".
"""

from __future__ import annotations

import struct

IPTC = 1028
_PREVIEWS = (1033, 1036)


def resources(block: bytes) -> list[tuple[int, bytes, bytes]]:
    """Identifier, content, and all bytes of each resource, up to where the block is damaged."""
    found, place = [], 0
    while block[place : place + 4] == b"8BIM" and place + 12 <= len(block):
        (number,) = struct.unpack_from(">H", block, place + 4)
        name = block[place + 6] + 1
        start = place + 6 + name + name % 2
        if start + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, start)
        end = start + 4 + size + size % 2
        if start + 4 + size > len(block):
            break
        found.append(
            (number, block[start + 4 : start + 4 + size], block[place:end].ljust(end - place, b"\0"))
        )
        place = end
    return found


def without_previews(block: bytes) -> bytes:
    """Resources without the small copies of the picture, which show it as it was."""
    return b"".join(whole for number, _, whole in resources(block) if number not in _PREVIEWS)


def iptc_of(block: bytes) -> bytes | None:
    """IPTC record of a block."""
    return next((content for number, content, _ in resources(block) if number == IPTC), None)


def block_of(iptc: bytes) -> bytes:
    """Block that holds an IPTC record alone."""
    return b"8BIM" + struct.pack(">HHI", IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
