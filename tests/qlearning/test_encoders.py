"""Encoders of grids: patches, scaling, and which network an observation asks for."""

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.qlearning.encoders import (
    FEATURES,
    GridEncoder,
    NumbersEncoder,
    network_for,
    patch_side,
)
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.units import ENOUGH, LEAST_UNIT, Units, settle


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(10, 10, 1), (16, 16, 1), (18, 18, 2), (84, 84, 6), (64, 32, 4), (210, 160, 10), (17, 17, 17), (17, 18, 1), (8, 34, 2)],
)  # fmt: skip
def test_patches_leave_at_most_sixteen_cells_across_where_sides_divide(height, width, side):
    assert patch_side(height, width) == side
    assert height % side == 0
    assert width % side == 0


def seeded(encoder, seed=0):
    initialise(encoder, torch.Generator().manual_seed(seed))
    return encoder


def by_hand(encoder, grid, rest):
    """What GridEncoder says it does, in float64 and by loops over cells."""
    weight, bias = encoder.convolution.weight.detach().double(), encoder.convolution.bias.detach().double()
    side = encoder.patches.downscale_factor
    count, channels, height, width = grid.shape
    rows, columns = height // side, width // side
    cut = grid.double().view(count, channels, rows, side, columns, side).permute(0, 1, 3, 5, 2, 4)
    padded = torch.zeros(count, channels * side * side, rows + 2, columns + 2, dtype=torch.float64)
    padded[:, :, 1:-1, 1:-1] = cut.reshape(count, -1, rows, columns)
    seen = torch.zeros(count, 16, rows, columns, dtype=torch.float64)
    for i in range(rows):
        for j in range(columns):
            window = padded[:, None, :, i : i + 3, j : j + 3]
            seen[:, :, i, j] = (window * weight).sum(dim=(2, 3, 4)) + bias
    seen = seen.flatten(1)

    def normal(x):
        return (x - x.mean(dim=1, keepdim=True)) / (x.var(dim=1, correction=0, keepdim=True) + 1e-5).sqrt()

    features = torch.cat([normal(seen).relu(), rest.double()], dim=1)
    linear = encoder.linear[0]
    return normal(features @ linear.weight.detach().double().T + linear.bias.detach().double()).relu()


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32])
def test_a_grid_and_what_joins_it(dtype):
    rng = torch.Generator().manual_seed(1)
    raw = torch.randint(0, 256, (3, 2, 20, 40), generator=rng)
    grid = raw > 127 if dtype == torch.bool else raw.to(dtype)
    scaled = raw.double() / 255 if dtype == torch.uint8 else grid.double()
    extra = torch.randint(0, 256, (3, 5), generator=rng).to(torch.uint8)
    encoder = seeded(GridEncoder({"grid": spec(2, 20, 40, dtype=dtype), "extra": spec(5, dtype=torch.uint8)}))
    assert encoder.patches.downscale_factor == 4
    with torch.no_grad():
        features = encoder({"grid": grid, "extra": extra})
    assert features.shape == (3, FEATURES)
    torch.testing.assert_close(
        features.double(), by_hand(encoder, scaled, extra.double() / 255), atol=1e-4, rtol=1e-4
    )
    assert bool((features > 0).any())


def test_several_grids_are_planes_of_one():
    rng = torch.Generator().manual_seed(1)
    walls, pixels = (
        torch.rand(2, 1, 8, 8, generator=rng) < 0.5,
        torch.randint(0, 256, (2, 3, 8, 8), generator=rng).to(torch.uint8),
    )
    encoder = seeded(
        GridEncoder({"walls": spec(1, 8, 8, dtype=torch.bool), "pixels": spec(3, 8, 8, dtype=torch.uint8)})
    )
    with torch.no_grad():
        features = encoder({"walls": walls, "pixels": pixels})
    whole = torch.cat([walls.double(), pixels.double() / 255], dim=1)
    torch.testing.assert_close(
        features.double(), by_hand(encoder, whole, torch.zeros(2, 0)), atol=1e-4, rtol=1e-4
    )


def test_bytes_are_divided_by_255():
    encoder = seeded(NumbersEncoder({"bytes": spec(4, dtype=torch.uint8), "numbers": spec(2)}))
    numbers = torch.tensor([[0.5, -3.0]])
    with torch.no_grad():
        told = encoder({"bytes": torch.tensor([[0, 51, 102, 255]], dtype=torch.uint8), "numbers": numbers})
        same = encoder.encoder.layers(torch.tensor([[0, 0.2, 0.4, 1.0, 0.5, -3.0]]))
    torch.testing.assert_close(told, same)


def spec(*shape, dtype=torch.float32):
    return ObservationSpec(shape, dtype, 0.0, 255.0 if dtype == torch.uint8 else 1.0)


def free(*shape):
    return ObservationSpec(shape, torch.float32, -torch.inf, torch.inf)


def test_bounds_are_units_and_stay_so():
    """As of CartPole: positions are bounded, speeds are not."""
    space = ObservationSpec((4,), torch.float32, -torch.inf, torch.inf, (4.8, torch.inf, 0.42, 3.4e38))
    encoder = NumbersEncoder({"state": space, "bits": spec(1, dtype=torch.bool)}, 8)
    assert encoder.unit.tolist() == pytest.approx([4.8, 1, 0.42, 1, 1])
    encoder.settle({"state": torch.tensor([[0.1, -3.0, 0.1, 2.0]]), "bits": torch.tensor([[False]])})
    assert encoder.unit.tolist() == pytest.approx([4.8, 3, 0.42, 2, 1])


@pytest.mark.parametrize(
    ("specs", "encoder"),
    [
        ({"numbers": spec(4)}, NumbersEncoder),
        ({"planes": spec(4, 10, 10, dtype=torch.bool)}, GridEncoder),
        ({"frames": spec(4, 84, 84, dtype=torch.uint8)}, GridEncoder),
        ({"planes": spec(1, 8, 8), "more": spec(3)}, GridEncoder),
        ({"planes": spec(1, 8, 8), "others": spec(2, 8, 8)}, GridEncoder),
        ({"small": spec(1, 4, 4)}, NumbersEncoder),  # smaller than convolutions are good for
        ({"narrow": spec(1, 7, 30)}, NumbersEncoder),
        ({"planes": spec(1, 8, 8), "others": spec(1, 9, 9)}, NumbersEncoder),  # of two sizes
        ({"planes": spec(1, 8, 8), "small": spec(1, 4, 4)}, NumbersEncoder),
    ],
)
def test_the_network_fits_what_is_shown(specs, encoder):
    network = network_for(specs, 3)
    assert type(network.encoder) is encoder
    shown = {name: torch.rand(2, *part.shape).mul(9).to(part.dtype) for name, part in specs.items()}
    q = network(shown)
    assert q.shape == (2, 3)
    # Every part of the observation reaches the values.
    for name in specs:
        other = network(shown | {name: torch.zeros_like(shown[name])})
        assert not torch.allclose(q, other), name


def test_grids_of_two_sizes_are_refused():
    with pytest.raises(SettingsError, match=r"the grids are \[\(8, 8\), \(9, 9\)\]"):
        GridEncoder({"a": spec(1, 8, 8), "b": spec(1, 9, 9)})
    with pytest.raises(SettingsError, match=r"the grids are \[\]"):
        GridEncoder({"a": spec(3)})


def test_settling_changes_the_units_and_not_the_values():
    rng = torch.Generator().manual_seed(2)
    shown = {
        "speed": 50 * torch.randn(200, 2, generator=rng),
        "angle": 0.01 * torch.randn(200, 1, generator=rng),
    }
    network = network_for({"speed": free(2), "angle": free(1)}, 3)
    initialise(network, rng)
    with torch.no_grad():
        before = network(shown)
        for seen in (shown, {name: 2 * value for name, value in shown.items()}):  # and again, as more is seen
            settle(network, seen)
            torch.testing.assert_close(network(shown), before, atol=1e-4, rtol=1e-4)
    columns = torch.cat([2 * shown["speed"], 2 * shown["angle"]], dim=1)
    torch.testing.assert_close(network.encoder.unit, columns.abs().amax(dim=0))
    # The first layer is told numbers in [-1, 1].
    told = []
    network.encoder.encoder.register_forward_pre_hook(lambda module, given: told.append(given[0]["numbers"]))
    network({name: 2 * value for name, value in shown.items()})
    torch.testing.assert_close(told[0].abs().amax(dim=0), torch.ones(3))
    # What was always 0 is told in small units, not in none.
    settle(network, {"speed": torch.zeros(5, 2), "angle": torch.zeros(5, 1)})
    assert network.encoder.unit.tolist() == pytest.approx([LEAST_UNIT] * 3)
    assert bool(torch.isfinite(network(shown)).all())


def test_units_are_part_of_the_weights():
    one, other = (seeded(NumbersEncoder({"speed": free(2)}, 8), seed) for seed in (0, 1))
    shown = {"speed": torch.tensor([[1.0, -3.0], [2.0, 5.0]])}
    one.settle(shown)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(shown), other(shown))


def codes(count, rng):
    """A view as MiniGrid's: kinds from 0 to 10, colours to 5, states to 2, in bytes said to be 0 to 255."""
    most = torch.tensor([11, 6, 3])[:, None, None]
    return (torch.rand(count, 3, 8, 8, generator=rng) * most).to(torch.uint8)


@pytest.mark.parametrize("side", [7, 8])
def test_bytes_that_are_codes_are_told_from_pixels_by_what_is_seen(side):
    rng = torch.Generator().manual_seed(3)
    seen = {"view": codes(300, rng)[:, :, :side, :side]}
    network = network_for({"view": spec(3, side, side, dtype=torch.uint8)}, 3)
    assert type(network.encoder) is (NumbersEncoder if side == 7 else GridEncoder)
    initialise(network, rng)
    few = {"view": seen["view"][: ENOUGH - 1]}
    settle(network, few)  # too few to judge by
    before = network(seen)
    with pytest.warns(UserWarning, match="view is said to be bytes.*none is above 10: taken for codes"):
        settle(network, seen)
    torch.testing.assert_close(network(seen), before, atol=1e-4, rtol=1e-4)
    units = next(part for part in network.modules() if isinstance(part, Units))
    told = units(seen)
    assert told.amax(dim=(0, 2, 3) if side == 8 else 0).tolist() == pytest.approx([1.0] * told.shape[1])
    # Dark pictures first, bright ones later: they were pixels after all.
    settle(network, {"view": seen["view"] * 20})
    assert set(units.unit.tolist()) == {255.0}
    torch.testing.assert_close(network(seen), before, atol=1e-4, rtol=1e-4)


def test_a_range_that_the_environment_tells_is_taken_at_its_word():
    network = network_for({"view": ObservationSpec((2, 8, 8), torch.uint8, 0.0, 10.0)}, 3)
    assert network.encoder.grid_units.unit.tolist() == [10, 10]
    settle(network, {"view": torch.ones(300, 2, 8, 8, dtype=torch.uint8)})
    assert network.encoder.grid_units.unit.tolist() == [10, 10]
    floats = network_for({"view": ObservationSpec((1, 8, 8), torch.float32, 0.0, 255.0), "free": free(2)}, 3)
    assert floats.encoder.grid_units.unit.tolist() == [255]
    settle(floats, {"view": torch.ones(3, 1, 8, 8), "free": torch.tensor([[1.0, -4.0]] * 3)})
    assert floats.encoder.grid_units.unit.tolist() == [255]
    assert floats.encoder.other_units.unit.tolist() == [1, 4]


def test_units_of_channels_go_with_their_patches():
    """Of a grid cut into patches every weight that meets a channel follows its unit."""
    rng = torch.Generator().manual_seed(4)
    shown = {"view": torch.randn(5, 2, 34, 34, generator=rng) * torch.tensor([50.0, 0.2])[:, None, None]}
    shown["more"] = 7 * torch.randn(5, 3, generator=rng)
    network = network_for({"view": free(2, 34, 34), "more": free(3)}, 3)
    assert network.encoder.patches.downscale_factor == 17
    initialise(network, rng)
    before = network(shown)
    settle(network, shown)
    torch.testing.assert_close(network(shown), before, atol=1e-4, rtol=1e-4)
    assert network.encoder.grid_units.unit[0] > 100 * network.encoder.grid_units.unit[1]
