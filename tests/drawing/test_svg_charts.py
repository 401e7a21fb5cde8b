"""Charts as SVG: as high as what they show, and valid XML whatever the names are."""

from xml.etree import ElementTree

import pytest

from clairvoy.drawing.palette import GROUND, PAPER, PAPER_INK, PAPER_SERIES, TEXT
from clairvoy.drawing.svg_charts import bars, reliability_curve


def heights(svg, title):
    tree = ElementTree.fromstring(svg)
    return [float(rect.get("height")) for rect in tree.iter("rect") if title in "".join(rect.itertext())]


def test_bars_are_stacked_to_scale():
    svg = bars({"scan": [1, 0, 3], "a<b>": [1, 0, 1]}, "first", "last")
    assert heights(svg, "scan") == pytest.approx([30, 90])  # 4 flags fill the 120 pixels between the margins
    assert heights(svg, "a<b>") == pytest.approx([30, 30])
    ElementTree.fromstring(bars({}, "", ""))


def test_the_curve_goes_through_its_points():
    tree = ElementTree.fromstring(reliability_curve([(0.0, 0.0, 4), (0.5, 1.0, 1)], "a & b"))
    assert tree.find("polyline").get("points") == "40.0,200.0 120.0,40.0"
    assert [circle.get("r") for circle in tree.iter("circle")] == ["8.0", "5.0"]


def contrast(one, other):
    """Ratio of relative luminances, as WCAG 2 has it."""

    def luminance(colour):
        linear = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_series_are_seen_on_light_and_on_dark_ground_and_text_is_read():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert min(contrast(colour, ground) for colour in PAPER_SERIES for ground in (PAPER, GROUND)) >= 3
    assert contrast(PAPER_INK, PAPER) >= 4.5
    assert contrast(TEXT, GROUND) >= 4.5


def test_names_of_a_legend_stand_side_by_side_in_as_many_rows_as_they_need():
    tree = ElementTree.fromstring(bars({f"kind {n}": [1] for n in range(5)}, "first", "last"))
    width, height = (float(number) for number in tree.get("viewBox").split()[2:])
    places = [
        (float(text.get("x")), float(text.get("y"))) for text in tree.iter("text") if "kind" in text.text
    ]
    assert len(set(places)) == 5
    assert all(x + 100 < width and y < height - 160 for x, y in places)
    assert tree.get("aria-label") == (
        "Flags over time, from first to last. kind 0: 1, kind 1: 1, kind 2: 1, kind 3: 1, kind 4: 1"
    )
