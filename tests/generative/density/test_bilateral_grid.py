"""Reading a bilateral grid: interpolation in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.generative.density.bilateral_grid import blend_bins, refine, slice_grid


def test_a_constant_grid_reads_as_that_constant():
    grid = torch.full((2, 5, 3, 4), 1.7, dtype=torch.float64)
    guide = torch.rand(2, 1, 20, 30, dtype=torch.float64)
    torch.testing.assert_close(slice_grid(grid, guide), torch.full_like(guide, 1.7))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.floats(0, 1))
def test_between_bins_it_is_linear_in_the_guide(bins, brightness):
    values = torch.arange(bins, dtype=torch.float64).square()
    planes = values.view(1, bins, 1, 1)
    read = blend_bins(planes, torch.full((1, 1, 1, 1), brightness, dtype=torch.float64))
    expected = np.interp(brightness, np.linspace(0, 1, bins), values.numpy())
    np.testing.assert_allclose(float(read), expected, atol=1e-9)


def test_edges_of_the_guide_become_edges_of_the_field():
    grid = torch.zeros(1, 2, 2, 2)
    grid[:, 1] = 1.0
    guide = torch.zeros(1, 1, 8, 8)
    guide[..., 4:] = 1.0
    torch.testing.assert_close(slice_grid(grid, guide), guide)


def test_the_same_field_at_any_resolution():
    grid = torch.rand(1, 4, 4, 4, dtype=torch.float64)
    ramp = torch.full((1, 1, 64, 64), 0.4, dtype=torch.float64)
    large, small = slice_grid(grid, ramp), slice_grid(grid, ramp[..., ::2, ::2])
    coarser = torch.nn.functional.avg_pool2d(large, 2)
    # Linear interpolation is its own average but where two cells meet.
    assert float((coarser - small).abs().max()) < 0.02


def test_refining_cuts_corners_by_nine_three_and_one_sixteenths():
    """A single cell of 16 among none gives its four parts 9, each neighbour's nearest two 3, and each corner's 1."""
    grid = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    grid[..., 1, 1] = 16
    expected = torch.tensor(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 1, 3, 3, 1, 0],
            [0, 3, 9, 9, 3, 0],
            [0, 3, 9, 9, 3, 0],
            [0, 1, 3, 3, 1, 0],
            [0, 0, 0, 0, 0, 0],
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(refine(grid, times=1), expected.view(1, 1, 6, 6))


def test_refining_twice_gives_four_times_as_many_cells_and_keeps_the_mean():
    grid = torch.rand(2, 3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = refine(grid)
    assert fine.shape == (2, 3, 20, 28)
    torch.testing.assert_close(fine.mean(dim=(2, 3)), grid.mean(dim=(2, 3)))
    torch.testing.assert_close(refine(grid, times=0), grid)


def test_refining_leaves_a_slope_a_slope():
    """A plane over the cells' centres is the same plane over the finer centres, but for the border, which is flat."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    grid = (2 + 0.5 * rows - 0.25 * columns).double().view(1, 1, 8, 9)
    fine_rows = (torch.arange(32, dtype=torch.float64) + 0.5) / 4 - 0.5
    fine_columns = (torch.arange(36, dtype=torch.float64) + 0.5) / 4 - 0.5
    expected = 2 + 0.5 * fine_rows[:, None] - 0.25 * fine_columns[None]
    inside = slice(4, -4)
    torch.testing.assert_close(refine(grid)[0, 0, inside, inside], expected[inside, inside])


def test_refining_makes_slopes_smooth():
    """Read linearly, a coarse grid's slope jumps at every cell; refined twice, it jumps by a quarter of that."""
    grid = torch.zeros(1, 1, 1, 9, dtype=torch.float64)
    grid[..., 4:] = 1.0
    guide = torch.zeros(1, 1, 1, 288, dtype=torch.float64)
    jumps = [
        float(slice_grid(one, guide).flatten().diff().diff().abs().max()) for one in (grid, refine(grid))
    ]
    assert jumps[1] == pytest.approx(jumps[0] / 4)
