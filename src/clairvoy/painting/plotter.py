"""A painting for a pen plotter: a layer for each pen, lines in an order that travels little, millimetres on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from clairvoy.errors import SettingsError, above, at_least
from clairvoy.painting.hatching import clipped, hatches, outline
from clairvoy.painting.painting import Painting
from clairvoy.painting.shapes import PEN_LINES
from clairvoy.painting.svg import hex_of

SHEETS = {"a5": (148.0, 210.0), "a4": (210.0, 297.0), "a3": (297.0, 420.0), "letter": (215.9, 279.4)}
"""Short and long side [mm]."""
_POINTS = 64
_INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"


@dataclass(frozen=True)
class PlotterSettings:
    """How a painting is plotted."""

    sheet: tuple[float, float] = SHEETS["a4"]
    """Sides [mm]; turned as the picture is."""
    margin: float = 15.0
    """Left free on each side [mm]."""
    pen_width: float = 0.5
    """Of the lines [mm]."""
    hatched: bool = True
    """Hatches; else outlines."""
    refill: float = 0.0
    """Metres of line after which a pen's layer is divided, so that it can be dipped or changed; 0 never."""

    def __post_init__(self) -> None:
        above(self, 0, "pen_width")
        at_least(self, 0, "margin", "refill")
        if min(self.sheet) <= 2 * self.margin:
            raise SettingsError(
                f"margin is {self.margin} mm on a sheet of {self.sheet} mm; nothing is left to draw on"
            )


@dataclass(frozen=True)
class Layer:
    """What one pen draws without a stop: (N, 2, 2) lines in millimetres, in order."""

    name: str
    colour: str
    lines: np.ndarray

    @property
    def drawn(self) -> float:
        """Millimetres of line."""
        return float(np.hypot(*(self.lines[:, 1] - self.lines[:, 0]).T).sum())

    @property
    def travelled(self) -> float:
        """Millimetres with the pen up, between lines."""
        return float(np.hypot(*(self.lines[1:, 0] - self.lines[:-1, 1]).T).sum())


def sheet_of(name: str) -> tuple[float, float]:
    """Sides [mm] of a sheet by its name, or by numbers such as ``200x300``.

    Raises
    ------
    SettingsError
        It is neither.
    """
    if name.lower() in SHEETS:
        return SHEETS[name.lower()]
    try:
        width, height = (float(number) for number in name.lower().removesuffix("mm").split("x"))
    except ValueError:
        width = height = 0.0
    if not (0 < width < 1e4 and 0 < height < 1e4):
        raise SettingsError(f"{name!r} is no sheet; use {', '.join(SHEETS)} or millimetres such as 200x300")
    return width, height


def layers_of(painting: Painting, settings: PlotterSettings) -> list[Layer]:
    """A layer for each colour in the painting, in the order in which they first appear; divided for refills."""
    (width, height), box = _sides(painting.size, settings)
    low = np.array([(width - box[0]) / 2, (height - box[1]) / 2])
    scale = max(box)
    by_colour: dict[str, list[np.ndarray]] = {}
    for stroke in painting.strokes:
        colours = by_colour.setdefault(hex_of(stroke.colour), [])
        polygon = stroke.family.outline(stroke.shape[None], _POINTS)[0] * scale + low
        if stroke.family.name == PEN_LINES:
            lines = stroke.shape.reshape(1, 2, 2) * scale + low
        elif settings.hatched:
            # Another direction for each pen, and for what lies over one another of one pen: lines that cross show both.
            angle = np.pi / 4 + 0.9 * list(by_colour).index(hex_of(stroke.colour)) + np.pi / 3 * len(colours)
            lines = hatches(polygon, settings.pen_width / stroke.opacity, angle)
        else:
            lines = outline(polygon)
        colours.append(clipped(lines, low, low + box))
    layers = []
    for colour, pieces in by_colour.items():
        lines = in_short_order(np.concatenate(pieces))
        parts = _divided(lines, settings.refill * 1000.0)
        for number, part in enumerate(parts):
            name = colour if len(parts) == 1 else f"{colour}, filling {number + 1}"
            layers.append(Layer(name, colour, part))
    return [layer for layer in layers if len(layer.lines)]


def longer_side(size: tuple[int, int], settings: PlotterSettings) -> float:
    """Millimetres of the longer side of a picture of such a size on its sheet."""
    return float(max(_sides(size, settings)[1]))


def in_short_order(lines: np.ndarray) -> np.ndarray:
    """The same lines, each as near as possible to the end of the one before, turned around where that is nearer.

    The nearest of all that are left is taken each time; the first begins nearest to the origin.
    """
    ends = lines.reshape(-1, 2).copy()  # line k begins at 2 k and ends at 2 k + 1
    ordered = np.empty_like(lines)
    at = np.zeros(2)
    for number in range(len(lines)):
        nearest = int(((ends - at) ** 2).sum(axis=1).argmin())
        line, other = nearest // 2, nearest ^ 1
        ordered[number, 0] = ends[nearest]
        ordered[number, 1] = at = ends[other].copy()
        ends[2 * line : 2 * line + 2] = np.inf
    return ordered


def plotted(painting: Painting, settings: PlotterSettings) -> str:
    """The painting as an SVG in millimetres with a layer for each pen, as Inkscape, vpype and plotters read it."""
    (width, height), _ = _sides(painting.size, settings)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="{_INKSCAPE}" width="{_number(width)}mm" '
        f'height="{_number(height)}mm" viewBox="0 0 {_number(width)} {_number(height)}">'
    ]
    for number, layer in enumerate(layers_of(painting, settings), start=1):
        name = escape(f"{number} {layer.name}", quote=True)
        parts += [
            f'<g id="layer{number}" inkscape:groupmode="layer" inkscape:label="{name}" fill="none" '
            f'stroke="{layer.colour}" stroke-width="{_number(settings.pen_width)}" stroke-linecap="round">',
            f'<path d="{_path(layer.lines)}"/>',
            "</g>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _path(lines: np.ndarray) -> str:
    """Lines that follow on one another at one point are drawn without lifting the pen."""
    words, at = [], None
    for (x0, y0), (x1, y1) in np.round(lines, 3).tolist():
        if (x0, y0) != at:
            words.append(f"M{_number(x0)},{_number(y0)}")
        words.append(f"L{_number(x1)},{_number(y1)}")
        at = (x1, y1)
    return "".join(words)


def _divided(lines: np.ndarray, most: float) -> Sequence[np.ndarray]:
    """Lines in parts of at most so many millimetres, or of one line that is longer; 0 is one part."""
    if most <= 0:
        return [lines]
    lengths = np.hypot(*(lines[:, 1] - lines[:, 0]).T)
    parts, begin, drawn = [], 0, 0.0
    for number, length in enumerate(lengths):
        if drawn + length > most and number > begin:
            parts.append(lines[begin:number])
            begin, drawn = number, 0.0
        drawn += length
    return [*parts, lines[begin:]]


def _sides(size: tuple[int, int], settings: PlotterSettings) -> tuple[tuple[float, float], np.ndarray]:
    """Width and height of the sheet, turned as the picture is, and of the picture on it [mm]."""
    short, long = sorted(settings.sheet)
    width, height = size
    sheet = (long, short) if width > height else (short, long)
    free = np.array(sheet) - 2 * settings.margin
    return sheet, np.array([width, height]) * min(free / np.array([width, height]))


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
