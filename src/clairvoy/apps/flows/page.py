"""The flags of a log as one HTML file: timeline, reliability, what generated rows changed, the flags themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from clairvoy.drawing.palette import GROUND, PAPER, PAPER_INK, PAPER_LINE, PAPER_SERIES, TEXT
from clairvoy.drawing.svg_charts import bars, css, reliability_curve
from clairvoy.scenarios.flows.flags import Flag, Flags

MOMENTS = 72
"""Bars of the timeline."""
MOST_ROWS = 2000
"""Flags listed; the CSV has them all."""
VIEWS = ("looking as far as the agent does", "looking at everything")
KINDS = len(PAPER_SERIES) - 1
"""Classes that the timeline tells apart, the most frequent ones."""
DARK_LINE = (72, 76, 84)
STYLE = f""":root{{color-scheme:light dark;--ink:{css(PAPER_INK)};--ground:{css(PAPER)};--line:{css(PAPER_LINE)}}}
@media(prefers-color-scheme:dark){{:root{{--ink:{css(TEXT)};--ground:{css(GROUND)};--line:{css(DARK_LINE)}}}}}
body{{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}}
main{{max-width:60rem;margin:2rem auto;padding:0 1rem}}h1,h2{{line-height:1.2}}
table{{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}}
td,th{{text-align:left;padding:.25rem .5rem;vertical-align:top;border-bottom:1px solid var(--line)}}
.wide{{overflow-x:auto}}.wide:focus-visible{{outline:2px solid currentColor;outline-offset:2px}}
.wide svg{{display:block;max-width:100%;height:auto}}
@media(max-width:480px){{.wide svg text{{font-size:18px}}}}
[aria-label="flags"] td:nth-child(2){{white-space:nowrap}}
[aria-label="flags"] td:nth-child(6){{min-width:11rem}}
.side{{display:flex;flex-wrap:wrap;gap:1rem;margin-bottom:1rem}}figure{{margin:0}}figcaption{{font-size:13px}}"""


def page(found: Flags, notes: Mapping[str, Any], figures: Mapping[str, Any] | None) -> str:
    """The page, complete in itself: it loads nothing and runs nothing.

    Parameters
    ----------
    found
        What is shown.
    notes
        Of the training, see `apps.flows.train`.
    figures
        Of this log, if it has labels; see `measuring.measured`.
    """
    flags = found.flags
    sections = [
        f"<h1>{len(flags)} of {found.flows} flows flagged</h1>",
        f"<p>{found.left_out} more would have been, and were no surer. Looking cost {100 * found.looked:.0f} % of what "
        "looking at everything costs.</p>",
        "<h2>When</h2>",
        timeline(flags),
        "<h2>Can the confidence be trusted?</h2>",
        '<div class="side">',
        *(_curve(told, name) for name, told in _views(notes.get("held_out"), "held out in training")),
        *(_curve(told, name) for name, told in _views(figures, "this log")),
        "</div>",
        _figures(notes.get("held_out"), figures),
        "<h2>What generated rows changed</h2>",
        _generated(notes.get("generated", [])),
        _strange(notes.get("strange", {})),
        "<h2>Flags</h2>",
        _flags(flags[:MOST_ROWS]),
        f"<p>{len(flags) - MOST_ROWS} more are in the CSV.</p>" if len(flags) > MOST_ROWS else "",
        "<p>A flag is a hint for a person, and no proof. An attack of a kind that the training never saw may be missed.</p>",
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Flagged flows</title><style>{STYLE}</style><body><main>\n{chr(10).join(sections)}\n</main></body></html>\n"
    )


def timeline(flags: Sequence[Flag]) -> str:
    """Flags over time by class, as bars; a sentence where there are no times."""
    times = [flag.time for flag in flags if flag.time is not None]
    if not times:
        return "<p>The log has no times, or nothing is flagged.</p>"
    begin, end = min(times), max(times)
    width = (end - begin) / MOMENTS or 1.0
    counts: dict[str, list[int]] = {}
    for flag in flags:
        if flag.time is not None:
            row = counts.setdefault(flag.kind, [0] * MOMENTS)
            row[min(MOMENTS - 1, int((flag.time - begin) / width))] += 1
    kinds = sorted(counts, key=lambda kind: -sum(counts[kind]))
    apart = len(kinds) if len(kinds) <= KINDS else KINDS - 1
    shown, rest = kinds[:apart], kinds[apart:]
    told = {kind: counts[kind] for kind in sorted(shown)}
    if rest:
        told[f"{len(rest)} other classes"] = [
            sum(column) for column in zip(*(counts[kind] for kind in rest), strict=True)
        ]
    return _wide("flags over time", bars(told, _moment(begin), _moment(end)))


def _views(figures: Mapping[str, Any] | None, where: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return [] if figures is None else [(where, figures[VIEWS[0]])]


def _curve(told: Mapping[str, Any], name: str) -> str:
    return f"<figure><figcaption>{escape(name)}</figcaption>{reliability_curve(_points(told), name)}</figure>"


def _points(told: Mapping[str, Any]) -> list[tuple[float, float, int]]:
    return [(bin["probability"], bin["frequency"], bin["size"]) for bin in told["reliability"]]


def _figures(held_out: Mapping[str, Any] | None, figures: Mapping[str, Any] | None) -> str:
    rows = []
    for where, told in (("held out in training", held_out), ("this log", figures)):
        for view in VIEWS if told is not None else ():
            assert told is not None
            f = told[view]
            cells = [
                _number(f[name])
                for name in ("macro_f1", "false_alarms", "missed", "calibration_error", "looked")
            ]
            rows.append([where, view, str(told["flows"]), *cells])
    heads = [
        "flows of",
        "view",
        "flows",
        "macro F1",
        "false alarms",
        "missed",
        "calibration error",
        "looked at",
    ]
    return _table("figures", heads, rows)


def _generated(helped: Sequence[Mapping[str, Any]]) -> str:
    if not helped:
        return "<p>None was made.</p>"
    rows = [
        [
            entry["name"],
            str(entry["made"]),
            str(entry["held_back"]),
            f"{entry['gain']['value']:+.3f} [{entry['gain']['low']:+.3f}, {entry['gain']['high']:+.3f}]",
            "yes" if entry["helps"] else "no",
        ]
        for entry in helped
    ]
    return _table(
        "generated rows",
        ["class", "rows admitted", "flows held back", "drop of the log loss on them", "used"],
        rows,
    )


def _strange(told: Mapping[str, Any]) -> str:
    """What rows unlike anything seen changed, where it could be tried."""
    if not told.get("before"):
        return ""
    parts = ("before", "after", "few_before", "few_after")
    rows = [[name, *(_number(told[part][name]) for part in parts)] for name in told["before"]]
    use = "They are used." if told["helps"] else "They are not used."
    table = _table(
        "rows unlike anything seen",
        ["class", "not learnt", "with such rows", "hardly learnt", "with such rows"],
        rows,
    )
    return (
        "<p>Rows unlike anything seen: how much is found of a class that was left out of a trial, and of one of "
        f"which ten flows were left in. {use}</p>{table}"
    )


def _flags(flags: Sequence[Flag]) -> str:
    rows = [
        [
            str(flag.line),
            "" if flag.time is None else _moment(flag.time),
            flag.kind,
            flag.verdict,
            f"{flag.confidence:.3f}",
            "; ".join(f"{name} = {value}" for name, value, _ in flag.decided),
            flag.label,
        ]
        for flag in flags
    ]
    return _table(
        "flags", ["line", "time (UTC)", "class", "verdict", "confidence", "decided by", "label"], rows
    )


def _table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return _wide(name, f'<table aria-label="{name}"><tr>{head}</tr>{body}</table>')


def _wide(name: str, inside: str) -> str:
    """What may be wider than a phone scrolls by itself, by keyboard too."""
    return f'<div class="wide" role="region" aria-label="{name}, scrolls" tabindex="0">{inside}</div>'


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
