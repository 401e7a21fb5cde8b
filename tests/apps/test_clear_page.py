"""`clairvoy clear --report FILE.html`: complete in itself, the least trusted first, usable without a mouse, continued."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_dehazer import FakeDehazer, Report, Result

from clairvoy.apps.clear import run_report
from clairvoy.apps.clear.gallery import gallery, read_gallery
from clairvoy.apps.clear.previews import Previews, previews_of
from clairvoy.apps.html_page import data_in, html_page


class Elements(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def check(page):
    """Whether a page loads nothing, and tells everything to those who do not see it or use no mouse."""
    elements = Elements(page)
    assert elements.of("html")[0]["lang"] == "en"
    assert not elements.of("link")
    assert not [one for one in elements.of("script") if "src" in one]
    assert "http" not in page.replace("http-equiv", "")
    assert all(one["src"].startswith("data:image/webp;base64,") and one["alt"] for one in elements.of("img"))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for slider in elements.of("input"):
        assert slider["type"] == "range"
        assert slider["aria-label"]
        assert slider["data-of"] in ids
    for link in elements.of("a"):
        assert link["href"][1:] in ids
    for region in [one for one in elements.of("div") if one.get("class") == "wide"]:
        assert (region["tabindex"], region["role"]) == ("0", "region")
        assert region["aria-label"]
    return elements


@pytest.fixture
def trust_by_brightness(monkeypatch):
    """The brighter, the less trusted."""
    call = FakeDehazer.__call__

    def trusting(self, picture, **how):
        result = call(self, picture, **how)
        return Result(
            result.image, Report(tau=1 - float(picture.pixels.mean()) / 255), result.haze, result.tau
        )

    monkeypatch.setattr(FakeDehazer, "__call__", trusting)


def test_a_folder_becomes_a_gallery_with_the_least_trusted_first(clear, photo, trust_by_brightness):
    for name, value in (("dull.png", 100), ("bright.png", 180), ("x <b> & 'y'.png", 140)):
        photo(f"in/{name}", value)
    Path("in/broken.jpg").write_bytes(b"no picture")
    code, _ = clear("in", "-o", "out", "--report", "look.html", "--strength", "0.5")
    assert code == 2
    page = Path("look.html").read_text()
    elements = check(page)
    shown = [one["data-output"] for one in elements.of("section") if "data-output" in one]
    assert shown == ["out/bright.png", "out/x <b> & 'y'.png", "out/dull.png"]
    assert len(elements.of("img")) == 4 * 3
    assert "<b>" not in page
    assert "in/broken.jpg: is not a picture" in page
    assert "3 restored, 1 failed" in page or "1 failed, 3 restored" in page
    assert "<dt>strength</dt><dd>0.5</dd>" in page

    clear("in", "-o", "other", "--report", "told.json", "--strength", "0.5")
    told = json.loads(Path("told.json").read_text().replace("other/", "out/"))
    assert data_in(page) == told


def test_one_photograph_has_its_pictures_larger(clear, photo):
    photo("wide.png", size=(30, 2000))
    assert clear("wide.png", "-o", "clear.png", "--report", "look.html")[0] == 0
    page = Path("look.html").read_text()
    assert not check(page).of("table")
    _, previews = read_gallery(page)
    before = decoded(previews["clear.png"].before)
    assert before.shape[1] == run_report.LONGER_OF_ONE
    assert decoded(previews["clear.png"].haze).shape[1] == run_report.LONGER_OF_ONE // 2
    assert decoded(previews["clear.png"].after).mean() - before.mean() == pytest.approx(40, abs=2)


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_previews_of_sixteen_bits_look_as_those_of_eight():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    flat = np.full((40, 60), 0.5, np.float32)
    small = previews_of(pixels, Result(pixels, Report(), flat, flat), 100)
    deep = pixels.astype(np.uint16) * 257
    assert previews_of(deep, Result(deep, Report(), flat, flat), 100) == small
    assert decoded(small.before).shape == (40, 60, 3)


def test_a_run_that_is_continued_keeps_the_pictures_it_had(clear, photo):
    photo("in/a.png")
    photo("in/b.png")
    assert clear("in", "-o", "out", "--report", "look.html")[0] == 0
    before = read_gallery(Path("look.html").read_text())
    photo("in/c.png")
    assert clear("in", "-o", "out", "--report", "look.html", "--skip-existing")[0] == 0
    entries, previews = read_gallery(Path("look.html").read_text())
    assert [entry["source"] for entry in entries] == ["in/a.png", "in/b.png", "in/c.png"]
    assert [entry["status"] for entry in entries] == ["restored"] * 3
    assert set(previews) == {"out/a.png", "out/b.png", "out/c.png"}
    assert previews["out/a.png"] == before[1]["out/a.png"]


@pytest.mark.parametrize("content", ["", "<html></html>", "{}", "no page"])
def test_what_is_no_such_page_is_kept(clear, photo, content):
    photo("in/a.png")
    Path("look.html").write_text(content)
    code, said = clear("in", "-o", "out", "--report", "look.html", "--skip-existing")
    assert code == 2
    assert "look.html is no report that could be continued" in said
    assert Path("look.html").read_text() == content


def test_of_very_many_the_least_trusted_have_pictures(clear, photo, trust_by_brightness, monkeypatch):
    monkeypatch.setattr(run_report, "MOST_SHOWN", 2)
    for value in (100, 150, 120, 200, 110):
        photo(f"in/{value}.png", value)
    assert clear("in", "-o", "out", "--report", "look.html")[0] == 0
    page = Path("look.html").read_text()
    elements = check(page)
    shown = [one["data-output"] for one in elements.of("section") if "data-output" in one]
    assert shown == ["out/200.png", "out/150.png"]
    assert len(elements.of("a")) == 2
    assert len(elements.of("tr")) == 6
    assert "the 2 least trusted" in page


def test_a_page_reads_as_it_was_written():
    previews = {"o'<>": Previews(b"1", b"22", b"333", b"\0\xff")}
    entries = [
        {"source": "</script><script>", "output": "o'<>", "status": "restored", "tau": 0.5, "notes": ["n<n"]}
    ]
    page = gallery(entries, previews, {"a": "<i>"})
    check(page)
    assert read_gallery(page) == (entries, previews)
    assert "<i>" not in page
    assert base64.b64encode(b"22").decode() in page


def test_data_of_a_page_is_strict_json():
    assert data_in(html_page("t", [], {"x": float("inf"), "y": "</script>"})) == {"x": None, "y": "</script>"}
