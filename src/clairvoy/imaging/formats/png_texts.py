"""Texts of a PNG: XMP, and EXIF, IPTC and XMP as ImageMagick and others hide them in "Raw profile type ..." texts.

Sources: PNG specification, third edition, section 11.3.3; ImageMagick, `coders/png.c`; ExifTool, tag names of PNG.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_MOST = 2**26
_EXIF_TAGS = {
    **{
        b"Description": 270,
        b"Title": 269,
        b"Author": 315,
        b"Artist": 315,
        b"Copyright": 33432,
        b"Software": 305,
    },
}
"""Keywords that EXIF has a tag for."""


def read_text(kind: bytes, content: bytes) -> tuple[bytes, bytes] | None:
    """Keyword and text of a tEXt, zTXt or iTXt chunk, not decoded; None where it is broken."""
    keyword, found, rest = content.partition(b"\0")
    if not found:
        return None
    try:
        if kind == b"tEXt":
            return keyword, rest
        if kind == b"zTXt":
            return keyword, _inflated(rest[1:])
        text = rest[2:].split(b"\0", 2)[2]
        return keyword, _inflated(text) if rest[:1] == b"\1" else text
    except (zlib.error, IndexError):
        return None


def hidden_metadata(keyword: bytes, text: bytes) -> tuple[str, bytes] | None:
    """What a text really is: "exif", "xmp" or "photoshop", and its bytes; None for a text."""
    if keyword == _XMP:
        return "xmp", text
    if not keyword.startswith(_RAW):
        return None
    try:
        _, size, digits = text.strip().split(None, 2)
        block = bytes.fromhex(digits.decode("ascii"))[: int(size)]
    except ValueError:
        return None
    kind = keyword.removeprefix(_RAW)
    if kind in (b"exif", b"APP1"):
        block = block.removeprefix(b"Exif\0\0")
        if block[:2] in (b"II", b"MM"):
            return "exif", block
    if kind in (b"xmp", b"APP1"):
        return "xmp", block.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
    if kind in (b"iptc", b"8bim"):
        return "photoshop", block.removeprefix(b"Photoshop 3.0\0")
    return None


def photoshop_chunk(block: bytes) -> tuple[bytes, bytes]:
    """Chunk that holds Photoshop's image resources, as ExifTool and ImageMagick read it."""
    digits = block.hex()
    lines = "\n".join(digits[place : place + 72] for place in range(0, len(digits), 72))
    text = f"\niptc\n{len(block):8}\n{lines}\n".encode()
    return b"zTXt", _RAW + b"iptc\0\0" + zlib.compress(text)


def comment_chunk(comment: bytes) -> tuple[bytes, bytes]:
    """Chunk of a JPEG's comment; bytes that are no UTF-8 are taken for Latin-1, as which they can be anything."""
    try:
        return b"iTXt", b"Comment\0\0\0\0\0" + comment.decode("utf-8").replace("\0", "").encode()
    except UnicodeDecodeError:
        return b"tEXt", b"Comment\0" + comment.replace(b"\0", b"")


def as_exif(chunks: Iterable[tuple[bytes, bytes]]) -> tuple[dict[int, bytes], tuple[bytes, ...]]:
    """Texts that EXIF has tags for, in UTF-8, and comments, for formats that have no texts of their own."""
    tags: dict[int, bytes] = {}
    comments = []
    for kind, content in chunks:
        found = read_text(kind, content) if kind in (b"tEXt", b"zTXt", b"iTXt") else None
        if found is None:
            continue
        keyword, text = found
        text = text if kind == b"iTXt" else text.decode("latin-1").encode()
        if keyword == b"Comment":
            comments.append(text)
        elif keyword in _EXIF_TAGS:
            tags.setdefault(_EXIF_TAGS[keyword], text)
    return tags, tuple(comments)


def _inflated(content: bytes) -> bytes:
    return zlib.decompressobj().decompress(content, _MOST)
