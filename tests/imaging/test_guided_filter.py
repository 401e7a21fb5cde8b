"""The guided filter against plain loops over its windows, with either border."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clairvoy.imaging.guided_filter import guided_filter

Array = NDArray[np.float64]


def naive_guided_filter(guide: Array, source: Array, radius: int, eps: float) -> NDArray[np.float64]:
    """Equations 5, 6 and 8 of the 2013 paper, window by window, in float64."""
    guide_64, source_64 = guide.astype(np.float64), source.astype(np.float64)
    height, width = guide.shape

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(0, row - radius), min(height, row + radius + 1)),
            slice(max(0, column - radius), min(width, column + radius + 1)),
        )

    slope, offset, filtered = np.empty((height, width)), np.empty((height, width)), np.empty((height, width))
    for position in np.ndindex(height, width):
        i, p = guide_64[window(*position)], source_64[window(*position)]
        slope[position] = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + eps)
        offset[position] = p.mean() - slope[position] * i.mean()
    for position in np.ndindex(height, width):
        around = window(*position)
        filtered[position] = slope[around].mean() * guide_64[position] + offset[around].mean()
    return filtered


@pytest.mark.parametrize("radius", [1, 3, 20])  # 20: larger than the picture
def test_it_equals_plain_loops(radius: int):
    random = np.random.default_rng(0)
    guide, source = random.random((2, 13, 17))
    np.testing.assert_allclose(
        guided_filter(guide, source, radius, 1e-2, border="left out"),
        naive_guided_filter(guide, source, radius, 1e-2),
        atol=1e-9,
    )


def test_it_is_a_box_filter_for_a_flat_guide_and_keeps_what_the_guide_explains():
    random = np.random.default_rng(1)
    source = random.random((30, 30))
    flat = guided_filter(np.full_like(source, 0.5), source, 2, 1e-3)
    assert flat[15, 15] == pytest.approx(
        np.mean([source[r - 2 : r + 3, c - 2 : c + 3].mean() for r in range(13, 18) for c in range(13, 18)]),
        abs=1e-6,
    )
    np.testing.assert_allclose(guided_filter(source, 2 * source + 1, 2, 1e-9), 2 * source + 1, atol=1e-5)


def test_mirrored_borders_are_those_of_the_paper_in_single_precision():
    rng = np.random.default_rng(0)
    guide, values, r, eps = rng.random((12, 10)), rng.random((12, 10)), 2, 1e-2

    def mean(image):
        padded = np.pad(image, r, mode="symmetric")
        return np.array([[padded[i : i + 5, j : j + 5].mean() for j in range(10)] for i in range(12)])

    slope = (mean(guide * values) - mean(guide) * mean(values)) / (mean(guide**2) - mean(guide) ** 2 + eps)
    expected = mean(slope) * guide + mean(mean(values) - slope * mean(guide))
    got = guided_filter(guide.astype(np.float32), values.astype(np.float32), r, eps)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_a_constant_stays_constant():
    guide = np.random.default_rng(0).random((80, 96), dtype=np.float32)
    np.testing.assert_allclose(guided_filter(guide, np.full_like(guide, 0.7), 4, 1e-3), 0.7, atol=1e-4)
