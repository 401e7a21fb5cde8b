"""What the files are called that are made of a photograph."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clairvoy.errors import SettingsError
from clairvoy.imaging.formats.recognition import READ_SUFFIXES, WRITTEN_AS, WRITTEN_SUFFIXES
from clairvoy.storage.remote import is_folder, place

PIPE = "-"
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "avif": "AVIF"}
"""What ``--format`` takes, which is also the suffix, and the name of the format."""


@dataclass(frozen=True)
class Source:
    """A photograph to read and its place below an output folder."""

    path: Path | None
    """None is standard input."""
    place: Path


@dataclass(frozen=True)
class Extras:
    """Where maps and comparison go: for one photograph a PNG file, for several a folder; None is nowhere."""

    haze_map: str | None = None
    tau_map: str | None = None
    comparison: str | None = None


class OutputNames:
    """Names of the outputs of several photographs, told apart where two photographs of a folder share a stem.

    ``p.jpg`` and ``p.tif`` become ``p.jpg`` and ``p.tif``, with ``--format jpg`` ``p.jpg`` and ``p.tif.jpg``; their maps are
    ``p.jpg.haze.png`` and ``p.tif.haze.png``.

    Parameters
    ----------
    sources
        All photographs of a run.
    output
        A file, a folder, ``-`` for standard output; None: beside each photograph.
    many
        Outputs are folders.
    format
        A key of `FORMATS`; None keeps the format of the photograph where it can be written.
    """

    def __init__(
        self, sources: Sequence[Source], output: str | None, many: bool, format: str | None = None
    ) -> None:
        self.output, self.many, self.format = output, many, format
        self._stems = Counter(source.place.with_suffix("") for source in sources)

    def target(self, source: Source) -> Path | None:
        """The restored photograph; None is standard output."""
        if self.output == PIPE or (self.output is None and source.path is None):
            return None
        if self.output is None:
            assert source.path is not None
            return source.path.with_name(f"{self._stem(source.place)}.clear{self._suffix(source.place)}")
        path = place(self.output)
        if self.many or _is_folder(self.output):
            name = f"{self._stem(source.place)}{self._suffix(source.place)}"
            return path.joinpath(*source.place.with_name(name).parts)
        return path

    def extra(self, argument: str | None, kind: str, source: Source) -> Path | None:
        """A map or the comparison, which `argument` asks for."""
        if argument is None:
            return None
        path = place(argument)
        is_png = path.suffix.lower() == ".png"
        if self.many and is_png and not is_folder(argument):
            raise SettingsError(
                f"{argument} is one file, but there are several {kind} pictures; name a folder"
            )
        if self.many or _is_folder(argument):
            below = source.place
            stem = below.name if self._stems[below.with_suffix("")] > 1 else below.stem
            return path.joinpath(*below.with_name(f"{stem}.{kind}.png").parts)
        if not is_png:
            raise SettingsError(
                f"the {kind} picture is a PNG; give {argument} the suffix .png, or name a folder"
            )
        return path

    def _suffix(self, place: Path) -> str:
        suffix = place.suffix
        read_as = READ_SUFFIXES.get(suffix.lower())
        if self.format is not None:
            return (
                suffix if WRITTEN_SUFFIXES.get(suffix.lower()) == FORMATS[self.format] else f".{self.format}"
            )
        if read_as is None or suffix.lower() in WRITTEN_SUFFIXES:
            return suffix
        return WRITTEN_AS[read_as]

    def _stem(self, place: Path) -> str:
        """Without the suffix, except where another photograph has the name already that this one would get."""
        shared = self._stems[place.with_suffix("")] > 1
        return place.name if shared and self._suffix(place) != place.suffix else place.stem


def _is_folder(argument: str) -> bool:
    return argument.endswith(("/", os.sep)) or is_folder(argument)
