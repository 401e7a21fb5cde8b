"""The generator: its two directions invert one another, and its pieces give what they say."""

import math

import pytest
import torch

from clairvoy.generative.density.picture_size import working_size
from clairvoy.generative.density.vae import (
    DENSITY_FLOOR,
    FAINT_TINT,
    MAX_TINT,
    DensityVAE,
    Draw,
    Field,
    Posterior,
    density_of,
)


def test_the_density_field_is_a_hundredth_of_the_picture():
    posterior = DensityVAE().encode(torch.rand(1, 3, 256, 256))
    assert posterior.mean.shape == (1, 8, 16, 16)
    assert posterior.mean.numel() / (3 * 256 * 256) < 0.011
    assert posterior.airlight.shape == (1, 3, 1, 1)


def test_restore_is_the_inverse_of_the_physics(generator):
    generator.double()
    hazy = torch.rand(2, 3, 64, 48, dtype=torch.float64)
    # The heads answer in single precision, whatever they are given.
    draw = Draw(*(one.double() for one in generator.encode(hazy).most_likely))
    with torch.no_grad():
        clear, od = generator.restore(hazy, draw)
    t = torch.exp(-od)
    torch.testing.assert_close(clear * t + draw.airlight * (1 - t), hazy)
    assert float(od.min()) >= 0
    assert float(od.max()) <= generator.settings.max_optical_depth


def test_restore_takes_away_what_simulate_put_on(generator):
    """Along the guide of the clear picture the haze of a draw is undone, but for what is lost in dense haze."""
    clear = torch.rand(2, 3, 64, 64)
    airlight = torch.full((2, 3, 1, 1), 0.8)
    with torch.no_grad():
        made = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(0))
        z = generator.prior(generator.trunk(clear), torch.tensor([0.3, 1.0])).sample(
            torch.Generator().manual_seed(0)
        )
        draw = Draw(z, density_of(torch.tensor([0.3, 1.0])), airlight)
        od = generator.optical_depth(draw, clear)
    torch.testing.assert_close(od, made.optical_depth)
    torch.testing.assert_close((made.hazy - airlight) * torch.exp(od) + airlight, clear, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mean_od", [0.05, 0.4, 1.2])
def test_the_mean_optical_depth_is_what_the_density_says(generator, mean_od):
    """Exp(density) - floor, whatever the field: the field says only where it lies."""
    generator.double()
    z = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density = torch.full((3, 1, 1, 1), math.log(mean_od + DENSITY_FLOOR), dtype=torch.float64)
    with torch.no_grad():
        generator.decoder.last.weight.mul_(30)  # an uneven spread
        spread = generator.decoder(generator.decoder.features(z))
        grid = generator.decode(z, density)
    torch.testing.assert_close(spread.mean(dim=(1, 2, 3)), torch.ones(3))
    assert float(spread.std()) > 0.05
    assert grid.shape == (3, 4, 40, 48)
    assert float(grid.max()) < generator.settings.max_optical_depth  # nothing is cut off
    torch.testing.assert_close(grid.mean(dim=(1, 2, 3)), torch.full((3,), mean_od, dtype=torch.float64))
    torch.testing.assert_close(density_of(torch.full((3,), mean_od, dtype=torch.float64)), density)


def test_below_the_floor_there_is_no_haze_and_nothing_changes(generator):
    """A picture that is seen to be clear comes back as it is, but for the last bit of (I - A) + A."""
    picture = torch.rand(1, 3, 64, 64)
    for density in (math.log(DENSITY_FLOOR) - 1e-3, math.log(DENSITY_FLOOR) - 1):
        draw = Draw(torch.randn(1, 4, 4, 4), torch.full((1, 1, 1, 1), density), torch.full((1, 3, 1, 1), 0.9))
        with torch.no_grad():
            restored, od = generator.restore(picture, draw)
        assert float(od.max()) == 0.0
        torch.testing.assert_close(restored, picture, atol=1e-7, rtol=0)


def test_dense_haze_is_restored_up_to_the_limit_and_no_further(generator):
    with torch.no_grad():
        grid = generator.decode(torch.zeros(1, 4, 2, 2), torch.full((1, 1, 1, 1), 2.0))
    assert float(grid.max()) == generator.settings.max_optical_depth


def test_simulate_puts_on_the_haze_that_it_reports(generator):
    clear = torch.rand(2, 3, 64, 64)
    airlight = torch.full((2, 3, 1, 1), 0.8)
    made = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(0))
    t = torch.exp(-made.optical_depth)
    torch.testing.assert_close(made.hazy, clear * t + 0.8 * (1 - t))
    again = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(0))
    assert torch.equal(made.hazy, again.hazy)
    other = generator.simulate(clear, torch.tensor([0.3, 1.0]), airlight, torch.Generator().manual_seed(1))
    assert not torch.equal(made.hazy, other.hazy)


def test_draws_have_the_mean_and_deviation_of_the_posterior():
    many = 40_000
    mean, log_variance = torch.full((many, 1, 1, 1), 3.0), torch.full((many, 1, 1, 1), -1.0)
    one = torch.ones(many, 1, 1, 1)
    airlight = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1).expand(many, 3, 1, 1)
    posterior = Posterior(mean, log_variance, -0.5 * one, 0.2 * one, airlight, 0.03 * one)
    draw = posterior.sample(torch.Generator().manual_seed(0))
    assert float(draw.z.mean()) == pytest.approx(3.0, abs=0.01)
    assert float(draw.z.std()) == pytest.approx(math.exp(-0.5), abs=0.01)
    assert float(draw.density.mean()) == pytest.approx(-0.5, abs=0.005)
    assert float(draw.density.std()) == pytest.approx(0.2, abs=0.005)
    # The airlight's brightness is uncertain, not its colour: all channels move together.
    moved = draw.airlight - airlight
    torch.testing.assert_close(moved[:, 0], moved[:, 2], atol=1e-6, rtol=0)
    assert float(moved.std()) == pytest.approx(0.03, abs=0.001)
    correlation = torch.corrcoef(torch.cat([draw.z, draw.density, moved[:, :1]], dim=1).flatten(1).T)
    assert float((correlation - torch.eye(3)).abs().max()) < 0.02


def test_the_most_likely_draw_is_the_mean_of_each(generator):
    posterior = generator.encode(torch.rand(1, 3, 64, 64))
    draw = posterior.most_likely
    assert draw.z is posterior.mean
    assert draw.density is posterior.density
    assert draw.airlight is posterior.airlight


def test_a_prior_is_drawn_from_with_its_mean_and_deviation():
    field = Field(torch.full((1, 2, 200, 200), 3.0), torch.full((1, 2, 200, 200), -1.0))
    z = field.sample(torch.Generator().manual_seed(0))
    assert float(z.mean()) == pytest.approx(3.0, abs=0.01)
    assert float(z.std()) == pytest.approx(math.exp(-0.5), abs=0.01)
    assert torch.equal(z, field.sample(torch.Generator().manual_seed(0)))


def test_airlight_lies_between_black_and_white(generator):
    pictures = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64), torch.rand(3, 64, 64)])
    airlight = generator.encode(pictures).airlight
    assert bool(((airlight > 0) & (airlight < 1)).all())


def airlight_of_one_colour(generator, colour, *, keeps=20.0):
    """The airlight that is told of a picture of one colour, with `keeps` the logit of how much tint is kept."""
    with torch.no_grad():
        head = generator.airlight_head[2]
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 0.0, keeps, 0.0]))
        picture = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 64, 64)
        return generator.encode(picture).airlight.flatten()


def test_the_airlight_of_an_even_picture_is_its_colour_a_little_greyer(generator):
    """With its tint kept whole, each channel's departure from the mean is smaller by `FAINT_TINT`."""
    told = airlight_of_one_colour(generator, (0.6, 0.5, 0.4))
    torch.testing.assert_close(told, torch.tensor([0.6 - FAINT_TINT, 0.5, 0.4 + FAINT_TINT]))


def test_a_faint_tint_of_the_airlight_is_none(generator):
    told = airlight_of_one_colour(generator, (0.519, 0.5, 0.481))
    torch.testing.assert_close(told, torch.full((3,), 0.5))


def test_the_airlight_is_never_tinted_by_more_than_the_limit(generator):
    told = airlight_of_one_colour(generator, (0.9, 0.45, 0.0))
    torch.testing.assert_close(told, torch.tensor([0.45 + MAX_TINT, 0.45, 0.45 - MAX_TINT]))


def test_half_of_the_tint_is_kept_where_the_head_does_not_know(generator):
    told = airlight_of_one_colour(generator, (0.7, 0.5, 0.3), keeps=0.0)
    torch.testing.assert_close(told, torch.tensor([0.6 - FAINT_TINT, 0.5, 0.4 + FAINT_TINT]))


def test_the_trunk_sees_darkest_and_brightest_of_blocks_of_four(generator):
    """A white dot and a black one in each block are told as well as a whole block of the one or the other."""
    seen = []
    generator.trunk.extremes.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    picture = torch.full((1, 3, 64, 64), 0.5)
    picture[..., 1::4, 2::4] = torch.tensor([0.9, 0.8, 0.7]).view(3, 1, 1)
    picture[..., 3::4, 0::4] = torch.tensor([0.3, 0.2, 0.1]).view(3, 1, 1)
    generator.trunk(picture)
    expected = torch.tensor([0.3, 0.2, 0.1, 0.9, 0.8, 0.7, 0.1]) - 0.5
    torch.testing.assert_close(seen[0], expected.view(1, 7, 1, 1).expand(1, 7, 16, 16))


def test_last_features_end_with_the_density_and_how_sure_it_is(generator):
    picture = torch.rand(2, 3, 64, 96)
    posterior, features = generator.encode(picture), generator.last_features(picture)
    assert features.shape == (2, generator.settings.width + 2, 8, 12)
    for channel, told in ((-2, posterior.density), (-1, torch.log(posterior.density_deviation))):
        torch.testing.assert_close(features[:, channel], told[:, 0].expand(2, 8, 12))
    torch.testing.assert_close(features[:, :-2], generator.decoder.features(posterior.mean))


def test_the_guide_is_the_brightness_before_training(generator):
    dark, bright = generator.guide(torch.zeros(1, 3, 2, 2)), generator.guide(torch.ones(1, 3, 2, 2))
    assert float((bright.mean() - dark.mean()).detach()) > 0.5


@pytest.mark.parametrize(("size", "expected"), [((256, 256), (256, 256)), ((1000, 2000), (176, 368))])
def test_working_size(size, expected):
    assert working_size(*size) == expected


def test_working_size_of_extremes_is_usable():
    for height, width in ((16, 16), (1, 1), (1, 40000), (40000, 1)):
        found = working_size(height, width)
        assert all(side % 16 == 0 and 64 <= side <= 1024 for side in found)
