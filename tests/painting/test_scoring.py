from importlib.util import find_spec

import numpy as np
import pytest

from clairvoy.painting import scoring
from clairvoy.painting.coverage import coverage
from clairvoy.painting.scoring import Residual, sums_of_lines, sums_over

A = 0.4


def pictures(seed, *, height=9, width=11):
    rng = np.random.default_rng(seed)
    target, under, over = rng.uniform(0, 1, (3, height, width, 3))
    through, weight = rng.uniform(0.2, 1, (2, height, width))
    return target, under, 0.2 * over, through, weight


def drop(cover, colour, target, under, over, through, weight):
    before = through[..., None] * under + over
    after = through[..., None] * (under + A * cover[..., None] * (colour - under)) + over
    return (weight[..., None] * ((target - before) ** 2 - (target - after) ** 2)).sum()


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def test_on_whole_pixels_the_gain_is_what_is_drawn():
    target, under, over, through, weight = pictures(0)
    residual = Residual(target, under, A, weight=weight, through=through, over=over)
    polygon = box(2, 1, 7, 6)
    gains, colours = residual.score(np.stack([polygon, polygon[::-1]]))
    cover = coverage(polygon, 9, 11)
    assert gains[0] == pytest.approx(drop(cover, colours[0], target, under, over, through, weight))
    assert gains[1] == pytest.approx(gains[0])
    np.testing.assert_allclose(colours[1], colours[0])


def test_no_other_colour_gains_more():
    parts = pictures(1)
    target, under, over, through, weight = parts
    residual = Residual(target, under, A, weight=weight, through=through, over=over)
    polygon = box(1, 1, 5, 7)
    gains, colours = residual.score(polygon[None])
    cover = coverage(polygon, 9, 11)
    levels = np.arange(256) / 255
    for channel in range(3):
        others = np.repeat(colours, 256, axis=0)
        others[:, channel] = levels
        drops = [drop(cover, other, *parts) for other in others]
        assert max(drops) <= gains[0] + 1e-9
        assert levels[int(np.argmax(drops))] == pytest.approx(colours[0, channel])


def test_of_a_palette_the_best_colour_is_taken():
    parts = pictures(2)
    target, under, over, through, weight = parts
    palette = np.random.default_rng(5).uniform(0, 1, (7, 3))
    residual = Residual(target, under, A, weight=weight, through=through, over=over, palette=palette)
    polygon = box(0, 2, 6, 9)
    gains, colours = residual.score(polygon[None])
    drops = [drop(coverage(polygon, 9, 11), colour, *parts) for colour in palette]
    assert gains[0] == pytest.approx(max(drops))
    np.testing.assert_allclose(colours[0], palette[int(np.argmax(drops))])


def test_drawn_on_these_pixels_a_shape_gains_no_less():
    parts = pictures(3)
    target, under, over, through, weight = parts
    residual = Residual(target, under, A, weight=weight, through=through, over=over)
    triangles = np.random.default_rng(3).uniform(-3, 14, (200, 3, 2))
    gains, colours = residual.score(triangles)
    drawn = [
        drop(coverage(triangle, 9, 11, scoring.SUBLINES), colour, *parts)
        for triangle, colour in zip(triangles, colours, strict=True)
    ]
    assert (np.array(drawn) >= gains - 1e-9).all()
    assert np.corrcoef(drawn, gains)[0, 1] > 0.97


def test_a_finer_picture_of_the_same_squares_gains_what_is_scored():
    """Squares of four pixels: what a score leaves out at the edges is less when the same is drawn larger."""
    target, under, over, through, weight = pictures(4)
    larger = [part.repeat(8, axis=0).repeat(8, axis=1) for part in (target, under, over, through, weight)]
    triangle = np.array([[1.3, 1.1], [9.7, 2.9], [4.2, 8.3]])
    sums = Residual(target, under, A, weight=weight, through=through, over=over)
    gain, colour = sums.score(triangle[None])
    drawn = drop(coverage(triangle * 8, 72, 88, 16), colour[0], *larger) / 64
    coarse = drop(coverage(triangle, 9, 11, 16), colour[0], target, under, over, through, weight)
    assert abs(drawn - gain[0]) < 0.35 * abs(coarse - gain[0])


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed: clairvoy[speed]")
def test_compiled_sums_are_the_same():
    rng = np.random.default_rng(0)
    until = rng.uniform(-1, 1, (13, 18, 5))
    polygons = rng.uniform(-8, 25, (100, 7, 2))
    np.testing.assert_allclose(sums_over(until, polygons), sums_of_lines(until, polygons), atol=1e-10)


def test_sums_without_numba(monkeypatch):
    monkeypatch.setattr(scoring, "_COMPILED", False)
    until = np.zeros((4, 6, 2))
    until[:, :, 0] = np.arange(6)  # a picture of ones
    sums = sums_over(until, np.stack([box(1.5, 1, 3.25, 3), box(-9, -9, 9, 9)]))
    np.testing.assert_allclose(sums, [[3.5, 0], [20, 0]])
