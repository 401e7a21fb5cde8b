import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from clairvoy.errors import SettingsError
from clairvoy.painting.frames import film, rgba
from clairvoy.painting.page import as_page
from clairvoy.painting.painting import Painting, Stroke
from clairvoy.painting.palette import colour_of, colours_of, fitted_palette
from clairvoy.painting.shapes import FAMILIES
from clairvoy.painting.svg import as_svg
from clairvoy.painting.target import Target

RED, BLUE = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def painting(ground=None):
    return Painting(
        (200, 100),
        ground,
        [
            Stroke(FAMILIES["rectangles"], np.array([0.25, 0.25, 0.125, 0.125, 0.0]), RED, 0.5),
            Stroke(FAMILIES["ellipses"], np.array([0.5, 0.25, 0.2, 0.1, np.pi / 6]), BLUE, 0.25),
        ],
    )


def test_svg_says_each_stroke():
    root = ET.fromstring(as_svg(painting(np.array([1.0, 1.0, 0.0]))))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("200", "100", "0 0 1000 500")
    polygon = root.find(".//{*}polygon")
    assert polygon.get("points") == "125,125 375,125 375,375 125,375"
    assert (polygon.get("fill"), polygon.get("fill-opacity")) == ("#ff0000", "0.5")
    ellipse = root.find(".//{*}ellipse")
    assert [ellipse.get(name) for name in ("cx", "cy", "rx", "ry")] == ["500", "250", "200", "100"]
    assert ellipse.get("transform") == "rotate(30 500 250)"
    clipped = root.find("{*}g")
    assert clipped.get("clip-path") == "url(#box)"
    assert root.find("{*}clipPath/{*}rect").attrib == {"width": "1000", "height": "500"}
    assert clipped.find("{*}rect").get("fill") == "#ffff00"
    assert len(clipped.find("{*}g")) == 2


def test_a_transparent_ground_is_left_out():
    assert len(re.findall("<rect", as_svg(painting()))) == 1  # the clip's
    pixels = rgba(painting(), 16)
    assert pixels.shape == (8, 16, 4)
    assert not pixels[0, 0].any()
    assert pixels[3, 3].tolist() == [255, 0, 0, 128]


def test_the_size_changes_nothing_but_the_size():
    small, large = (rgba(painting(np.ones(3)), longer).astype(float) for longer in (40, 400))
    reduced = large.reshape(20, 10, 40, 10, 4).mean(axis=(1, 3))
    assert np.abs(small - reduced).mean() < 1.0
    assert np.abs(small - reduced).max() < 12


def test_a_film_begins_with_the_ground_and_ends_with_the_painting():
    frames = list(film(painting(np.ones(3)), 32, 100))
    assert len(frames) == 3
    assert (frames[0] == 255).all()
    np.testing.assert_array_equal(frames[-1], rgba(painting(np.ones(3)), 32)[..., :3])
    assert len(list(film(painting(), 32, 2))) == 2


def test_the_page_has_a_slider_over_all_strokes_and_loads_nothing():
    page = as_page(painting(), 'a "b" <c>')
    assert "<title>a &quot;b&quot; &lt;c&gt;</title>" in page
    assert 'min="0" max="2" value="2"' in page
    assert not re.search(r"(src|href)=|url\((?!#)", page)


def test_colours_by_name():
    np.testing.assert_allclose(colours_of("#d33, teal")[0], np.array([0xDD, 0x33, 0x33]) / 255)
    np.testing.assert_allclose(colour_of("teal"), np.array([0, 128, 128]) / 255)
    with pytest.raises(SettingsError, match="'glue' is no colour"):
        colour_of("glue")


def test_a_palette_of_the_pictures_own_colours():
    pixels = np.zeros((4, 6, 3))
    pixels[:, :2], pixels[:, 2:4] = RED, BLUE
    target = Target(pixels, np.ones((4, 6)), (6, 4))
    np.testing.assert_allclose(
        fitted_palette(target, 3, seed=0), [[0, 0, 0], [0, 0, 1], [1, 0, 0]], atol=1e-6
    )
    assert len(fitted_palette(target, 9, seed=0)) == 3
