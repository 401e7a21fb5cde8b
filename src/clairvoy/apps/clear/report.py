"""The picture that shows a result: before, haze, after, confidence; four panels and one line of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clairvoy.apps.clear.previews import HAZE_COLOURS, TAU_COLOURS, coloured
from clairvoy.drawing.palette import GROUND, MUTED, PANEL, TEXT

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Report

MAX_WIDTH_PX = 1600
_MARGIN, _GAP, _LABEL, _HEADER = 24, 20, 40, 56
_MIN_PANEL_WIDTH = 420
_MAX_PANEL = ((MAX_WIDTH_PX - 2 * _MARGIN - _GAP) // 2, 760)  # width, height
_BAR = (132, 12)


def comparison(
    before: np.ndarray, haze: np.ndarray, after: np.ndarray, tau: np.ndarray, report: Report
) -> np.ndarray:
    """Draw before, haze, after and confidence as two by two panels.

    Parameters
    ----------
    before, after
        (H, W, 3) uint8 or uint16 RGB.
    haze, tau
        (H, W) float in [0, 1]: share of the light that is haze; confidence in the restoration.
    report
        Its ``haze_probability``, ``mean_transmission``, ``tau`` and ``tau_db`` are the line at the top.

    Returns
    -------
    numpy.ndarray
        (h, w, 3) uint8 RGB, at most 1600 px wide. Both maps have a fixed scale, so that two of these
        pictures can be compared.
    """
    size = _panel_size(before.shape[1], before.shape[0])
    cell = (max(size[0], _MIN_PANEL_WIDTH), size[1])
    width = 2 * _MARGIN + _GAP + 2 * cell[0]
    height = _HEADER + 2 * (_LABEL + cell[1]) + _GAP + _MARGIN
    canvas = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(canvas)

    _draw_figures(draw, report)
    panels = [
        ("before", _fit(_to_uint8(before), size), None),
        ("haze", coloured(_fit(haze, size), HAZE_COLOURS), ("clear 0", "1 opaque", HAZE_COLOURS)),
        ("after", _fit(_to_uint8(after), size), None),
        ("confidence", coloured(_fit(tau, size), TAU_COLOURS), ("guess 0", "1 sure", TAU_COLOURS)),
    ]
    for index, (label, pixels, scale) in enumerate(panels):
        left = _MARGIN + (index % 2) * (cell[0] + _GAP)
        top = _HEADER + (index // 2) * (_LABEL + cell[1] + _GAP)
        draw.text((left, top + _LABEL // 2), label, TEXT, ImageFont.load_default(18), anchor="lm")
        if scale is not None:
            _draw_scale(canvas, left + cell[0], top + _LABEL // 2, *scale)
        box = (left, top + _LABEL, left + cell[0], top + _LABEL + cell[1])
        draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), PANEL)
        canvas.paste(Image.fromarray(pixels), (left + (cell[0] - size[0]) // 2, top + _LABEL))
    return np.asarray(canvas)


def _draw_figures(draw: ImageDraw.ImageDraw, report: Report) -> None:
    """Write the line at the top: names quiet, values bright."""
    font, left = ImageFont.load_default(19), float(_MARGIN)
    figures = [
        ("haze probability", f"{report.haze_probability:.2f}"),
        ("mean transmission", f"{report.mean_transmission:.2f}"),
        ("confidence tau", f"{report.tau:.2f} ({report.tau_db:.1f} dB)"),
    ]
    for name, value in figures:
        draw.text((left, _HEADER // 2 + 6), name, MUTED, font, anchor="lm")
        left += draw.textlength(name, font) + 8
        draw.text((left, _HEADER // 2 + 6), value, TEXT, font, anchor="lm")
        left += draw.textlength(value, font) + 32


def _panel_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a panel for a photograph of this size; small ones grow by a whole factor."""
    scale = min(_MAX_PANEL[0] / width, _MAX_PANEL[1] / height)
    if scale > 1:
        scale = max(1, min(int(scale), _MIN_PANEL_WIDTH // width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fit(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] < pixels.shape[1]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _draw_scale(canvas: Image.Image, right: int, middle: int, low: str, high: str, colours: int) -> None:
    """Draw ``low [bar] high`` so that it ends at `right`."""
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    draw.text((right, middle), high, MUTED, font, anchor="rm")
    right -= round(draw.textlength(high, font)) + 10
    ramp = np.tile(np.linspace(0.0, 1.0, _BAR[0]), (_BAR[1], 1))
    left = right - _BAR[0]
    canvas.paste(Image.fromarray(coloured(ramp, colours)), (left, middle - _BAR[1] // 2))
    draw.text((left - 10, middle), low, MUTED, font, anchor="rm")
