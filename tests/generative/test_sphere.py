"""Borders of a picture of the sphere, and convolutions that turn with it."""

import math

import torch

from clairvoy.generative.sphere import SphereConv2d, pad_sphere


def test_what_lies_around_is_what_lies_there_on_the_sphere():
    """A smooth function of the direction goes on smoothly: its formula, evaluated beyond the borders."""
    height, width, border = 8, 16, 3

    def shown(rows, columns):
        latitude = math.pi / 2 - (rows + 0.5) / height * math.pi
        longitude = (columns + 0.5) / width * 2 * math.pi
        x, y = latitude.cos()[:, None] * longitude.cos(), latitude.cos()[:, None] * longitude.sin()
        return (2 * x - y + 3 * latitude.sin()[:, None])[None, None]

    inside = shown(torch.arange(float(height)), torch.arange(float(width)))
    around = shown(
        torch.arange(-border, height + border).float(), torch.arange(-border, width + border).float()
    )
    torch.testing.assert_close(pad_sphere(inside, border), around, atol=1e-5, rtol=0)
    assert pad_sphere(inside, 0) is inside


def test_turning_the_picture_turns_what_comes_out():
    torch.manual_seed(0)
    layer, picture = SphereConv2d(2, 3), torch.rand(1, 2, 8, 16)
    torch.testing.assert_close(layer(picture.roll(5, dims=3)), layer(picture).roll(5, dims=3))
    halved = SphereConv2d(2, 3, stride=2)
    assert halved(picture).shape == (1, 3, 4, 8)
    torch.testing.assert_close(halved(picture.roll(4, dims=3)), halved(picture).roll(2, dims=3))
