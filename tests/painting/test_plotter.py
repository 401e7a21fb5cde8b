import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from clairvoy.errors import SettingsError
from clairvoy.painting.coverage import coverage
from clairvoy.painting.hatching import clipped, hatches
from clairvoy.painting.painting import Painting, Stroke
from clairvoy.painting.plotter import (
    PlotterSettings,
    in_short_order,
    layers_of,
    longer_side,
    plotted,
    sheet_of,
)
from clairvoy.painting.shapes import FAMILIES, pen_lines

SQUARE = np.array([[2, 1], [8, 1], [8, 5], [2, 5]], float)
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"


def lengths(lines):
    return np.hypot(*(lines[:, 1] - lines[:, 0]).T)


def painting(opacity=0.5):
    red, blue = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    return Painting(
        (400, 300),
        None,
        [
            Stroke(FAMILIES["rectangles"], np.array([0.3, 0.3, 0.2, 0.2, 0.0]), red, opacity),
            Stroke(FAMILIES["ellipses"], np.array([0.5, 0.3, 0.2, 0.1, 0.3]), blue, opacity),
            Stroke(FAMILIES["rectangles"], np.array([0.9, 0.1, 0.4, 0.4, 0.5]), red, opacity),
        ],
    )


def test_level_hatches_run_there_and_back():
    lines = hatches(SQUARE, 1.0, 0.0)
    np.testing.assert_allclose(lines[:, :, 1], np.repeat([[1.5], [2.5], [3.5], [4.5]], 2, axis=1))
    np.testing.assert_allclose(lines[:, 0, 0], [2, 8, 2, 8])
    np.testing.assert_allclose(lines[:, 1, 0], [8, 2, 8, 2])


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5])
def test_hatches_cover_as_much_as_an_opaque_stroke_of_their_density(angle):
    lines = hatches(SQUARE, 0.05, angle)
    assert lengths(lines).sum() * 0.05 == pytest.approx(24, rel=0.01)
    directions = (lines[:, 1] - lines[:, 0]) / lengths(lines)[:, None]
    np.testing.assert_allclose(np.abs(directions @ [np.cos(angle), np.sin(angle)]), 1.0)
    assert (lines > [2 - 1e-9, 1 - 1e-9]).all()
    assert (lines < [8 + 1e-9, 5 + 1e-9]).all()


def test_a_hollow_shape_is_left_hollow():
    hollow = np.array([[0, 0], [6, 0], [6, 4], [4, 4], [4, 2], [2, 2], [2, 4], [0, 4]], float)
    lines = hatches(hollow, 1.0, 0.0)
    assert lengths(lines).sum() == pytest.approx(6 + 6 + 4 + 4)


def test_lines_are_cut_at_the_box():
    lines = np.array(
        [[[-1, 1], [3, 1]], [[0, -1], [3, 2]], [[5, 5], [6, 6]], [[1, 3], [1, -3]], [[-1, 3], [5, 3]]], float
    )
    cut = clipped(lines, np.zeros(2), np.full(2, 2.0))
    np.testing.assert_allclose(cut, [[[0, 1], [2, 1]], [[1, 0], [2, 1]], [[1, 2], [1, 0]]])


def test_the_order_loses_no_line_and_travels_less():
    lines = np.random.default_rng(0).uniform(0, 100, (60, 2, 2))
    ordered = in_short_order(lines)
    as_sets = [{frozenset(map(tuple, line)) for line in some.tolist()} for some in (lines, ordered)]
    assert as_sets[0] == as_sets[1]
    travel = [np.hypot(*(some[1:, 0] - some[:-1, 1]).T).sum() for some in (lines, ordered)]
    assert travel[1] < 0.4 * travel[0]


def test_a_layer_for_each_pen_inside_the_margin():
    settings = PlotterSettings(sheet=(100, 140), margin=10, pen_width=0.4)
    red, blue = layers_of(painting(), settings)
    assert (red.colour, blue.colour) == ("#ff0000", "#0000ff")
    for layer in (red, blue):
        assert layer.lines.min() >= 10 - 1e-9
        assert (layer.lines <= [130 + 1e-9, 90 + 1e-9]).all()
    # 107 mm of picture; a line of 0.4 mm in 0.8 mm: the ellipse's area over 0.8.
    scale = min(120 / 400, 80 / 300) * 400
    assert blue.drawn == pytest.approx(np.pi * 0.02 * scale**2 / 0.8, rel=0.02)
    denser = layers_of(painting(1.0), settings)[1]
    assert denser.drawn == pytest.approx(2 * blue.drawn, rel=0.03)


def test_a_layer_is_divided_for_refills():
    whole = layers_of(painting(), PlotterSettings())
    parts = layers_of(painting(), PlotterSettings(refill=1.0))
    assert sum(layer.drawn for layer in parts) == pytest.approx(sum(layer.drawn for layer in whole))
    assert max(layer.drawn for layer in parts) <= 1000
    assert parts[1].name == "#ff0000, filling 2"


def test_the_file_is_in_millimetres_with_layers():
    text = plotted(painting(), PlotterSettings(hatched=False, pen_width=0.3))
    root = ET.fromstring(text)
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("297mm", "210mm", "0 0 297 210")
    groups = root.findall("{*}g")
    assert [group.get(f"{INKSCAPE}label") for group in groups] == ["1 #ff0000", "2 #0000ff"]
    assert {group.get(f"{INKSCAPE}groupmode") for group in groups} == {"layer"}
    assert groups[0].get("stroke-width") == "0.3"
    ellipse = groups[1].find("{*}path").get("d")
    assert (ellipse.count("M"), ellipse.count("L")) == (1, 64)  # one line without lifting the pen
    numbers = [float(number) for number in re.findall(r"[\d.]+", text.split("<path")[1].split("/>")[0])]
    assert max(numbers) <= 297 - 15


def test_sheets():
    assert sheet_of("A3") == (297, 420)
    assert sheet_of("200x300mm") == (200, 300)
    for wrong in ("a9", "0x4", "3x", "nanxnan"):
        with pytest.raises(SettingsError, match="is no sheet"):
            sheet_of(wrong)
    with pytest.raises(SettingsError, match="nothing is left to draw on"):
        PlotterSettings(margin=200)


def test_a_line_of_a_pen_is_drawn_once_and_covers_the_width_of_the_pen():
    family = pen_lines(0.01)
    stroke = Stroke(family, np.array([0.25, 0.25, 0.75, 0.25]), np.zeros(3), 1.0)
    settings = PlotterSettings((120.0, 120.0), margin=10.0)
    (layer,) = layers_of(Painting((8, 8), np.ones(3), [stroke], ink=True), settings)
    np.testing.assert_allclose(layer.lines, [[[35, 35], [85, 35]]])
    assert longer_side((8, 4), settings) == 100
    assert coverage(stroke.outline(100), 100, 100).sum() == pytest.approx(50 * 2)
