import numpy as np
import pytest

from clairvoy.painting.looking import REGION_NUMBERS, Looking
from clairvoy.painting.proposals import new_shapes
from clairvoy.painting.regions import CHANNELS, NUMBERS, SIDE, canonical, from_region, to_region, view
from clairvoy.painting.shapes import FAMILIES


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_a_shape_comes_back_from_a_regions_measures(family):
    rng = np.random.default_rng(0)
    shapes = new_shapes(family, rng.uniform(0, 1, (50, 2)), rng, (0.1, 0.3))
    centre = np.array([0.4, 0.7])
    rows = to_region(family, shapes, centre, 0.3)
    assert rows.shape == (50, NUMBERS)
    back = from_region(family, rows, centre, 0.3)
    for one, other in zip(family.outline(shapes, 40), family.outline(back, 40), strict=True):
        # The same points, whichever comes first.
        far = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1))
        assert far.min(axis=1).max() < 1e-9 or family.name == "ellipses"
        np.testing.assert_allclose(np.sort(one, axis=0)[[0, -1]], np.sort(other, axis=0)[[0, -1]], atol=4e-3)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_one_shape_has_one_description(family):
    rng = np.random.default_rng(1)
    shapes = new_shapes(family, rng.uniform(0, 1, (20, 2)), rng)
    once = canonical(family, shapes)
    np.testing.assert_allclose(canonical(family, once), once)
    other = {
        "triangles": lambda s: s[:, [2, 3, 0, 1, 4, 5]],
        "ellipses": lambda s: np.column_stack([s[:, 0], s[:, 1], s[:, 3], s[:, 2], s[:, 4] + np.pi / 2]),
        "rectangles": lambda s: np.column_stack([s[:, :4], s[:, 4] + np.pi]),
        "brush": lambda s: s[:, [4, 5, 2, 3, 0, 1, 8, 7, 6]],
        "lines": lambda s: s[:, [2, 3, 0, 1, 4]],
    }[family.name]
    described = [to_region(family, some, np.zeros(2), 1.0) for some in (shapes, other(shapes))]
    np.testing.assert_allclose(described[0], described[1], atol=1e-9)


def test_a_view_tells_what_is_wrong_and_where_the_picture_ends():
    target, canvas = np.full((20, 40, 3), 0.75), np.full((20, 40, 3), 0.5)
    target[:, 20:] = 0.25
    seen = view(target, canvas, np.array([0.5, 0.25]), 0.5)
    assert seen.shape == (SIDE, SIDE, CHANNELS)
    np.testing.assert_allclose(seen[:, : SIDE // 2, :3], 0.25)
    np.testing.assert_allclose(seen[:, SIDE // 2 :, :3], -0.25)
    np.testing.assert_allclose(seen[..., 3:6], 0.0)
    corner = view(target, canvas, np.array([0.0, 0.0]), 0.5)
    np.testing.assert_allclose(corner[: SIDE // 2, :, 6], 0)
    np.testing.assert_allclose(corner[SIDE // 2 :, SIDE // 2 :, 6], 1)


def test_a_region_in_few_numbers():
    target, canvas = np.zeros((40, 40, 3)), np.zeros((40, 40, 3))
    target[:20, :20] = [0.6, 0.0, 0.0]
    looking = Looking(target, canvas, np.ones((40, 40)))
    assert looking.total == pytest.approx(400 * 0.36)
    whole, quarter, empty = looking.describe(
        np.array([[0.5, 0.5], [0.25, 0.25], [0.75, 0.75]]), np.array([1.0, 0.5, 0.5]), np.array([0, 1, 4])
    )
    assert len(whole) == REGION_NUMBERS
    assert whole[0] == pytest.approx(0.3)
    assert np.exp(whole[1]) == pytest.approx(1.0)
    np.testing.assert_allclose(whole[2:5], [0.15, 0, 0])
    np.testing.assert_allclose(whole[5:17].reshape(4, 3)[:, 0], [0.6, 0, 0, 0])
    assert quarter[0] == pytest.approx(0.6)
    # One flat colour mends all of a quarter, and a quarter of the whole.
    assert np.exp(quarter[18]) == pytest.approx(1.0)
    assert np.exp(whole[18]) == pytest.approx(0.25)
    assert empty[0] == 0
    np.testing.assert_allclose([whole[19], quarter[20], empty[23]], 1.0)
