"""Light in rooms, in closed form, and what the camera makes of it."""

import numpy as np
import pytest

from clairvoy.imaging.synthesis import lighting


@pytest.mark.parametrize("blown", [0.0, 1.0])
def test_the_camera_exposes_white_rooms_and_dark_ones_alike(monkeypatch, blown):
    """Scaling all light leaves the exposed picture as it was, and nothing bright turns darker than what was dimmer.

    Only a picture exposed for the dark has parts that are white; there the order is lost.
    """
    monkeypatch.setattr(lighting, "BLOWN", blown)
    lit = np.random.default_rng(1).uniform(0.05, 3.0, (40, 50, 3))
    for seed in range(8):
        dim = lighting.expose(0.1 * lit, np.random.default_rng(seed))
        bright = lighting.expose(10.0 * lit, np.random.default_rng(seed))
        np.testing.assert_allclose(dim, bright)
        assert 0 < dim.min() < dim.max() <= 1
        assert (np.diff(dim.ravel()[np.argsort(lit.ravel())]) >= 0).all()
        white = float((dim == 1).mean())
        assert white == 0 if not blown else white <= 0.2001


def test_light_is_warm_cool_or_white():
    """Half of the lights have no colour; the others lie between white and the warmest or the coolest."""
    colours = np.array([lighting.light_colour(np.random.default_rng(k)) for k in range(400)])
    white = (colours == 1).all(axis=1)
    assert 0.4 < white.mean() < 0.6
    warm, cool = colours[colours[:, 0] > colours[:, 2]], colours[colours[:, 0] < colours[:, 2]]
    assert len(warm) > 2 * len(cool) > 0
    assert (colours >= np.minimum(lighting.WARM, lighting.COOL)).all()


def test_one_lamp_lights_what_is_near_it_most():
    """A wall right ahead: one bright place, and from there on never brighter."""
    v, u = np.mgrid[-1:1:65j, -1:1:65j]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1)
    for seed in range(5):
        light = lighting.light_of_a_room(
            rays, np.full((65, 65), 3.0), (2, 2, 1, 5), np.random.default_rng(seed)
        )
        assert light.shape == (65, 65, 3)
        assert 0 < light.min() <= light.max() <= 1
        row = light[np.unravel_index(light[..., 0].argmax(), (65, 65))[0], :, 0]
        peak = int(row.argmax())
        assert (np.diff(row[: peak + 1]) >= 0).all()
        assert (np.diff(row[peak:]) <= 0).all()


def test_corners_are_shaded_and_plain_walls_are_not():
    depth = np.full((65, 65), 3.0)
    np.testing.assert_allclose(lighting.occlusion(depth, np.random.default_rng(0)), 1.0)
    depth[:, 32:] = 6.0
    shade = lighting.occlusion(depth, np.random.default_rng(0))
    assert (shade[:, 32] < 0.95).all()
    np.testing.assert_allclose(shade[:, 31], 1.0)
    assert (shade[:, 32] < shade[:, -1]).all()
