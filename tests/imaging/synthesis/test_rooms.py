"""Rendered rooms: depth in closed form, and the same room from the same seed."""

import numpy as np
import pytest

from clairvoy.imaging.synthesis import rooms
from clairvoy.imaging.synthesis.depth import camera_rays
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker

TEXTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def straight():
    """A canvas of 65 x 65 rays of a camera that looks straight ahead, 45 degrees wide to each side."""
    v, u = np.mgrid[-1:1:65j, -1:1:65j]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1)
    return rooms._Canvas(rays, np.full((65, 65), np.inf), np.zeros((65, 65, 3)))


def test_a_wall_ahead_is_as_far_everywhere(straight):
    rooms._plane(straight, 2, 3.0, np.ones(3), [TEXTURE], np.random.default_rng(0), hung=False)
    np.testing.assert_allclose(straight.depth, 3.0)


def test_a_floor_comes_nearer_towards_the_feet(straight):
    rooms._plane(straight, 1, 1.5, np.ones(3), [TEXTURE], np.random.default_rng(0), hung=False)
    below = straight.rays[33:, :, 1]
    np.testing.assert_allclose(straight.depth[33:], 1.5 / below)
    assert np.isinf(straight.depth[:33]).all()


def test_a_box_hides_what_is_behind_it(straight):
    rng = np.random.default_rng(0)
    rooms._plane(straight, 2, 5.0, np.ones(3), [TEXTURE], rng, hung=False)
    low, high = np.array([-0.5, -0.5, 2.0]), np.array([0.5, 0.5, 3.0])
    rooms._box(straight, low, high, np.zeros(3), [TEXTURE], rng)
    across = np.abs(straight.rays[..., :2]).max(axis=-1)
    np.testing.assert_allclose(straight.depth[across < 0.249], 2.0)
    np.testing.assert_allclose(straight.depth[across > 0.251], 5.0)


def test_points_behind_the_camera_are_not_seen(straight):
    low, high = np.array([-0.5, -0.5, -3.0]), np.array([0.5, 0.5, -2.0])
    rooms._box(straight, low, high, np.zeros(3), [TEXTURE], np.random.default_rng(0))
    assert np.isinf(straight.depth).all()


def test_rays_are_one_unit_long_along_the_optical_axis():
    """Rotated back, every ray of a random camera has the same forward part."""
    rays = camera_rays(32, 48, np.random.default_rng(3))
    corner = [rays[0, 0], rays[0, -1], rays[-1, 0], rays[-1, -1]]
    forward = np.cross(corner[1] - corner[0], corner[2] - corner[0])
    forward /= np.linalg.norm(forward)
    np.testing.assert_allclose(np.abs(rays @ forward), 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_room_is_a_picture_with_depth_and_the_same_again(seed):
    rgb, depth = rooms.render_room([TEXTURE], 48, 64, np.random.default_rng(seed))
    assert rgb.shape == (48, 64, 3)
    assert rgb.dtype == np.uint8
    assert depth.dtype == np.float32
    assert float(depth.min()) > 0
    assert float(depth.max()) <= rooms.FARTHEST
    assert rgb.std() > 3
    again = rooms.render_room([TEXTURE], 48, 64, np.random.default_rng(seed))
    assert np.array_equal(rgb, again[0])
    assert np.array_equal(depth, again[1])


def test_the_share_of_rooms_is_kept(tmp_path, monkeypatch):
    from clairvoy.imaging.files import Picture, write
    from clairvoy.imaging.synthesis import views as synthesis

    write(tmp_path / "a.png", TEXTURE, Picture(TEXTURE))
    drawn = []

    def note(textures, height, width, rng):
        drawn.append(len(textures))
        return np.zeros((height, width, 3), np.uint8), np.ones((height, width), np.float32)

    monkeypatch.setattr(synthesis, "render_room", note)
    maker = ViewMaker(Photographs([tmp_path / "a.png"]), size=32, rooms=0.3)
    for index in range(200):
        maker(index)
    assert 40 <= len(drawn) <= 80
    assert all(maker.rooms == 0.3 and count == 4 for count in drawn)


@pytest.mark.parametrize("blown", [0.0, 1.0])
def test_the_camera_exposes_white_rooms_and_dark_ones_alike(monkeypatch, blown):
    """Scaling all light leaves the exposed picture as it was, and nothing bright turns darker than what was dimmer.

    Only a picture exposed for the dark has parts that are white; there the order is lost.
    """
    monkeypatch.setattr(rooms, "BLOWN", blown)
    lit = np.random.default_rng(1).uniform(0.05, 3.0, (40, 50, 3))
    for seed in range(8):
        dim = rooms._expose(0.1 * lit, np.random.default_rng(seed))
        bright = rooms._expose(10.0 * lit, np.random.default_rng(seed))
        np.testing.assert_allclose(dim, bright)
        assert 0 < dim.min() < dim.max() <= 1
        assert (np.diff(dim.ravel()[np.argsort(lit.ravel())]) >= 0).all()
        white = float((dim == 1).mean())
        assert white == 0 if not blown else white <= 0.2001


def test_light_is_warm_cool_or_white(straight):
    """Half of the lights have no colour; the others lie between white and the warmest or the coolest."""
    colours = np.array([rooms._light_colour(np.random.default_rng(k)) for k in range(400)])
    white = (colours == 1).all(axis=1)
    assert 0.4 < white.mean() < 0.6
    warm, cool = colours[colours[:, 0] > colours[:, 2]], colours[colours[:, 0] < colours[:, 2]]
    assert len(warm) > 2 * len(cool) > 0
    assert (colours >= np.minimum(rooms.WARM, rooms.COOL)).all()
    straight.depth[:] = 3.0
    assert rooms._light(straight, (2, 2, 1, 5), np.random.default_rng(0)).shape == (*straight.depth.shape, 3)


def test_a_camera_that_looks_down_sees_the_floor():
    """y points down: the middle row's rays of a camera that looks down go below the horizon, on the mean."""
    down = [camera_rays(9, 9, np.random.default_rng(k), 0.3)[4, 4, 1] for k in range(200)]
    level = [camera_rays(9, 9, np.random.default_rng(k), 0.0)[4, 4, 1] for k in range(200)]
    assert np.mean(down) == pytest.approx(np.mean(level) + np.sin(0.3), abs=0.05)
    assert np.mean(down) > 0.2


def test_no_cupboard_hides_the_room(straight, monkeypatch):
    """One that would take more of the view than HIDES is left out, with what stands on it."""
    monkeypatch.setattr(rooms, "HIDES", 0.0)
    before = straight.depth.copy()

    class Cupboards:
        """Always a cupboard."""

        def __init__(self):
            self.rng = np.random.default_rng(0)

        def random(self, *size):
            return self.rng.random(*size) * 0.2

        def __getattr__(self, name):
            return getattr(self.rng, name)

    for _ in range(10):
        rooms._furniture(straight, (2.0, 2.0, 1.4, 5.0), [np.zeros((8, 8, 3), np.uint8)], Cupboards())
    np.testing.assert_array_equal(straight.depth, before)
    monkeypatch.setattr(rooms, "HIDES", 1.0)
    for _ in range(10):
        rooms._furniture(straight, (2.0, 2.0, 1.4, 5.0), [np.zeros((8, 8, 3), np.uint8)], Cupboards())
    assert (straight.depth < before).any()


def test_corners_are_shaded_and_plain_walls_are_not(straight):
    straight.depth[:] = 3.0
    np.testing.assert_allclose(rooms._occlusion(straight, np.random.default_rng(0)), 1.0)
    straight.depth[:, 32:] = 6.0
    shade = rooms._occlusion(straight, np.random.default_rng(0))
    assert (shade[:, 32] < 0.95).all()
    np.testing.assert_allclose(shade[:, 31], 1.0)
    assert (shade[:, 32] < shade[:, -1]).all()
