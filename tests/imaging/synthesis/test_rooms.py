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
