"""Squares of real pairs: nothing squashed, nothing left out, 16 bits read rightly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.errors import InputError
from clairvoy.imaging.synthesis.squares import cut_squares


def test_a_wide_picture_gives_squares_from_edge_to_edge():
    rgb = np.zeros((32, 80, 3), np.uint8)
    rgb[:, :32, 0], rgb[:, -32:, 1] = 200, 100
    squares = cut_squares(rgb, 32)
    assert len(squares) == 3
    assert np.array_equal(squares[0], rgb[:, :32])
    assert np.array_equal(squares[-1], rgb[:, -32:])


def test_a_tall_picture_is_cut_along_its_height():
    rgb = np.arange(64, dtype=np.uint8)[:, None, None].repeat(32, 1).repeat(3, 2)
    upper, lower = cut_squares(rgb, 32)
    assert np.array_equal(upper, rgb[:32])
    assert np.array_equal(lower, rgb[32:])


def test_sixteen_bits_become_eight():
    (square,) = cut_squares(np.full((32, 32, 3), 65535, np.uint16), 32)
    assert square.dtype == np.uint8
    assert square.min() == 255


@given(st.integers(8, 90), st.integers(8, 90))
def test_any_size_becomes_squares_of_the_side(height, width):
    squares = cut_squares(np.zeros((height, width, 3), np.uint8), 32)
    assert {square.shape for square in squares} == {(32, 32, 3)}


def test_a_tiny_picture_is_refused():
    with pytest.raises(InputError, match="7x100 pixels are too few"):
        cut_squares(np.zeros((100, 7, 3), np.uint8), 32)
