import numpy as np
import pytest

from clairvoy.errors import SettingsError
from clairvoy.painting.shapes import FAMILIES, families_of


def area(polygon):
    x, y = polygon.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@pytest.mark.parametrize(
    ("family", "shape", "expected"),
    [
        ("triangles", [0, 0, 0.4, 0, 0, 0.3], 0.06),
        ("ellipses", [0.5, 0.5, 0.3, 0.1, 0.7], np.pi * 0.03),
        ("rectangles", [0.5, 0.5, 0.3, 0.1, 0.7], 0.12),
        ("lines", [0.1, 0.1, 0.4, 0.5, 0.02], 0.02),
        ("brush", [0.1, 0.2, 0.3, 0.2, 0.5, 0.2, 0.05, 0.05, 0.05], 0.04),
        ("brush", [0.1, 0.2, 0.3, 0.2, 0.5, 0.2, 0.0, 0.06, 0.0], 2 * 0.4 * 0.06 / 3),
    ],
)
def test_areas_in_closed_form(family, shape, expected):
    assert area(FAMILIES[family].outline(np.array([shape], float), 400)[0]) == pytest.approx(
        expected, rel=1e-3
    )


def test_an_ellipse_of_few_points_has_its_area():
    polygon = FAMILIES["ellipses"].outline(np.array([[0.5, 0.5, 0.3, 0.1, 0.7]]), 12)[0]
    assert area(polygon) == pytest.approx(np.pi * 0.03)


def test_turning_by_a_quarter_swaps_the_lengths():
    one, other = (
        FAMILIES["rectangles"].outline(np.array([[0.5, 0.5, a, b, angle]]), 4)[0]
        for a, b, angle in ((0.3, 0.1, np.pi / 2), (0.1, 0.3, 0.0))
    )
    np.testing.assert_allclose(sorted(one.round(9).tolist()), sorted(other.round(9).tolist()))


def test_a_line_of_no_length_has_no_area_and_is_a_number():
    polygon = FAMILIES["lines"].outline(np.array([[0.5, 0.5, 0.5, 0.5, 0.01]]), 4)[0]
    assert np.isfinite(polygon).all()
    assert area(polygon) == 0


def test_families_by_name():
    assert [family.name for family in families_of("lines, brush,lines")] == ["lines", "brush"]
    assert families_of("mixed") == tuple(FAMILIES.values())
    with pytest.raises(SettingsError, match="'circles' is no family of shapes; use triangles"):
        families_of("circles")
