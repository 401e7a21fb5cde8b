import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.painting.coverage import coverage


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def test_a_box_on_the_pixels_is_exact():
    cover = coverage(box(1.25, 2, 3.5, 4), 6, 5)
    expected = np.zeros((6, 5))
    expected[2:4] = [0, 0.75, 1, 0.5, 0]
    np.testing.assert_allclose(cover, expected, atol=1e-12)


def test_quarter_rows_are_exact():
    cover = coverage(box(0, 1.25, 2, 2.5), 4, 2)
    np.testing.assert_allclose(cover, [[0, 0], [0.75, 0.75], [0.5, 0.5], [0, 0]], atol=1e-12)


def test_a_slanted_edge_covers_half_of_the_pixels_on_it():
    cover = coverage(np.array([[0, 0], [4, 4], [0, 4]], float), 4, 4)
    np.testing.assert_allclose(np.diag(cover), 0.5, atol=1e-12)
    np.testing.assert_allclose(cover[np.tril_indices(4, -1)], 1, atol=1e-12)
    assert not cover[np.triu_indices(4, 1)].any()


def test_what_lies_outside_is_cut_off():
    np.testing.assert_allclose(coverage(box(-50, -50, 50, 50), 7, 9), 1.0)
    for away in (box(20, 1, 30, 3), box(-30, 1, -20, 3), box(1, 20, 3, 30), box(1, -30, 3, -20)):
        assert not coverage(away, 7, 9).any()


@settings(deadline=None)  # a busy machine may take its time
@given(st.lists(st.floats(1, 31), min_size=6, max_size=6))
def test_a_triangle_covers_its_area_whichever_way_it_turns(numbers):
    triangle = np.array(numbers).reshape(3, 2)
    (ax, ay), (bx, by) = triangle[1] - triangle[0], triangle[2] - triangle[0]
    fine = coverage(triangle, 32, 32, sublines=64)
    # Exact across; down, each of the three ends may be missed by half a line of at most the triangle's width.
    assert fine.sum() == pytest.approx(abs(ax * by - ay * bx) / 2, abs=32 * 3 / 64)
    np.testing.assert_allclose(coverage(triangle[::-1], 32, 32), coverage(triangle, 32, 32), atol=1e-9)
