"""Rendered outdoor scenes: depth in closed form, what hides what, and the same scene from the same seed."""

import numpy as np
import pytest

from clairvoy.imaging.synthesis.outdoors import render, render_outdoors, render_outdoors_with_height
from clairvoy.imaging.synthesis.outdoors.buildings import box_faces, paint_box
from clairvoy.imaging.synthesis.outdoors.canvas import NEAREST, Canvas
from clairvoy.imaging.synthesis.outdoors.noise import SIDE, fractal_tile, photograph_tile, sample
from clairvoy.imaging.synthesis.outdoors.photograph import expose, level_size, turn
from clairvoy.imaging.synthesis.outdoors.place import draw_place
from clairvoy.imaging.synthesis.outdoors.plants import draw_tree
from clairvoy.imaging.synthesis.outdoors.sky import Light
from clairvoy.imaging.synthesis.outdoors.terrain import see_land
from clairvoy.imaging.synthesis.outdoors.water import FARTHEST_WATER, paint_water

TEXTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
WHITE = np.ones(3, np.float32)


@pytest.fixture
def canvas():
    """A camera 2 m above the ground with the horizon in the middle of 81 x 101 pixels."""
    return Canvas.empty(81, 101, focal=100.0, centre=50.0, horizon=40.0, eye=2.0)


@pytest.fixture
def light():
    """A grey sky without a sun."""
    return Light(np.array([0, 1, 0], np.float32), 0 * WHITE, WHITE, WHITE)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def rectangle(x0, x1, y0, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def test_the_ground_comes_nearer_row_by_row(canvas):
    depth = canvas.level_depth(0.0)[:, 0]
    below = np.arange(1, 41)
    np.testing.assert_allclose(depth[41:], 2.0 * 100 / below, rtol=1e-6)
    assert np.isinf(depth[:41]).all()


def test_height_is_that_of_the_point_in_space(canvas):
    """Column, row and depth of a known point give back its height."""
    x, y, z = 1.5, 3.2, 20.0
    row, column = canvas.row(y, z), canvas.column(x, z)
    assert (row, column) == pytest.approx((34.0, 57.5))
    canvas.depth[:] = z
    assert canvas.height()[34, 57] == pytest.approx(y)
    assert canvas.height_of_row(34.0, z) == pytest.approx(y)


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_hides_the_farther_in_any_order(canvas, order):
    cards = [(10.0, 0.1 * WHITE), (20.0, 0.5 * WHITE), (40.0, 0.9 * WHITE)][::order]
    for z, colour in cards:
        half = 0.1 * z if z < 40 else 100
        canvas.card(rectangle(-half, half, -50, 50), z, colour)
    np.testing.assert_allclose(canvas.depth[40, 45:55], 10.0)
    np.testing.assert_allclose(canvas.colour[40, 45:55], 0.1)
    np.testing.assert_allclose(canvas.depth[:, 70:], 40.0)
    np.testing.assert_allclose(canvas.colour[:, 70:], 0.9)


def test_the_sides_of_a_box_run_into_depth(canvas, light):
    """A wall at x = 3 is seen at depth 100 * 3 / column, its front at the front's depth."""
    paint_box(canvas, (3.0, 50.0, -50.0, 50.0, 10.0, 60.0), WHITE, light)
    across = np.arange(101) - 50
    np.testing.assert_allclose(canvas.depth[40, 82:], 10.0, rtol=1e-5)
    side = (across > 300 / 60 + 1) & (across < 300 / 10 - 1)
    np.testing.assert_allclose(
        canvas.depth[:, side], np.broadcast_to(300 / across[side], (81, side.sum())), rtol=1e-4
    )
    assert np.isinf(canvas.depth[:, :54]).all()


def test_backs_are_not_seen(canvas):
    front, left, right, top = box_faces((3.0, 5.0, 0.0, 1.0, 10.0, 12.0))
    assert canvas.face(right) is None
    assert canvas.face(front[::-1]) is None
    assert all(canvas.face(seen) is not None for seen in (front, left, top))


def test_what_reaches_behind_the_camera_is_cut_off(canvas):
    wall = np.array([(3, -9, 8), (3, -9, -8), (3, 9, -8), (3, 9, 8)], float)
    face = canvas.face(wall)
    seen = np.isfinite(face.depth)
    across = np.arange(101)[face.window[1]] - 50
    assert seen.any()
    assert face.depth[seen].min() >= NEAREST
    expected = np.broadcast_to(300 / np.maximum(across, 1), seen.shape)
    np.testing.assert_allclose(face.depth[seen], expected[seen], rtol=1e-4)


def test_a_slope_is_met_where_the_ray_meets_it(canvas):
    """Ground y = z / 10 under a ray that falls by `down`: 2 - down z = z / 10."""
    land = see_land(canvas, lambda x, z: (z / 10).astype(np.float32), 1.0, 1000.0)
    down = canvas.down()
    met = np.broadcast_to(2 / np.maximum(down + 0.1, 1e-3), canvas.shape)
    assert land.first in (30, 31)
    below = slice(31 - land.first, None)
    met = met[31:]
    np.testing.assert_allclose(land.depth[below], met, rtol=2e-3)
    np.testing.assert_allclose(land.height[below], met / 10, rtol=2e-2, atol=1e-2)
    slant = np.hypot(1, 0.1)
    np.testing.assert_allclose(land.up[below], 1 / slant, rtol=1e-3)
    np.testing.assert_allclose(land.ahead[below], -0.1 / slant, rtol=1e-2)


def test_a_ridge_hides_the_higher_one_behind_it_up_to_its_crest(canvas):
    """Walls of 4 m at 50 m and 12 m at 100 m: rows 36 and 30 are where they end."""

    def walls(x, z):
        return np.where(z > 100, 12.0, np.where(z > 50, 4.0, 0.0)).astype(np.float32)

    land = see_land(canvas, walls, 1.0, 300.0)
    assert land.first in (30, 31)
    near = land.depth[37 - land.first : 40 - land.first]
    assert ((near > 45) & (near < 55)).all()
    behind = land.depth[32 - land.first : 35 - land.first]
    assert ((behind > 90) & (behind < 110)).all()


def test_water_is_as_far_as_a_level_plane_and_does_not_hide_land(canvas, light, rng):
    canvas.card(rectangle(-1, 1, -5, 5), 10.0, WHITE)
    canvas.card(rectangle(20, 30, 0.2, 9), 100.0, WHITE)
    paint_water(canvas, light, fractal_tile(rng, 1.1), rng, calm=0.5)
    rows = np.arange(41, 81)
    np.testing.assert_allclose(
        canvas.depth[rows, 5], np.minimum(200 / (rows - 40), FARTHEST_WATER), rtol=1e-5
    )
    np.testing.assert_allclose(canvas.depth[60, 45:55], 10.0)
    assert canvas.depth[41, 75] == pytest.approx(100.0)


def test_calm_water_mirrors_the_far_shore_upside_down(light):
    """A bright band in rows 30 to 35 brightens the water in rows 45 to 50, as far below the horizon, and no other."""
    seen = []
    for bright in (0.2, 0.9):
        rng = np.random.default_rng(3)
        canvas = Canvas.empty(81, 101, focal=100.0, centre=50.0, horizon=40.0, eye=2.0)
        canvas.colour[:] = 0.2
        canvas.colour[30:36] = bright
        paint_water(canvas, light, fractal_tile(rng, 1.1), rng, calm=1.0)
        seen.append(canvas.colour[41:].mean(axis=(1, 2)))
    brighter = seen[1] - seen[0]
    assert (brighter[5:8] > 0.7 * 0.4).all()
    np.testing.assert_allclose(brighter[12:], 0, atol=1e-6)
    np.testing.assert_allclose(brighter[:2], 0, atol=1e-6)


def test_a_tree_stands_as_tall_as_it_is(canvas, light, rng):
    picture = np.ones((64, 32, 4), np.float32)
    canvas.sprite(picture, 0.0, 0.0, 10.0, 4.0)
    rows, columns = np.nonzero(np.isfinite(canvas.depth))
    # Foot at row 40 + 100 * 2 / 10, top 40 pixels above, half as wide.
    assert (rows.min(), rows.max() + 1) == pytest.approx((20, 60), abs=1)
    assert columns.max() + 1 - columns.min() == pytest.approx(20, abs=1)
    np.testing.assert_allclose(canvas.depth[np.isfinite(canvas.depth)], 10.0)


@pytest.mark.parametrize("seed", range(8))
def test_trees_are_neither_empty_nor_solid(seed):
    rng = np.random.default_rng(seed)
    place = draw_place([TEXTURE], 32, 32, rng, eye=2.0, focal=(1, 2), horizon=(0.4, 0.6))
    tree = draw_tree(place.season, place.light, place.rough, rng)
    assert 0.01 < tree[..., 3].mean() < 0.9
    assert (tree[..., :3] >= 0).all()


def test_noise_repeats_and_fades_into_its_mean_with_distance(rng):
    tile = fractal_tile(rng)
    assert tile[0].mean() == pytest.approx(0, abs=1e-3)
    assert tile[0].std() == pytest.approx(1, rel=1e-3)
    u, v = rng.random((2, 9, 9)).astype(np.float32) * 0.9
    np.testing.assert_allclose(sample(tile, u, v), sample(tile, u + 3, v - 2), atol=2e-3)
    at = np.arange(8, dtype=np.float32)[None] / SIDE
    np.testing.assert_allclose(sample(tile, at, 0 * at)[0], tile[0][0, :8], atol=1e-5)
    sharp, soft, far = (sample(tile, u, v, footprint).std() for footprint in (0.0, 0.1, 2.0))
    assert sharp > soft > far
    assert far < 1e-4


def test_photographs_give_structure_and_no_light(rng):
    bright = np.clip(TEXTURE.astype(int) // 4 + 150, 0, 255).astype(np.uint8)
    for photograph in (bright, TEXTURE // 4):
        assert photograph_tile(photograph, rng)[-1].mean() == pytest.approx(1, abs=0.12)


def test_a_turned_view_keeps_depths_that_exist(rng):
    height, width = level_size(40, 60, 0.1)
    depth = rng.choice([3.0, 70.0], (height, width)).astype(np.float32)
    (turned,) = turn([depth], 40, 60, 0.1)
    assert turned.shape == (40, 60)
    assert set(np.unique(turned)) == {3.0, 70.0}


def test_turning_is_about_the_middle_and_by_the_angle():
    """A bright dot 20 pixels right of the middle comes to lie at the angle, seen from the turned camera."""
    light = np.zeros((101, 101, 3), np.float32)
    light[49:52, 69:72] = 1
    (turned,) = turn([light], 81, 81, np.deg2rad(30))
    row, column = np.array(np.nonzero(turned[..., 0] > 0.5)).mean(axis=1) - 40
    assert np.hypot(row, column) == pytest.approx(20, abs=0.5)
    assert abs(np.rad2deg(np.arctan2(row, column))) == pytest.approx(30, abs=2)


def test_exposure_does_not_depend_on_how_bright_the_day_is():
    scene = np.random.default_rng(1).uniform(0.05, 3.0, (40, 52, 3)).astype(np.float32)
    dim, bright = (expose(scene * np.float32(k), np.random.default_rng(2)) for k in (0.1, 10))
    np.testing.assert_allclose(dim, bright, rtol=1e-4)


@pytest.mark.parametrize("kind", render.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_every_kind_is_a_picture_with_depth_and_the_same_again(kind, seed, monkeypatch):
    monkeypatch.setattr(render, "SHARES", tuple(float(kind == other) for other in render.KINDS))
    rgb, depth, elevation, camera = render_outdoors_with_height(
        [TEXTURE], 64, 80, np.random.default_rng(seed)
    )
    assert rgb.shape == (64, 80, 3)
    assert rgb.dtype == np.uint8
    assert depth.dtype == elevation.dtype == np.float32
    assert depth.shape == elevation.shape == (64, 80)
    assert float(depth.min()) > 0
    assert np.isfinite(depth).all()
    assert np.isfinite(elevation).all()
    assert camera > 1
    assert rgb.std() > 3
    again = render_outdoors([TEXTURE], 64, 80, np.random.default_rng(seed))
    assert np.array_equal(rgb, again[0])
    assert np.array_equal(depth, again[1])


def test_the_sky_is_farther_than_everything():
    """Where there is sky it has one depth, times further than the next."""
    found = 0
    for seed in range(12):
        _, depth = render_outdoors([TEXTURE], 48, 48, np.random.default_rng(seed))
        values = np.unique(depth)
        if values[-1] > render.SKY_BEYOND[0] * 0.99 * values[-2]:
            found += 1
            assert values[-1] < render.SKY_BEYOND[1] * 1.5 * values[-2]
    assert found >= 9
