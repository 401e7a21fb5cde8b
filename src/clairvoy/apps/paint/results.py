"""What a painting is written to, by the suffixes of the names that a user gives."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from clairvoy.drawing.animation import animation
from clairvoy.errors import FileError
from clairvoy.imaging.video.new_film import mp4
from clairvoy.painting.frames import film, rgba
from clairvoy.painting.page import as_page
from clairvoy.painting.painting import Painting
from clairvoy.painting.svg import as_svg

FILM_PIXELS, FILM_FRAMES, FILM_MILLISECONDS = 480, 100, 80
HELD_FRAMES = 10
"""Times that an MP4 shows the finished painting again at its end."""
SUFFIXES = {
    "--output": (".svg", ".png"),
    "--png": (".png",),
    "--film": (".gif", ".mp4"),
    "--page": (".html",),
}
"""Of what each option writes."""


def check_suffix(option: str, path: Path) -> None:
    """Refuse a name that says another format than `option` writes.

    Raises
    ------
    FileError
        It does.
    """
    if path.suffix.lower() not in SUFFIXES[option]:
        raise FileError(f"{path}: {option} writes {' or '.join(SUFFIXES[option])}; name such a file")


def encoded(painting: Painting, path: Path, longer: int) -> bytes:
    """The painting as the bytes of a file of such a name.

    Parameters
    ----------
    painting
        What is written.
    path
        Its suffix is one of `SUFFIXES`.
    longer
        Pixels of the longer side of a PNG.
    """
    suffix = path.suffix.lower()
    if suffix == ".svg":
        return as_svg(painting).encode()
    if suffix == ".html":
        return as_page(painting, path.stem).encode()
    if suffix == ".gif":
        return animation(list(film(painting, FILM_PIXELS, FILM_FRAMES)), FILM_MILLISECONDS)
    if suffix == ".mp4":
        frames = list(film(painting, FILM_PIXELS, FILM_FRAMES))
        return mp4([*frames, *[frames[-1]] * HELD_FRAMES], round(1000 / FILM_MILLISECONDS))
    pixels = rgba(painting, longer)
    channels = [2, 1, 0] if np.all(pixels[..., 3] == 255) else [2, 1, 0, 3]
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., channels]))[1])
