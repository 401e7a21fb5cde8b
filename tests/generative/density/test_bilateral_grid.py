"""Reading a bilateral grid: interpolation in closed form."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.generative.density.bilateral_grid import blend_bins, slice_grid


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
