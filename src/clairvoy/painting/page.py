"""A painting as one HTML file with a slider through its strokes; it loads nothing."""

from __future__ import annotations

from html import escape

from clairvoy.painting.painting import Painting
from clairvoy.painting.svg import UNITS, inside

_STYLE = """:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:0;padding:1rem;
display:grid;gap:1rem;justify-items:center}svg{max-width:100%;height:auto;max-height:80vh}label{width:min(100%,40rem);display:grid}"""
_SCRIPT = """const slider=document.getElementById("count"),shown=document.getElementById("shown"),
strokes=[...document.getElementById("strokes").children];
slider.addEventListener("input",()=>{const n=+slider.value;shown.textContent=n;
strokes.forEach((s,i)=>s.style.display=i<n?"":"none")});"""


def as_page(painting: Painting, title: str) -> str:
    """The page.

    Parameters
    ----------
    painting
        What is shown.
    title
        Of the page, as plain text.
    """
    width, height = painting.size
    scale = UNITS / max(painting.size)
    count, name = len(painting.strokes), escape(title, quote=True)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{_STYLE}</style>\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width * scale:.2f} {height * scale:.2f}">\n{inside(painting)}</svg>\n'
        f'<label for="count"><span>Strokes: <output id="shown">{count}</output> of {count}</span>'
        f'<input type="range" id="count" name="count" min="0" max="{count}" value="{count}"></label>\n'
        f"<script>{_SCRIPT}</script></html>\n"
    )
