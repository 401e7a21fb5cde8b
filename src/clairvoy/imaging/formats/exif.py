"""EXIF blocks and the directories (IFDs) that they share with TIFF files.

Sources: TIFF 6.0, section 2; EXIF 2.32 (CIPA DC-008), section 4.6.

Values stay bytes in the file's own byte order. A block is never written anew where a few bytes can be changed
in place: maker notes point to absolute offsets, and rewriting breaks them.
"""

from __future__ import annotations

import mmap
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clairvoy.errors import FileError

ORIENTATION = 0x0112
EXIF_POINTER = 0x8769
GPS_POINTER = 0x8825
INTEROP_POINTER = 0xA005
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_X_RES, _Y_RES, _UNIT = 282, 283, 296
# Which directories may hang below which: anything else is a value, and nothing can point back to its parent.
_CHILDREN = {0: (EXIF_POINTER, GPS_POINTER), EXIF_POINTER: (INTEROP_POINTER,)}
_TYPE_SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), start=1)) | {16: 8, 17: 8, 18: 8}
_INTEGER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_DAMAGED = "is truncated or damaged ({}); get the file again"


@dataclass(frozen=True)
class Entry:
    """One tag: its type code, its number of values, the values' bytes, and where these lie in the block."""

    kind: int
    count: int
    value: bytes
    position: int = 0


Directory = dict[int, "Entry | Directory"]


@dataclass(frozen=True)
class Layout:
    """Byte order ('<' or '>'), BigTIFF or not, and the offset of the first directory."""

    order: Literal["<", ">"]
    big: bool
    first: int


def read_layout(block: bytes | mmap.mmap) -> Layout:
    """Read a TIFF header; `FileError` when it is none."""
    if block[:2] not in (b"II", b"MM") or len(block) < 8:
        raise FileError(_DAMAGED.format("no TIFF header"))
    order: Literal["<", ">"] = "<" if block[:2] == b"II" else ">"
    version, first = struct.unpack_from(order + "HI", block, 2)
    if version == 43 and len(block) >= 16:
        return Layout(order, True, struct.unpack_from(order + "Q", block, 8)[0])
    if version != 42:
        raise FileError(_DAMAGED.format("unknown TIFF version"))
    return Layout(order, False, first)


def read_entries(
    block: bytes | mmap.mmap, layout: Layout, offset: int, needed: frozenset[int] = frozenset()
) -> tuple[dict[int, Entry], int]:
    """Read one directory: its entries, and where the offset of the next directory is written.

    An entry whose values lie outside the block, or of an unknown type, is passed over: one bad tag is no reason to lose
    the others. `needed` are tags of which that is not true.
    """
    count_code, entry_code, inline, word = ("Q", "HHQ", 8, "Q") if layout.big else ("H", "HHI", 4, "I")
    entry_size = struct.calcsize("<" + entry_code) + inline
    try:
        (count,) = struct.unpack_from(layout.order + count_code, block, offset)
        table = offset + struct.calcsize("<" + count_code)
        if table + count * entry_size + inline > len(block):
            raise FileError(_DAMAGED.format("a directory ends early"))
        entries = {}
        for start in range(table, table + count * entry_size, entry_size):
            tag, kind, values = struct.unpack_from(layout.order + entry_code, block, start)
            if kind not in _TYPE_SIZES and tag not in needed:
                continue
            size = _TYPE_SIZES.get(kind, len(block)) * values
            position = start + entry_size - inline
            if size > inline:
                (position,) = struct.unpack_from(layout.order + word, block, position)
            if position + size > len(block):
                if tag in needed:
                    raise FileError(_DAMAGED.format(f"tag {tag} ends early"))
                continue
            entries[tag] = Entry(kind, values, block[position : position + size], position)
    except struct.error as error:
        raise FileError(_DAMAGED.format("a directory ends early")) from error
    return entries, table + count * entry_size


def next_directory(block: bytes | mmap.mmap, layout: Layout, link: int) -> int:
    """Offset of the directory that follows, 0 when there is none."""
    return int(struct.unpack_from(layout.order + ("Q" if layout.big else "I"), block, link)[0])


def integers(entry: Entry, order: str) -> tuple[int, ...]:
    """Values of an entry of an integer type; empty for any other type."""
    code = _INTEGER_CODES.get(entry.kind)
    return struct.unpack(f"{order}{entry.count}{code}", entry.value) if code else ()


def read_tree(block: bytes | mmap.mmap, layout: Layout, offset: int, pointer: int = 0) -> Directory:
    """Read a directory and those below it (EXIF, GPS, interoperability), nested at their pointers' tags.

    A pointer to where no directory is, is left out.
    """
    entries, _ = read_entries(block, layout, offset)
    tree: Directory = dict(entries)
    for child in _CHILDREN.get(pointer, ()):
        if child in entries:
            del tree[child]
            with suppress(FileError, IndexError):
                tree[child] = read_tree(block, layout, integers(entries[child], layout.order)[0], child)
    return tree


def is_damaged(block: bytes | mmap.mmap, layout: Layout, offset: int, pointer: int = 0) -> bool:
    """Tell whether a directory, or one below it, has entries that cannot be read."""
    try:
        entries, _ = read_entries(block, layout, offset)
        (count,) = struct.unpack_from(layout.order + ("Q" if layout.big else "H"), block, offset)
        below = [child for child in _CHILDREN.get(pointer, ()) if child in entries]
        return len(entries) < count or any(
            is_damaged(block, layout, integers(entries[child], layout.order)[0], child) for child in below
        )
    except (FileError, IndexError):
        return True


def write_tree(tree: Directory, order: str, offset: int, big: bool = False) -> bytes:
    """Write a directory and those below it, to stand at an even `offset` of a TIFF (`big`: BigTIFF) or EXIF block."""
    word, inline = ("Q", 8) if big else ("I", 4)
    table_size = (8 + 20 * len(tree) + 8) if big else (2 + 12 * len(tree) + 4)
    table, values = bytearray(struct.pack(order + ("Q" if big else "H"), len(tree))), bytearray()
    for tag in sorted(tree):
        entry, after = tree[tag], offset + table_size + len(values)
        if isinstance(entry, dict):
            values += write_tree(entry, order, after, big)
            table += struct.pack(f"{order}HH{word}{word}", tag, 18 if big else 4, 1, after)
            continue
        table += struct.pack(order + "HH" + word, tag, entry.kind, entry.count)
        if len(entry.value) <= inline:
            table += entry.value.ljust(inline, b"\0")
        else:
            table += struct.pack(order + word, after)
            values += entry.value + b"\0" * (len(entry.value) % 2)
    return bytes(table + struct.pack(order + word, 0) + values)


def new_block(tree: Directory, order: str) -> bytes:
    """EXIF block of its own that holds a tree."""
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8) + write_tree(tree, order, 8)


def orientation_of(block: bytes | None) -> int:
    """EXIF orientation 1 to 8; 1 where the block has none or cannot be read."""
    if not block:
        return 1
    try:
        layout = read_layout(block)
        entry = read_entries(block, layout, layout.first)[0].get(ORIENTATION)
    except FileError:
        return 1
    value = integers(entry, layout.order)[:1] if entry else ()
    return value[0] if value and 1 <= value[0] <= 8 else 1


def made_upright(block: bytes) -> bytes:
    """EXIF block that fits upright pixels: orientation 1, and width and height exchanged if they were.

    The embedded thumbnail is unlinked, because it shows the picture as it was. Everything else, maker notes
    included, keeps its bytes and its place. A block that cannot be read is returned as it is.
    """
    orientation = orientation_of(block)
    patched = bytearray(block)
    try:
        layout = read_layout(block)
        root, link = read_entries(block, layout, layout.first)
        struct.pack_into(layout.order + ("Q" if layout.big else "I"), patched, link, 0)
        if ORIENTATION in root:
            set_integer(patched, root[ORIENTATION], layout.order, 1)
        if orientation >= 5 and EXIF_POINTER in root:
            exif, _ = read_entries(block, layout, integers(root[EXIF_POINTER], layout.order)[0])
            across, down = exif[_PIXEL_X], exif[_PIXEL_Y]
            set_integer(patched, across, layout.order, integers(down, layout.order)[0])
            set_integer(patched, down, layout.order, integers(across, layout.order)[0])
    except (FileError, struct.error, IndexError, KeyError):
        return bytes(patched)
    return bytes(patched)


def mended(block: bytes) -> tuple[bytes | None, tuple[int, ...]]:
    """EXIF block without the entries that cannot be read, and their tags; None where nothing of it can be.

    Other programs refuse a whole block, or the picture, for one bad entry. The table is closed up in its place and
    no value moves, so that a maker note's offsets still hold. A block without fault is returned as it is.
    """
    try:
        layout = read_layout(block)
        patched, lost = bytearray(block), list[int]()
        _mend_directory(patched, layout, layout.first, 0, lost)
    except FileError:
        return None, ()
    return (bytes(patched), tuple(lost)) if lost else (block, ())


def _mend_directory(block: bytearray, layout: Layout, offset: int, pointer: int, lost: list[int]) -> None:
    """Close up the table of one directory and of those below it; see `mended`."""
    if layout.big:
        raise FileError(_DAMAGED.format("an EXIF block cannot be a BigTIFF"))
    whole = bytes(block)
    entries, link = read_entries(whole, layout, offset)
    if not entries:
        raise FileError(_DAMAGED.format("a directory holds nothing that can be read"))
    bad = set[int]()
    for child in _CHILDREN.get(pointer, ()):
        if child in entries:
            try:
                _mend_directory(block, layout, integers(entries[child], layout.order)[0], child, lost)
            except (FileError, IndexError):
                bad.add(child)
    table = range(offset + 2, link, 12)
    tags = [struct.unpack_from(layout.order + "H", whole, place)[0] for place in table]
    kept = [
        whole[place : place + 12]
        for place, tag in zip(table, tags, strict=True)
        if tag in entries and tag not in bad and _is_of(whole, place, layout, entries[tag])
    ]
    if len(kept) < len(tags):
        lost += [tag for tag in tags if tag not in entries or tag in bad]
        closed = struct.pack(layout.order + "H", len(kept)) + b"".join(kept) + whole[link : link + 4]
        block[offset : link + 4] = closed.ljust(link + 4 - offset, b"\0")


def _is_of(block: bytes, place: int, layout: Layout, entry: Entry) -> bool:
    """Tell whether the row of a table at `place` is the one that an entry was read from, and not one of the same tag."""
    kind, count = struct.unpack_from(layout.order + "HI", block, place + 2)
    return bool((kind, count) == (entry.kind, entry.count))


def set_integer(block: bytearray, entry: Entry, order: str, value: int) -> None:
    """Overwrite the first value of an entry of an integer type, in place."""
    if code := _INTEGER_CODES.get(entry.kind):
        struct.pack_into(order + code, block, entry.position, value)


def resolution_of(block: bytes | None) -> tuple[float, float] | None:
    """Dots per inch across and down that a block names; None where it does not."""
    if not block:
        return None
    try:
        layout = read_layout(block)
        root, _ = read_entries(block, layout, layout.first)
    except FileError:
        return None
    unit = (*(integers(root[_UNIT], layout.order) if _UNIT in root else ()), 2)[0]
    dots = [ratio(root.get(tag), layout.order) * (2.54 if unit == 3 else 1) for tag in (_X_RES, _Y_RES)]
    return (dots[0], dots[1]) if unit in (2, 3) and min(dots) > 0 else None


def ratio(entry: Entry | None, order: str) -> float:
    """The first value of an entry of fractions; 0 where there is none."""
    if entry is None or entry.kind != 5 or len(entry.value) < 8:
        return 0.0
    numerator, denominator = struct.unpack_from(order + "II", entry.value)
    return numerator / denominator if denominator else 0.0


def with_texts(block: bytes | None, texts: dict[int, bytes]) -> bytes | None:
    """EXIF block with further texts in its root, where it has none of that tag; nothing else moves.

    A new table for the root is put behind the block, so that the offsets of a maker note still hold.
    """
    entries: Directory = {}
    layout = Layout("<", False, 8)
    if block:
        try:
            layout = read_layout(block)
            root, _ = read_entries(block, layout, layout.first)
        except FileError:
            return block
        entries.update(root)
    added = {tag: Entry(2, len(text) + 1, text + b"\0") for tag, text in texts.items() if tag not in entries}
    if not added:
        return block
    if not block:
        return new_block(dict(added), "<")
    start = len(block) + len(block) % 2
    table = struct.pack(layout.order + "H", len(entries) + len(added))
    place, values = start + 2 + 12 * (len(entries) + len(added)) + 4, b""
    for tag in sorted({**entries, **added}):
        entry = {**entries, **added}[tag]
        assert isinstance(entry, Entry)
        table += struct.pack(layout.order + "HHI", tag, entry.kind, entry.count)
        if len(entry.value) <= 4:
            table += entry.value.ljust(4, b"\0")
        elif tag in entries:
            table += struct.pack(layout.order + "I", entry.position)
        else:
            table += struct.pack(layout.order + "I", place + len(values))
            values += entry.value + b"\0" * (len(entry.value) % 2)
    head = block[:4] + struct.pack(layout.order + "I", start) + block[8:].ljust(start - 8, b"\0")
    return head + table + bytes(4) + values


def turned(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turn samples (H, W, ...) upright: a view, of shape (W, H, ...) for orientations 5 to 8."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    # After the exchange of axes, which of them still runs backwards (EXIF 2.32, table of tag 274).
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def reordered(entry: Entry, order: str, wanted: str) -> Entry:
    """Entry with its values in another byte order."""
    width = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8, 16: 8, 17: 8, 18: 8}.get(entry.kind, 1)
    if order == wanted or width == 1:
        return entry
    value = np.frombuffer(entry.value, f"u{width}").byteswap().tobytes()
    return Entry(entry.kind, entry.count, value, entry.position)
