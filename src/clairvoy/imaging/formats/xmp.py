"""XMP packets: changed where they say what is no longer so. Never parsed and written anew, so that all else stays.

Sources: XMP specification parts 1 and 3 (ISO 16684-1); Google's Motion Photo format 1.0; Ultra HDR image format 1.1.
"""

from __future__ import annotations

import re

_NAME = rb"[\w.-]+"
_CONTAINER = b"http://ns.google.com/photos/1.0/container/"
_CAMERA = b"http://ns.google.com/photos/1.0/camera/"
_GAIN_MAP = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/")
_MOST_PREFIXES = 8
_SAYS_NOTHING = re.compile(
    rb"<rdf:RDF\b[^>]*>\s*<rdf:Description(?:\s+(?:xmlns:[\w.-]+|rdf:about)\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/>\s*</rdf:RDF>"
)
_MOTION = rb"(?:MotionPhoto|MicroVideo)\w*"


def upright(xmp: bytes) -> bytes:
    """Packet with its copy of the orientation set to 1; its length does not change."""
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)


def without_trailer(xmp: bytes) -> bytes:
    """Packet without what it says of pictures or a film behind the picture (gain map, motion photo), which are gone."""
    for space, names in ((_CAMERA, _MOTION), (_CONTAINER, _NAME), *((space, _NAME) for space in _GAIN_MAP)):
        prefixes = re.findall(rb"xmlns:(" + _NAME + rb")\s*=\s*[\"']" + re.escape(space), xmp)
        for prefix in sorted({*prefixes[:_MOST_PREFIXES]}):
            xmp = _without(xmp, re.escape(prefix) + rb":" + names)
    return xmp


def values(xmp: bytes, space: bytes) -> dict[str, str]:
    """Simple properties of a namespace by their names, written as attributes or as elements."""
    found: dict[str, str] = {}
    prefixes = re.findall(rb"xmlns:(" + _NAME + rb")\s*=\s*[\"']" + re.escape(space), xmp)
    for prefix in sorted({*prefixes[:_MOST_PREFIXES]}):
        name = re.escape(prefix) + rb":([A-Za-z]+)"
        for form in (rb"\s" + name + rb"\s*=\s*[\"']([^\"'<>]*)[\"']", rb"<" + name + rb">([^<>]*)</"):
            for key, value in re.findall(form, xmp):
                found[key.decode("ascii")] = value.decode("utf-8", "replace").strip()
    return found


def merged(main: bytes, extended: bytes) -> bytes:
    """One packet of a main one and of the part of it that did not fit into its segment."""
    main = _without(main, rb"xmpNote:HasExtendedXMP")
    if extended and _SAYS_NOTHING.search(main):
        return extended
    if b"</rdf:RDF>" not in extended:
        return main
    body = re.search(rb"<rdf:RDF\b[^>]*>(.*)</rdf:RDF>", extended, re.DOTALL)
    end = main.rfind(b"</rdf:RDF>")
    if body is None or end < 0:
        return main
    names = re.findall(rb"\sxmlns:(" + _NAME + rb")\s*=\s*(\"[^\"]*\"|'[^']*')", extended[: body.start(1)])

    def declared(start: re.Match[bytes]) -> bytes:
        tag = start[0]
        missing = [b" xmlns:%s=%s" % pair for pair in names if b"xmlns:%s=" % pair[0] not in tag]
        return b"<rdf:Description" + b"".join(missing) + tag[len(b"<rdf:Description") :]

    return main[:end] + re.sub(rb"<rdf:Description\b[^>]*>", declared, body[1]) + main[end:]


def _without(xmp: bytes, name: bytes) -> bytes:
    """Packet without an attribute or an element, given as a pattern of its qualified name."""
    xmp = re.sub(rb"\s" + name + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", xmp)
    kept, place, endless = [], 0, set[bytes]()
    # Not by one expression with a search for the end in it: on a packet that was made for it, that would take for ever.
    for start in re.finditer(rb"<(" + name + rb")(?:\s[^<>]*)?>", xmp):
        end = start.end()
        if start.start() < place or start[1] in endless:
            continue
        if not start[0].endswith(b"/>"):
            closing = b"</" + start[1] + b">"
            end = xmp.find(closing, end) + len(closing)
            if end < len(closing):
                endless.add(start[1])
                continue
        kept.append(xmp[place : start.start()])
        place = end
    return b"".join(kept) + xmp[place:]
