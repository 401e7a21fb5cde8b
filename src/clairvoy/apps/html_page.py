"""What reports as pages share: one file that loads nothing, read on light and dark, wide and narrow screens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any

from clairvoy.apps.outputs import finite
from clairvoy.drawing.palette import GROUND, MUTED, PAPER, PAPER_INK, PAPER_LINE, TEXT
from clairvoy.drawing.svg_charts import css

SUFFIXES = (".html", ".htm")
"""Of the names of pages."""
STYLE = f""":root{{color-scheme:light dark;--ink:{css(PAPER_INK)};--ground:{css(PAPER)};--line:{css(PAPER_LINE)};
--quiet:#55575f;--link:#1d5a96}}
@media(prefers-color-scheme:dark){{:root{{--ink:{css(TEXT)};--ground:{css(GROUND)};--line:#484c54;
--quiet:{css(MUTED)};--link:#8cc8ff}}}}
*{{box-sizing:border-box}}body{{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}}
main{{max-width:70rem;margin:0 auto;padding:1rem}}
h1,h2{{line-height:1.2;overflow-wrap:anywhere}}h1{{font-size:1.75rem}}h2{{font-size:1.15rem;margin:0 0 .5rem}}
a{{color:var(--link)}}p{{max-width:45rem}}.quiet,figcaption{{color:var(--quiet);font-size:.875rem}}
section{{border-top:1px solid var(--line);padding:1.5rem 0}}
:focus-visible{{outline:3px solid var(--link);outline-offset:2px}}
dl{{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;margin:.75rem 0 0}}dl div{{display:flex;gap:.4rem}}dt{{color:var(--quiet)}}
dd{{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}}
.wide{{overflow-x:auto;margin-bottom:1.5rem;background-repeat:no-repeat;background-image:
linear-gradient(90deg,var(--ground) 60%,transparent),linear-gradient(-90deg,var(--ground) 60%,transparent),
linear-gradient(90deg,#8889,transparent),linear-gradient(-90deg,#8889,transparent);background-position:0,100%,0,100%;
background-size:3rem 100%,3rem 100%,.9rem 100%,.9rem 100%;background-attachment:local,local,scroll,scroll}}
table{{border-collapse:collapse;width:100%;font-size:.875rem}}
th,td{{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;min-width:4.5rem}}
th[scope=row]{{font-weight:400;overflow-wrap:anywhere;min-width:7rem}}
td.number,th.number{{text-align:right;font-variant-numeric:tabular-nums}}"""


def html_page(title: str, parts: Iterable[str], data: Any, *, style: str = "", script: str = "") -> str:
    """A page, complete in itself.

    Parameters
    ----------
    title
        Of the page, and its heading: plain text.
    parts
        What stands below the heading, as HTML.
    data
        What the page says, for programs: `data_in` finds it.
    style, script
        Beside those that all pages have.
    """
    told = json.dumps(finite(data)).replace("<", "\\u003c")
    name = escape(title)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{STYLE}{style}</style>\n<body><main>\n<h1>{name}</h1>\n"
        + "\n".join(parts)
        + f'\n</main><script type="application/json" id="report">{told}</script>'
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )


def table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: Iterable[int] = ()) -> str:
    """A table that scrolls by itself where it is wider than the screen; a shadow on a side says that there is more.

    Parameters
    ----------
    name
        What it is, for those who cannot see it.
    heads, rows
        Plain text; of cells HTML. The first cell of a row names it; the others are numbers.
    left
        Columns of words instead.
    """
    kinds = ["" if k == 0 or k in set(left) else ' class="number"' for k in range(len(heads))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(text)}</th>' for kind, text in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name, quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figures(told: Mapping[str, Any]) -> str:
    """Names and values beside one another."""
    pairs = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in told.items()
    )
    return f"<dl>{''.join(pairs)}</dl>"


def data_in(page: str) -> Any:
    """What `html_page` was given as data.

    Raises
    ------
    ValueError
        It is no such page.
    """
    reader = _DataReader()
    reader.feed(page)
    return json.loads(reader.data)


class _DataReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.data, self._inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and ("id", "report") in attrs

    def handle_data(self, data: str) -> None:
        self.data += data if self._inside else ""
