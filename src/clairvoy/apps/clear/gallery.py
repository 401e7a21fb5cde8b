"""The report of a run as one HTML file: each photograph with a slider, its maps and figures, the least trusted first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any

import numpy as np

from clairvoy import __version__
from clairvoy.apps.clear.outcome import FAILED
from clairvoy.apps.clear.previews import HAZE_COLOURS, TAU_COLOURS, Previews, coloured
from clairvoy.apps.html_page import data_in, figures, html_page, table
from clairvoy.drawing.svg_charts import css

FIGURES = {
    "tau": ("confidence", "{:.2f}"),
    "tau_db": ("expected PSNR", "{:.1f} dB"),
    "haze_probability": ("probability of haze", "{:.2f}"),
    "amount": ("haze taken away", "{:.0%}"),
    "mean_transmission": ("mean transmission", "{:.2f}"),
    "seconds": ("seconds", "{:.1f}"),
}
"""What is told of a photograph: the name in its entry, the name for people, and how it is written."""
_IN_TABLE = ("tau", "tau_db", "haze_probability", "amount")
_STEPS = 9
"""Colours of the scale below a map."""

STYLE = """
section{content-visibility:auto;contain-intrinsic-size:auto 40rem}figure{margin:0}img{display:block;width:100%;height:auto}
.shown{display:grid;gap:1rem;grid-template-columns:minmax(0,2fr) minmax(0,1fr)}
.maps{display:grid;gap:1rem;align-content:start}
@media(max-width:40rem){.shown{grid-template-columns:minmax(0,1fr)}.maps{grid-template-columns:1fr 1fr}}
.both{display:grid;position:relative;--cut:50%}.both img{grid-area:1/1}.both .after{clip-path:inset(0 0 0 var(--cut))}
.both::after{content:"";position:absolute;inset:0 auto 0 var(--cut);width:2px;margin-left:-1px;background:#fff;
box-shadow:0 0 0 1px #000}input[type=range]{width:100%;height:2rem;margin:0;accent-color:var(--link)}
.scale{display:flex;gap:.5rem;align-items:center}.scale i{flex:1;height:.6rem;border:1px solid var(--line)}"""
SCRIPT = """document.querySelectorAll("input[type=range]").forEach(slider=>{
const both=document.getElementById(slider.dataset.of),show=()=>{both.style.setProperty("--cut",slider.value+"%");
slider.setAttribute("aria-valuetext",slider.value+" % of the width shows it before, the rest after")};
slider.addEventListener("input",show);show()})"""
_EXPLAINED = """<section><h2>How to read this</h2>
<p>The confidence is the probability that the restoration comes within 20 dB PSNR of the truth, estimated before the truth
is known. It was calibrated on other photographs than these. Where the haze is opaque nothing can be brought back: what is
seen there is likely, not what was there.</p></section>"""


def gallery(
    entries: Sequence[Mapping[str, Any]], previews: Mapping[str, Previews], settings: Mapping[str, Any]
) -> str:
    """The page, complete in itself: it loads nothing.

    Parameters
    ----------
    entries
        Of the report, in any order; see `outcome.Outcome`.
    previews
        By the output of an entry; of some or all.
    settings
        How it was restored: names for people, and values.
    """
    order = sorted(entries, key=_trust)
    failed = [entry for entry in order if entry["status"] == FAILED]
    done = [entry for entry in order if entry["status"] != FAILED]
    shown = {number for number, entry in enumerate(done) if entry["output"] in previews}
    many = len(order) > 1
    parts = []
    if many:
        counts = Counter(entry["status"] for entry in order)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        parts.append(f"<p>{told}. The least trusted come first.</p>")
    if failed:
        rows = [f"<li>{escape(str(entry['error']))}</li>" for entry in failed]
        parts.append(f"<section><h2>Could not be restored</h2><ul>{''.join(rows)}</ul></section>")
    if many and done:
        parts.append(_table(done, shown))
    for number in sorted(shown):
        parts.append(_section(number, done[number], previews[done[number]["output"]], named=many))
    if not many and not shown:
        parts.append(_figures(order[0]))
    if 1 < len(shown) < len(done):
        parts.append(f'<p class="quiet">Pictures: the {len(shown)} least trusted. All are in the table.</p>')
    how = figures({"version": __version__, **settings})
    parts += [_EXPLAINED, f"<section><h2>Settings</h2>{how}</section>"]
    title = f"{len(order)} photographs" if many else str(order[0]["source"])
    return html_page(title, parts, list(entries), style=STYLE, script=SCRIPT)


def _trust(entry: Mapping[str, Any]) -> tuple[float, str]:
    return float(entry.get("tau") or 0.0), str(entry["source"])


def _section(number: int, entry: Mapping[str, Any], previews: Previews, *, named: bool) -> str:
    name = escape(str(entry["source"]), quote=True)
    output, status = (escape(str(entry[key]), quote=True) for key in ("output", "status"))
    haze = 1 - float(entry.get("mean_transmission", 1.0))
    tau = float(entry.get("tau") or 0.0)
    both = _image("before", previews.before, f"{name} before") + _image(
        "after", previews.after, f"{name} after: {status}"
    )
    maps = _map(
        _image("haze", previews.haze, f"Map of the haze in {name}, {haze:.2f} on average"),
        ("Haze", "clear", "opaque"), HAZE_COLOURS,
    ) + _map(
        _image("tau", previews.tau, f"Map of the confidence in {name}, {tau:.2f} as a whole"),
        ("Confidence", "guess", "sure"), TAU_COLOURS,
    )  # fmt: skip
    heading = f"<h2>{name}</h2>" if named else ""
    notes = "".join(f'<p class="quiet">{escape(note)}.</p>' for note in entry.get("notes", ()))
    return f"""<section id="p{number}" data-output="{output}">{heading}<div class="shown">
<figure><div class="both" id="b{number}">{both}</div>
<input type="range" min="0" max="100" value="50" data-of="b{number}" aria-label="Before and after: {name}">
<figcaption>Before is left of the line, after right of it: {status}. Written to {output}.</figcaption></figure>
<div class="maps">{maps}</div></div>{_figures(entry)}{notes}</section>"""


def _image(kind: str, data: bytes, alt: str) -> str:
    source = base64.b64encode(data).decode()
    return f'<img class="{kind}" alt="{alt}" src="data:image/webp;base64,{source}">'


def _map(image: str, words: tuple[str, str, str], colours: int) -> str:
    """A map, what it is of, and what its lowest and its highest colour mean."""
    label, low, high = words
    ramp = coloured(np.linspace(0, 1, _STEPS)[None], colours)[0].tolist()
    stops = ",".join(css((red, green, blue)) for red, green, blue in ramp)
    return (
        f'<figure>{image}<figcaption>{label}<div class="scale">{low}'
        f'<i style="background:linear-gradient(90deg,{stops})"></i>{high}</div></figcaption></figure>'
    )


def _figures(entry: Mapping[str, Any]) -> str:
    told = {
        label: _written(entry, name) for name, (label, _) in FIGURES.items() if entry.get(name) is not None
    }
    if "size" in entry:
        height, width = entry["size"]
        told["pixels"] = f"{width} × {height}"
    return figures(told)


def _written(entry: Mapping[str, Any], name: str) -> str:
    return "" if entry.get(name) is None else FIGURES[name][1].format(entry[name])


def _table(entries: Sequence[Mapping[str, Any]], shown: Collection[int]) -> str:
    rows = []
    for number, entry in enumerate(entries):
        name = escape(str(entry["source"]))
        link = f'<a href="#p{number}">{name}</a>' if number in shown else name
        figures_ = (_written(entry, name) for name in _IN_TABLE)
        rows.append([link, *figures_, escape(str(entry["status"]))])
    heads = ["photograph", *(FIGURES[name][0] for name in _IN_TABLE), "what became of it"]
    return table("All photographs", heads, rows, left=[len(heads) - 1])


def read_gallery(page: str) -> tuple[list[dict[str, Any]], dict[str, Previews]]:
    """Entries and previews of a page that `gallery` made, so that a run can be continued.

    Raises
    ------
    ValueError
        It is no such page.
    """
    reader = _PreviewReader()
    reader.feed(page)
    whole = {
        output: images for output, images in reader.images.items() if images.keys() == set(Previews._fields)
    }
    return data_in(page), {output: Previews(**images) for output, images in whole.items()}


class _PreviewReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: dict[str, dict[str, bytes]] = {}
        self._output = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._output = found.get("data-output", "")
        if tag == "img" and self._output:
            source = base64.b64decode(found.get("src", "").partition("base64,")[2])
            self.images.setdefault(self._output, {})[found.get("class", "")] = source
