"""What a client sends, what it asks for and what it gets: plain values that travel between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """How much one client may ask of the server."""

    bytes: int = 100_000_000
    """Of an upload."""
    pixels: int = 60_000_000
    """Of a picture, by its header."""
    seconds: float = 60.0
    """To send a request, to work on a picture, to fetch an answer: each of the three."""
    formats: frozenset[str] = frozenset({"JPEG", "PNG", "WEBP", "TIFF", "AVIF"})
    """That are read, by the names of `recognition`."""


@dataclass(frozen=True)
class Model:
    """Which weights restore, and where."""

    weights: str
    device: str
    limits: Limits


@dataclass(frozen=True)
class Upload:
    """A picture, and what to do with it."""

    data: bytes
    strength: float = 1.0
    samples: int = 1
    force: bool = False
    preset: str = "fast"
    format: str | None = None
    """A key of `output_names.FORMATS`; None is the picture's own where that can be written."""
    quality: int | None = None
    restored: bool = True
    """Otherwise only a report is asked for."""
    maps: bool = False
    """Haze and confidence are asked for as well."""


@dataclass(frozen=True)
class Answer:
    """What became of an upload."""

    report: dict[str, Any]
    """Its ``status`` is `outcome.RESTORED` or `outcome.UNTOUCHED`, if the picture was asked for."""
    picture: bytes = b""
    format: str = ""
    """Of the picture, such as "JPEG"."""
    haze: bytes = b""
    """16-bit grey PNG, as `clairvoy clear --haze-map` writes."""
    tau: bytes = b""
