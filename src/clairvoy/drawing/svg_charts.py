"""Small charts as SVG, to stand in a page: bars over time, a reliability curve.

Text and lines take the colour of the page's text, so that they are seen on a light ground and on a dark one. Those of
`PAPER_SERIES` are seen on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from clairvoy.drawing.palette import PAPER_SERIES, Colour

WIDTH, HEIGHT, MARGIN = 720, 200, 40
NAMES, NAME = 3, 210
"""Names in a row of the legend, and the width of each: on a phone the chart shrinks, and its letters are made larger."""


def css(colour: Colour) -> str:
    """A colour as CSS has it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def bars(counts: Mapping[str, Sequence[int]], first: str, last: str) -> str:
    """Stacked bars, one for each moment.

    Parameters
    ----------
    counts
        By what is counted: a number for each moment, as many for all.
    first, last
        What stands below the first and the last bar.
    """
    moments = max((len(row) for row in counts.values()), default=0)
    top = max((sum(row[k] for row in counts.values()) for k in range(moments)), default=0) or 1
    # The legend stands above in as many rows as it needs.
    height = HEIGHT + 16 * max(0, -(-len(counts) // NAMES) - 1)
    step, tall, ground = (WIDTH - 2 * MARGIN) / max(1, moments), HEIGHT - 2 * MARGIN, height - MARGIN
    parts = [_text(MARGIN - 6, ground - tall + 4, str(top), "end"), _text(MARGIN - 6, ground, "0", "end")]
    parts += [_text(MARGIN, height - 14, first), _text(WIDTH - MARGIN, height - 14, last, "end")]
    parts.append(_line(MARGIN, ground, WIDTH - MARGIN, ground))
    below = [0] * moments
    for number, (name, row) in enumerate(counts.items()):
        colour = css(PAPER_SERIES[(number + 1) % len(PAPER_SERIES)])
        for k, count in enumerate(row):
            if count:
                y = ground - tall * (below[k] + count) / top
                parts.append(
                    f'<rect x="{MARGIN + k * step:.1f}" y="{y:.1f}" width="{max(1.0, step - 1):.1f}" '
                    f'height="{tall * count / top:.1f}" fill="{colour}"><title>{escape(name)}: {count}</title></rect>'
                )
                below[k] += count
        x, y = MARGIN + number % NAMES * NAME, 8 + number // NAMES * 16
        parts.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 15, y + 9, name))
    sums = ", ".join(f"{name}: {sum(row)}" for name, row in counts.items())
    return _svg(WIDTH, height, f"Flags over time, from {first} to {last}. {sums}", parts)


def reliability_curve(points: Sequence[tuple[float, float, int]], name: str) -> str:
    """Frequency over probability with the diagonal, dots as large as they hold flows.

    Parameters
    ----------
    points
        Probability and frequency in [0, 1], and a count.
    name
        What it is the curve of.
    """
    side = 240
    place = lambda p, f: (MARGIN + p * (side - 2 * MARGIN), side - MARGIN - f * (side - 2 * MARGIN))  # noqa: E731
    most = max((count for *_, count in points), default=1)
    parts = [
        _line(*place(0, 0), *place(1, 1)),
        _line(*place(0, 0), *place(1, 0)),
        _line(*place(0, 0), *place(0, 1)),
    ]
    colour = css(PAPER_SERIES[1])
    line = " ".join("{:.1f},{:.1f}".format(*place(p, f)) for p, f, _ in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    for p, f, count in points:
        x, y = place(p, f)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 + 6 * (count / most) ** 0.5:.1f}" fill="{colour}" '
            f'fill-opacity="0.7" stroke="{colour}">'
            f"<title>said {p:.3f}, came {f:.3f}, {count} flows</title></circle>"
        )
    parts += [
        _text(side / 2, side - 8, "confidence", "middle"),
        _text(MARGIN - 30, 22, "how often it was right"),
    ]
    parts += [_text(MARGIN - 6, side - MARGIN + 4, "0", "end"), _text(MARGIN - 6, MARGIN + 4, "1", "end")]
    told = "; ".join(f"said {p:.2f}, came {f:.2f} ({count})" for p, f, count in points)
    return _svg(side, side, f"Confidence and how often it was right, {name}: {told}", parts)


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="currentColor" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="currentColor" stroke-opacity="0.5"/>'
