"""The picture of four panels: sizes, colours at known places, and figures that change it."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from clairvoy.apps.clear.report import MAX_WIDTH_PX, comparison

REPORT = SimpleNamespace(haze_probability=0.98, mean_transmission=0.5, tau=0.75, tau_db=21.5)


def draw(height: int, width: int, *, haze: float = 0.0, tau: float = 1.0, dtype=np.uint8, report=REPORT):
    top = np.iinfo(dtype).max
    before = np.full((height, width, 3), (top, 0, 0), dtype)
    after = np.full((height, width, 3), (0, 0, top), dtype)
    maps = (np.full((height, width), value, np.float32) for value in (haze, tau))
    haze_map, tau_map = maps
    return comparison(before, haze_map, after, tau_map, report)


def middles(picture: np.ndarray) -> list[tuple[int, ...]]:
    """Return the colours in the middle of the four panels, row by row."""
    height, width = picture.shape[:2]
    rows = (height * 30 // 100, height * 75 // 100)
    return [tuple(picture[row, column].tolist()) for row in rows for column in (width // 4, width * 3 // 4)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_panel_is_where_its_label_says(dtype):
    before, haze, after, tau = middles(draw(300, 400, haze=1.0, tau=1.0, dtype=dtype))
    assert before == (255, 0, 0)
    assert after == (0, 0, 255)
    assert haze == (255, 255, 255)  # opaque haze is white
    assert tau == tuple(cv2.applyColorMap(np.uint8([[255]]), cv2.COLORMAP_VIRIDIS)[0, 0, ::-1].tolist())


def test_clear_air_is_black():
    assert middles(draw(300, 400, haze=0.0))[1] == (0, 0, 0)


def test_confidence_grows_lighter():
    def lightness(tau):
        colour = np.uint8([[middles(draw(300, 400, tau=tau))[3]]])
        return float(cv2.cvtColor(colour.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0, 0])

    steps = np.diff([lightness(tau) for tau in (0.0, 0.25, 0.5, 0.75, 1.0)])
    assert (steps > 0).all()
    assert steps.max() < 1.5 * steps.min()  # perceptually uniform


@pytest.mark.parametrize("size", [(1, 1), (40, 3000), (3000, 40), (2000, 3000), (480, 640), (7, 5)])
def test_every_shape_of_photograph_fits(size):
    picture = draw(*size)
    assert picture.dtype == np.uint8
    assert 800 < picture.shape[1] <= MAX_WIDTH_PX
    assert picture.shape[0] < 1800
    assert (255, 0, 0) in {tuple(colour) for colour in picture.reshape(-1, 3)[::7].tolist()}


def test_figures_are_written_at_the_top():
    other = SimpleNamespace(**{**vars(REPORT), "tau_db": 9.5})
    one, two = draw(300, 400), draw(300, 400, report=other)
    changed = np.argwhere((one != two).any(axis=2))
    assert len(changed)
    assert changed[:, 0].max() < 56
    assert changed[:, 1].max() < one.shape[1] - 24  # and inside the margin
