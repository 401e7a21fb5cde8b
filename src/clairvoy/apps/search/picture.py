"""The picture that shows a search: the way that the agent took over what it saw, and what it recognised."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clairvoy.drawing.palette import GREEN, GROUND, MUTED, ORANGE, PANEL, RED, TEXT

if TYPE_CHECKING:
    from clairvoy.restoring.scene import SearchedScene

MAX_WIDTH_PX = 1600
_MAX_HEIGHT_PX = 1400
_MARGIN, _HEADER, _FOOTER = 24, 56, 44
_HAZE, _START, _END = ORANGE, GREEN, RED


def search_picture(found: SearchedScene) -> np.ndarray:
    """Draw a search.

    Parameters
    ----------
    found
        What `SceneSearcher.run` gave. Windows that were not read are dark; where there was no thumbnail, they are empty.

    Returns
    -------
    numpy.ndarray
        (h, w, 3) uint8 RGB, at most 1600 px wide.
    """
    height, width = _size(found)
    scene = _scene(found, width, height)
    _draw_windows(scene, found)
    _draw_path(scene, found)
    canvas = Image.new("RGB", (width + 2 * _MARGIN, height + _HEADER + _FOOTER), GROUND)
    canvas.paste(Image.fromarray(scene), (_MARGIN, _HEADER))
    _draw_figures(ImageDraw.Draw(canvas), found, canvas.width)
    _draw_legend(ImageDraw.Draw(canvas), found, canvas.height - _FOOTER // 2)
    return np.asarray(canvas)


def _size(found: SearchedScene) -> tuple[int, int]:
    """Height and width of the scene as drawn: as large as fits, at least 12 pixels for each window if it may be."""
    bottom, right = (int(edge) for edge in found.boxes[-1, -1, 2:])
    scale = min((MAX_WIDTH_PX - 2 * _MARGIN) / right, (_MAX_HEIGHT_PX - _HEADER - _FOOTER) / bottom)
    return max(1, round(bottom * scale)), max(1, round(right * scale))


def _scene(found: SearchedScene, width: int, height: int) -> np.ndarray:
    """What is known, darker and greyer where it was not read."""
    larger = width > found.sketch.shape[1]
    how = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    scene = cv2.resize(found.sketch, (width, height), interpolation=how).astype(np.float32)
    read = _windows(found, found.search.visited, width, height)[..., None]
    grey = scene.mean(axis=2, keepdims=True)
    dim = (0.35 * scene + 0.65 * grey) * 0.5 if found.used_thumbnail else np.full_like(scene, PANEL)
    return np.clip(np.where(read, scene, dim), 0, 255).astype(np.uint8)


def _windows(found: SearchedScene, chosen: np.ndarray, width: int, height: int) -> np.ndarray:
    """Windows (R, C) bool as pixels of the drawing, (height, width) bool."""
    rows, cols = chosen.shape
    down = np.minimum(np.arange(height) * rows // height, rows - 1)
    across = np.minimum(np.arange(width) * cols // width, cols - 1)
    return chosen[down][:, across]


def _draw_windows(scene: np.ndarray, found: SearchedScene) -> None:
    """Tint recognised windows and draw a line around each patch of them, in place."""
    height, width = scene.shape[:2]
    chosen = _windows(found, found.search.recognised, width, height)
    scene[chosen] = (0.78 * scene[chosen] + 0.22 * np.array(_HAZE, np.float32)).astype(np.uint8)
    outlines, _ = cv2.findContours(chosen.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(scene, outlines, -1, _HAZE, 2, cv2.LINE_AA)


def _draw_path(scene: np.ndarray, found: SearchedScene) -> None:
    """Draw the way from window to window, dark at first and bright at last, with a dot at either end, in place."""
    height, width = scene.shape[:2]
    rows, cols = found.search.visited.shape
    cell = min(height / rows, width / cols)
    places = [(row, column) for row, column, _ in found.search.path]
    way = [places[0]] + [now for before, now in pairwise(places) if now != before]
    # A window that is crossed twice would hide the first crossing: the way swings a little to one side in time.
    swing = np.sin(np.arange(len(way)) * 0.9) * 0.12
    points = [
        (round((column + 0.5 + s) * width / cols), round((row + 0.5 + s) * height / rows))
        for (row, column), s in zip(way, swing, strict=True)
    ]
    thick = max(1, round(cell / 14))
    colours = cv2.applyColorMap(
        np.linspace(70, 255, max(2, len(points)), dtype=np.uint8)[None], cv2.COLORMAP_VIRIDIS
    )[0, :, ::-1]
    for begin, end in pairwise(points):
        cv2.line(scene, begin, end, (0, 0, 0), thick + 2, cv2.LINE_AA)
    for index, (begin, end) in enumerate(pairwise(points)):
        cv2.line(scene, begin, end, tuple(int(c) for c in colours[index + 1]), thick, cv2.LINE_AA)
    radius = max(4, round(cell / 5))
    for point, colour in ((points[0], _START), (points[-1], _END)):
        cv2.circle(scene, point, radius + 2, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(scene, point, radius, colour, -1, cv2.LINE_AA)


def _draw_figures(draw: ImageDraw.ImageDraw, found: SearchedScene, width: int) -> None:
    """Write the line at the top: names quiet, values bright, as many as there is room for."""
    search, total = found.search, found.search.visited.size
    figures = [
        ("windows read", f"{search.read} of {total} ({search.read / total:.0%})"),
        ("recognised", f"{int(search.recognised.sum())}"),
        ("steps", f"{len(search.path)}"),
        ("thumbnail", "yes" if found.used_thumbnail else "no"),
    ]
    font, left = ImageFont.load_default(19), float(_MARGIN)
    for name, value in figures:
        wide = draw.textlength(name, font) + 8 + draw.textlength(value, font)
        if left + wide > width - _MARGIN:
            break
        draw.text((left, _HEADER // 2), name, MUTED, font, anchor="lm")
        draw.text((left + draw.textlength(name, font) + 8, _HEADER // 2), value, TEXT, font, anchor="lm")
        left += wide + 32


def _draw_legend(draw: ImageDraw.ImageDraw, found: SearchedScene, middle: int) -> None:
    font, left = ImageFont.load_default(15), float(_MARGIN)
    entries = [("start", _START), ("end", _END), ("recognised as hazy", _HAZE)]
    entries += [("not read", (110, 113, 118) if found.used_thumbnail else PANEL)]
    for name, colour in entries:
        draw.ellipse((left, middle - 6, left + 12, middle + 6), colour, outline=MUTED)
        draw.text((left + 20, middle), name, MUTED, font, anchor="lm")
        left += 20 + draw.textlength(name, font) + 28
