"""The page: both pictures, what is believed of them, and a viewer, in one file that opens from disk."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clairvoy.apps.html_page import html_page
from clairvoy.imaging.panorama import Panorama, Viewpoint

WIDEST = 4096
"""Columns of the pictures in the page: what every phone of today holds as one texture."""
_TRUST_WIDTH = 512
_QUALITY = 88
_CONTROLS = """
<div id="stage" tabindex="0" role="application" aria-describedby="how"
 aria-label="Panorama. Arrow keys turn, plus and minus zoom, space switches between with and without haze">
<canvas></canvas><div id="spots" aria-hidden="true">{spots}</div></div>
<div id="controls">
<label for="clear">haze <input id="clear" type="range" min="0" max="100" value="100"> clear</label>
<label><input id="trust" type="checkbox"> confidence</label>
{glimpses}
<button id="phone" hidden>turn with the phone</button><button id="headset" hidden>headset</button>
<p class="quiet" id="how">Drag or use the arrow keys to look, + and &minus; to zoom, space to compare.</p>
<p id="say" role="status"></p></div>"""
_GLIMPSES = """
<label for="step">glimpses <input id="step" type="range" min="0" max="{count}" value="{count}">
<output id="number">{count}</output></label>
<label for="fade">imagined <input id="fade" type="range" min="0" max="100" value="0"></label>
<output id="right" for="step fade"></output>"""


@dataclass(frozen=True)
class Glimpse:
    """Where an agent looked, in radians from the middle of the picture."""

    longitude: float
    latitude: float


@dataclass(frozen=True)
class Trusted:
    """How much of what is imagined in a direction is right, as far as can be said beforehand."""

    longitude: float
    """In radians from the middle of the picture."""
    latitude: float
    """In radians."""
    tau: float
    """In [0, 1]."""


@dataclass(frozen=True)
class Imagined:
    """What is made up of a whole panorama from some glimpses."""

    picture: npt.NDArray[np.uint8]
    """(h, 2 h, 3)."""
    sure: npt.NDArray[np.float32]
    """Confidence in each pixel, (h, 2 h) in [0, 1]."""
    directions: list[Trusted]
    """The same for what a glimpse in each direction would show."""


def look_page(
    name: str,
    panorama: Panorama,
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    tau: npt.NDArray[np.float32],
    *,
    report: dict[str, Any],
    viewpoint: Viewpoint | None = None,
    glimpses: list[Glimpse] | None = None,
    imagined: list[Imagined] | None = None,
) -> str:
    """The page as HTML.

    Parameters
    ----------
    name
        Its heading.
    panorama
        Part of the sphere that the pictures show.
    before, after
        (H, W, 3) uint8 or uint16; on the page they are 8 bits and at most `WIDEST` wide.
    tau
        Confidence in each place, (H, W) in [0, 1].
    report
        What was found; it stays in the page, for programs.
    viewpoint
        Where one looks first, and how the camera was tilted; by default at the middle, and not at all.
    glimpses, imagined
        Where an agent looked, and what was made up before the first of them and after each.
    """
    looked, made = glimpses or [], imagined or []
    small = cv2.resize(tau, _within(tau.shape[:2], _TRUST_WIDTH), interpolation=cv2.INTER_AREA)
    told = {
        "part": {"top": panorama.top, "bottom": panorama.bottom, "across": panorama.across},
        "viewpoint": asdict(viewpoint or Viewpoint()),
        "before": _jpeg(before),
        "after": _jpeg(after),
        "tau": _png(np.rint(small * 255).astype(np.uint8)),
        "glimpses": [{"longitude": one.longitude, "latitude": one.latitude} for one in looked],
        "completions": [
            {
                "picture": _png(one.picture),
                "sure": _png(np.rint(one.sure * 255).astype(np.uint8)),
                "directions": [
                    {"longitude": d.longitude, "latitude": d.latitude, "tau": round(d.tau, 3)}
                    for d in one.directions
                ],
            }
            for one in made
        ],
        "report": report,
    }
    spots = "".join(f"<b hidden>{number + 1}</b>" for number in range(len(looked)))
    controls = _CONTROLS.format(spots=spots, glimpses=_GLIMPSES.format(count=len(looked)) if made else "")
    return html_page(name, [controls], told, style=_static("viewer.css"), script=_static("viewer.js"))


def _static(name: str) -> str:
    return (files("clairvoy.apps.look") / "static" / name).read_text(encoding="utf-8")


def _within(size: tuple[int, ...], widest: int) -> tuple[int, int]:
    """(width, height) of a picture (H, W, ...) made no wider than that."""
    scale = min(1.0, widest / size[1])
    return max(1, round(size[1] * scale)), max(1, round(size[0] * scale))


def _jpeg(pixels: npt.NDArray[Any]) -> str:
    size = _within(pixels.shape, WIDEST)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if size[0] < pixels.shape[1] else pixels
    if small.dtype == np.uint16:
        small = np.right_shift(small, 8).astype(np.uint8)
    return _uri("jpeg", Image.fromarray(small), quality=_QUALITY)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    return _uri("png", Image.fromarray(pixels))


def _uri(kind: str, image: Image.Image, **how: Any) -> str:
    held = io.BytesIO()
    image.save(held, kind, **how)
    return f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode()}"
