"""Charts as SVG: as high as what they show, and valid XML whatever the names are."""

from xml.etree import ElementTree

import pytest

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
