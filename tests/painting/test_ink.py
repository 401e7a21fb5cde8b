import numpy as np
import pytest

from clairvoy.painting.coverage import coverage
from clairvoy.painting.ink import InkResidual, InkSearch
from clairvoy.painting.painting import Painting, on_paper, with_ink
from clairvoy.painting.search import SearchSettings
from clairvoy.painting.shapes import FAMILIES
from clairvoy.painting.svg import as_svg
from clairvoy.painting.target import Target

PENS = np.array([[0.1, 0.1, 0.1], [0.9, 0.1, 0.2], [0.0, 0.4, 0.8]])
BOX = np.array([[2, 1], [7, 1], [7, 6], [2, 6]], float)


def test_on_whole_pixels_the_gain_is_what_is_drawn_and_the_best_pen_is_taken():
    rng = np.random.default_rng(0)
    target, under = rng.uniform(0, 1, (2, 9, 11, 3))
    weight = rng.uniform(0.2, 1, (9, 11))
    gains, pens = InkResidual(target, under, 0.3, weight, PENS).score(np.stack([BOX, BOX[::-1]]))
    error = lambda seen: (weight[..., None] * (target - seen) ** 2).sum()  # noqa: E731
    drops = [error(under) - error(with_ink(under, 0.3 * coverage(BOX, 9, 11), pen)) for pen in PENS]
    np.testing.assert_allclose(gains, max(drops))
    np.testing.assert_allclose(pens[0], PENS[int(np.argmax(drops))])


def searched():
    down = np.linspace(0.2, 1, 24)[:, None, None] * np.array([1.0, 0.8, 0.9])
    target = Target(np.broadcast_to(down, (24, 20, 3)).copy(), np.ones((24, 20)), (20, 24))
    settings = SearchSettings(opacity=0.25, candidates=64, climbers=1, rounds=6, changes=8)
    painting = Painting(target.size, np.ones(3), ink=True)
    return InkSearch(target, painting, settings, np.random.default_rng(0), (FAMILIES["rectangles"],), PENS)


def test_ink_only_darkens_and_the_canvas_is_what_is_drawn():
    search = searched()
    errors = [search.error]
    for _ in range(8):
        before = search.canvas
        assert search.add() is not None
        assert (search.canvas <= before + 1e-12).all()
        errors.append(search.error)
    for _ in search.sweep():
        errors.append(search.error)
    assert (np.diff(errors) <= 1e-12).all()
    assert errors[-1] < 0.3 * errors[0]
    np.testing.assert_allclose(search.canvas, on_paper(search.painting.draw(24)), atol=1e-9)
    # In any order the same drawing.
    search.painting.strokes.reverse()
    np.testing.assert_allclose(search.canvas, on_paper(search.painting.draw(24)), atol=1e-9)


def test_ink_is_multiplied_in_svg():
    search = searched()
    search.add()
    assert as_svg(search.painting).count("mix-blend-mode:multiply") == 1
    search.painting.ink = False
    assert "mix-blend-mode" not in as_svg(search.painting)


def test_light_pens_do_not_lighten():
    residual = InkResidual(
        np.ones((9, 11, 3)), np.full((9, 11, 3), 0.2), 0.5, np.ones((9, 11)), np.ones((1, 3))
    )
    assert residual.score(BOX[None])[0][0] == pytest.approx(0.0)
