"""The quality that a lossy WebP was written with, from its frame header (RFC 6386, sections 7 and 19.2).

A frame says how coarse it is by a quantiser index, or by one for each of four kinds of macroblock and how many there are
of each. libwebp makes the index of the quality (`QualityToCompression` in its ``src/enc/quant_enc.c``); here it is undone.
"""

from __future__ import annotations

_FRAME_TAG = 10
"""Bytes of a key frame before its header: tag, start code, width and height."""
_COARSEST = 127


def quality_of(frame: bytes) -> int | None:
    """About the quality, 1 to 100, of a "VP8 " chunk; None where it is too short."""
    if len(frame) < _FRAME_TAG + 8:
        return None
    bits = _BoolDecoder(frame[_FRAME_TAG:])
    bits.number(2)  # colour space, clamping
    segments = _segments(bits) if bits.number(1) else None
    bits.number(1 + 6 + 3)  # filter: its kind, level and sharpness
    if bits.number(1) and bits.number(1):
        for _ in range(8):  # corrections of the filter
            bits.optional(6)
    bits.number(2)  # number of partitions
    index = float(bits.number(7))
    if segments is not None:
        is_absolute, values, shares = segments
        index = sum(
            share * (value if is_absolute else index + value)
            for share, value in zip(shares, values, strict=True)
        )
    linear = (1 - min(max(index, 0.0), _COARSEST) / _COARSEST) ** 3
    part = 1.5 * linear if linear < 0.5 else (linear + 1) / 2
    return min(100, max(1, round(100 * part)))


def _segments(bits: _BoolDecoder) -> tuple[bool, list[int], list[float]] | None:
    """Whether the indices are absolute, the four, and what share of the macroblocks has each; None where not all is said."""
    has_map, has_values = bits.number(1), bits.number(1)
    is_absolute, values = False, [0] * 4
    if has_values:
        is_absolute = bool(bits.number(1))
        values = [bits.optional(7) for _ in range(4)]
        for _ in range(4):  # strengths of the filter
            bits.optional(6)
    if not has_map:
        return None
    first, left, right = (bits.number(8) / 256 if bits.number(1) else 1.0 for _ in range(3))
    shares = [first * left, first * (1 - left), (1 - first) * right, (1 - first) * (1 - right)]
    return is_absolute, values, shares


class _BoolDecoder:
    """Bits of even odds out of an arithmetic code (RFC 6386, section 7.3); zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._next = data, 2
        self._value, self._range, self._shifted = int.from_bytes(data[:2], "big"), 255, 0

    def number(self, bits: int) -> int:
        """An unsigned number, the highest bit first."""
        value = 0
        for _ in range(bits):
            value = 2 * value + self._bit()
        return value

    def optional(self, bits: int) -> int:
        """A number that is there or not, and its sign; 0 where it is not."""
        if not self.number(1):
            return 0
        value = self.number(bits)
        return -value if self.number(1) else value

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) >> 1)
        bit = self._value >= split << 8
        self._value -= (split << 8) * bit
        self._range = self._range - split if bit else split
        while self._range < 128:
            self._value, self._range, self._shifted = self._value << 1, self._range << 1, self._shifted + 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._data[self._next] if self._next < len(self._data) else 0
                self._next += 1
        return int(bit)
