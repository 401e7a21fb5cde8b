"""ICC profiles of colours that a PNG names by chunks (gAMA, cHRM, cICP), so that other formats can carry them.

Sources: PNG specification, third edition, section 11.3.2; ITU-T H.273 (code points); ICC.1:2022; SMPTE ST 2084 (PQ);
ITU-R BT.2100 (HLG). What PQ and HLG stand for is scaled to their peak: a profile cannot say how bright that is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

_D50 = (0.9642, 1.0, 0.8249)
# Bradford's cone responses (Lindbloom, "Chromatic adaptation").
_BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))
_D65 = (0.3127, 0.329)
_SRGB = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_PRIMARIES = {
    1: _SRGB,
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    **dict.fromkeys((6, 7), (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07)),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
"""White, red, green, blue (x, y) of H.273's colour primaries."""


def _of_srgb(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _of_bt709(v: np.ndarray) -> np.ndarray:
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


def _of_pq(v: np.ndarray) -> np.ndarray:
    power = v ** (32 / 2523)
    return (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)


def _of_hlg(v: np.ndarray) -> np.ndarray:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(v <= 0.5, v * v / 3, (np.exp((v - c) / a) + b) / 12)


_TRANSFERS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    **dict.fromkeys((1, 6, 14, 15), _of_bt709),
    4: lambda v: v**2.2,
    5: lambda v: v**2.8,
    8: lambda v: v,
    13: _of_srgb,
    16: _of_pq,
    18: _of_hlg,
}


def profile_of_chunks(chunks: dict[bytes, bytes], *, grey: bool) -> bytes | None:
    """ICC profile for what the chunks of a PNG say of its colours.

    Parameters
    ----------
    chunks
        Contents by type; cICP goes before sRGB, and that before gAMA and cHRM.
    grey
        For a picture of one colour channel.

    Returns
    -------
    bytes or None
        None where they say nothing, or sRGB, which is what pictures without a profile are taken for.
    """
    primaries: tuple[float, ...] = _SRGB
    transfer: Callable[[np.ndarray], np.ndarray] = _of_srgb
    code = chunks.get(b"cICP", b"")
    if len(code) == 4 and code[0] in _PRIMARIES and code[1] in _TRANSFERS:
        if (code[0], code[1]) == (1, 13):
            return None
        return _profile(_PRIMARIES[code[0]], _TRANSFERS[code[1]], grey)
    if b"sRGB" in chunks:
        return None
    gamma, corners = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    value = int.from_bytes(gamma, "big") if len(gamma) == 4 else 0
    if value and abs(value - 45455) > 5:  # 45455 is how a PNG says sRGB without its chunk
        transfer = _power(100_000 / value)
    if len(corners) == 32:
        primaries = tuple(value / 100_000 for value in struct.unpack(">8I", corners))
    if transfer is _of_srgb and np.allclose(primaries, _SRGB, atol=1e-3):
        return None
    try:
        return _profile(primaries, transfer, grey)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None  # corners that no light has


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda v: v**exponent


def _profile(primaries: tuple[float, ...], transfer: Callable[[np.ndarray], np.ndarray], grey: bool) -> bytes:
    """A display profile of version 2: three corners and a curve, or a curve alone."""
    curve = np.rint(np.clip(transfer(np.linspace(0, 1, 4096)), 0, 1) * 65535).astype(">u2")
    tone = b"curv" + struct.pack(">II", 0, len(curve)) + curve.tobytes()
    name = b"clairvoy: colours of a PNG\0"
    description = b"desc" + struct.pack(">II", 0, len(name)) + name + bytes(78)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + b"CC0\0", b"wtpt": _xyz(_D50)}
    if grey:
        tags[b"kTRC"] = tone
    else:
        columns = _adapted(primaries)
        tags |= {
            name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)
        }
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    table, data, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += tag + struct.pack(">II", places[content], len(content))
    header = struct.pack(
        ">I4sI4s4s4s6H4sI4sIIQI3I4s44x", start + len(data), b"", 0x02400000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ ",
        2026, 1, 1, 0, 0, 0, b"acsp", 0, b"", 0, 0, 0, 0, *(round(value * 65536) for value in _D50), b"",
    )  # fmt: skip
    return header + table + data


def _adapted(primaries: tuple[float, ...]) -> np.ndarray:
    """XYZ of red, green and blue as columns, seen under D50."""
    white, *corners = (
        np.array((x / y, 1.0, (1 - x - y) / y)) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    columns = np.stack(corners, axis=1)
    columns = columns * np.linalg.solve(columns, white)
    scale = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    result: np.ndarray = np.linalg.inv(_BRADFORD) @ (scale[:, None] * _BRADFORD) @ columns
    return result


def _xyz(values: np.ndarray | tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
