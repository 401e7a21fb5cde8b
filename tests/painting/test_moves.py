import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.painting.moves import log_size, moved, moves_of
from clairvoy.painting.proposals import new_shapes
from clairvoy.painting.shapes import FAMILIES

TRIANGLES = FAMILIES["triangles"]


def shapes_of(family, count=20, seed=0):
    return new_shapes(family, np.full((count, 2), 0.5), np.random.default_rng(seed), (0.1, 0.4))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_moves_there_and_back(name):
    family = FAMILIES[name]
    shapes = shapes_of(family)
    moves = np.random.default_rng(1).normal(size=(20, 1, shapes.shape[1]))
    new = moved(family, shapes, family.axes(shapes), moves)
    inside = np.isfinite(found := moves_of(family, shapes, new)).all(axis=1)
    # A width at its bound was held there, which is no move that was asked for.
    at_bound = np.abs(found - moves[:, 0]).max(axis=1) > 1e-6
    assert (inside & ~at_bound).sum() >= 10
    again = moved(family, shapes[inside], family.axes(shapes[inside]), found[inside][:, None])
    np.testing.assert_allclose(again, new[inside], atol=1e-9)


@pytest.mark.parametrize("name", list(FAMILIES))
@settings(deadline=None)  # a busy machine may take its time
@given(turn=st.floats(0, 6.28), grown=st.floats(0.5, 2))
def test_a_move_does_the_same_to_a_shape_that_is_turned_and_grown(name, turn, grown):
    family = FAMILIES[name]
    shapes = shapes_of(family, 3)
    shapes[:, family.columns("width")] = 0.01
    moves = np.random.default_rng(1).normal(size=(3, 4, shapes.shape[1]))
    cos, sin = grown * np.cos(turn), grown * np.sin(turn)

    def turned(rows):
        rows = rows.copy()
        x, y = rows[:, family.columns("x")], rows[:, family.columns("y")]
        rows[:, family.columns("x")], rows[:, family.columns("y")] = cos * x - sin * y, sin * x + cos * y
        rows[:, family.columns("length")] *= grown
        rows[:, family.columns("angle")] += turn
        return rows

    np.testing.assert_allclose(
        turned(moved(family, shapes, family.axes(shapes), moves)),
        moved(family, turned(shapes), family.axes(turned(shapes)), moves),
        atol=1e-9,
    )
    np.testing.assert_allclose(
        log_size(family.axes(turned(shapes))), log_size(family.axes(shapes)) + np.log(grown), atol=1e-9
    )


def test_a_triangle_without_area_has_no_frame():
    flat = np.array([[0.1, 0.1, 0.2, 0.2, 0.3, 0.3]])
    assert np.isnan(moves_of(TRIANGLES, flat, flat + 0.1)).all()
    assert np.isfinite(moved(TRIANGLES, flat, TRIANGLES.axes(flat), np.full((1, 2, 6), 50.0))).all()
