"""Planes of a grid painted: colours, order, probabilities."""

import numpy as np
import pytest
import torch

from clairvoy.drawing.palette import GROUND
from clairvoy.drawing.plane_pictures import colours, picture_of_planes
from clairvoy.errors import InputError, SettingsError


def test_colours_can_be_told_apart():
    for count in (1, 4, 6, 7, 10):
        all_colours = np.vstack([GROUND, colours(count)]).astype(int)
        apart = np.abs(all_colours[:, None] - all_colours[None]).sum(axis=2)
        assert (apart + 1000 * np.eye(count + 1)).min() > 60


def test_the_last_plane_hides_the_others():
    planes = torch.zeros(3, 2, 2, dtype=torch.bool)
    planes[0, 0, 0] = planes[0, 0, 1] = planes[2, 0, 1] = planes[1, 1, 1] = True
    picture = picture_of_planes(planes.numpy())
    first, second, third = colours(3).tolist()
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[first, third], [list(GROUND), second]]


def test_probabilities_mix_in_closed_form():
    picture = picture_of_planes(np.array([[[0.5]], [[0.25]]]))
    first, second = colours(2).astype(float)
    mixed = 0.75 * (0.5 * first + 0.5 * np.array(GROUND)) + 0.25 * second
    assert np.abs(picture[0, 0] - mixed).max() <= 0.5


def test_bool_and_certain_probabilities_look_the_same():
    planes = np.random.default_rng(0).random((7, 10, 10)) < 0.2
    assert np.array_equal(picture_of_planes(planes), picture_of_planes(planes.astype(np.float32)))


def test_a_cell_becomes_a_square():
    planes = np.zeros((2, 2, 3), dtype=bool)
    planes[1, 1, 2] = True
    picture = picture_of_planes(planes, scale=5)
    assert picture.shape == (10, 15, 3)
    assert (picture[5:, 10:] == colours(2)[1]).all()
    assert (picture[:5] == GROUND).all()
    assert (picture[:, :10] == GROUND).all()


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_values_that_are_no_probabilities_are_refused(value):
    with pytest.raises(InputError, match=r"values in \[0, 1\]"):
        picture_of_planes(np.full((1, 2, 2), value))


def test_other_shapes_and_scales_are_refused():
    with pytest.raises(InputError, match=r"give \(C, H, W\)"):
        picture_of_planes(np.zeros((2, 2)))
    with pytest.raises(SettingsError, match="scale is 0"):
        picture_of_planes(np.zeros((1, 2, 2)), scale=0)
