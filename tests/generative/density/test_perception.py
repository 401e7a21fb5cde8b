"""Tau: the fit finds what is linear in its signs, and the probabilities are calibrated."""

import math

import pytest
import torch
import torch.nn.functional as F

from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.discriminator import CLEAR
from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.signs import SIGNS, to_db
from clairvoy.generative.density.vae import Posterior


def test_unfitted_it_claims_to_know_nothing():
    tau, db = Calibration().of_picture(torch.randn(3, len(SIGNS), 4, 4))
    torch.testing.assert_close(tau, torch.full((3,), 0.5))
    torch.testing.assert_close(db, torch.full((3,), 20.0))


def test_the_fit_finds_a_linear_truth():
    rng = torch.Generator().manual_seed(0)
    signs = torch.randn(400, len(SIGNS), 1, 1, generator=rng)
    db = 22 + 3 * signs[:, 0] - 2 * signs[:, 2]
    calibration = Calibration()
    calibration.fit(signs, (10 ** (-db / 10))[:, None], ridge=1e-6)
    _, told = calibration.of_picture(signs)
    torch.testing.assert_close(told, db.flatten(), atol=0.01, rtol=0)
    # No smaller than half a dB: what sizes certain on few scenes is not.
    assert float(calibration.deviation[0]) == 0.5


def test_tau_is_the_frequency_of_good_restorations():
    """Signs that explain half of the variance: among pictures of tau near p, a part p is at least 20 dB."""
    rng = torch.Generator().manual_seed(0)
    signs = torch.randn(6000, len(SIGNS), 1, 1, generator=rng)
    db = (20 + 2 * signs[:, 1] + 2 * torch.randn(6000, 1, 1, generator=rng)).flatten()
    calibration = Calibration()
    calibration.fit(signs[:3000], (10 ** (-db[:3000] / 10)).view(-1, 1, 1, 1))
    tau, _ = calibration.of_picture(signs[3000:])
    good = (db[3000:] >= 20).float()
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (tau >= low) & (tau < low + 0.2)
        assert float(good[inside].mean()) == pytest.approx(float(tau[inside].mean()), abs=0.06)


def test_tau_is_the_normal_probability_of_twenty_db():
    calibration = Calibration()
    calibration.offset.fill_(23.0)
    calibration.deviation.fill_(3.0)
    tau, _ = calibration.of_cells(torch.zeros(1, len(SIGNS), 2, 2))
    torch.testing.assert_close(tau, torch.full((1, 1, 2, 2), 0.5 * (1 + math.erf(1 / math.sqrt(2)))))


def test_db_is_psnr():
    torch.testing.assert_close(to_db(torch.tensor([1.0, 0.01, 0.0])), torch.tensor([0.0, 20.0, 60.0]))


def test_perception_is_what_the_posterior_says(generator, discriminator):
    picture = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    seen = Perceiver(generator, discriminator, Calibration()).perceive(
        picture, torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        posterior = generator.encode(picture)
        grid = generator.decode(posterior.mean, posterior.density)
        haze = 1 - torch.exp(-slice_grid(grid, generator.guide(F.avg_pool2d(picture, 2))))
        clear = discriminator.belief(generator, picture, CLEAR)
    torch.testing.assert_close(seen.density, posterior.density)
    torch.testing.assert_close(seen.density_deviation, posterior.density_deviation)
    torch.testing.assert_close(seen.airlight, posterior.airlight)
    torch.testing.assert_close(seen.grid, grid)
    torch.testing.assert_close(seen.haze, haze)
    torch.testing.assert_close(seen.clear, clear)
    assert seen.spread.shape == (2, 1, 4, 6)
    assert seen.signs.shape == (2, len(SIGNS), 4, 6)


def test_the_signs_are_what_they_are_called(generator, discriminator):
    picture = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    seen = Perceiver(generator, discriminator, Calibration()).perceive(
        picture, torch.Generator().manual_seed(0)
    )
    sign = dict(zip(SIGNS, seen.signs.split(1, dim=1), strict=True))
    with torch.no_grad():
        restored = generator.restore_along(picture, seen.grid, seen.airlight)[0].clamp(0, 1)
        again = generator.encode(restored)
        left = generator.decode(again.mean, again.density).mean(dim=1, keepdim=True)
        judged = discriminator.judge(generator, restored, CLEAR)
    cells = restored.mean(dim=1).unfold(1, 16, 16).unfold(2, 16, 16).flatten(3)
    expected = {
        "discriminator": judged,
        "residual": torch.log(F.avg_pool2d(left, 8) + 1e-3),
        "haze": F.avg_pool2d(seen.haze, 8),
        "haze squared": F.avg_pool2d(seen.haze, 8).square(),
        "airlight": seen.airlight.mean(dim=1, keepdim=True).expand(2, 1, 4, 6),
        "brightness": cells.mean(dim=3)[:, None],
        "contrast": torch.log(cells.std(dim=3, correction=0)[:, None] + 1e-2),
        "doubt": torch.log(seen.density_deviation).expand(2, 1, 4, 6),
        "density": seen.density.expand(2, 1, 4, 6),
    }
    assert set(expected) == set(SIGNS) - {"spread"}
    for name, value in expected.items():
        torch.testing.assert_close(sign[name], value, atol=1e-4, rtol=1e-4, msg=name)


def test_many_sizes_see_a_mirrored_picture_mirrored(generator, discriminator):
    """Each size is seen as it is and mirrored, so the mean cannot know left from right; one size can."""
    rng = torch.Generator().manual_seed(3)
    picture, other = torch.rand(1, 3, 64, 80, generator=rng), torch.rand(1, 3, 96, 128, generator=rng)

    def see(flip, sizes):
        pictures = [x.flip(-1) if flip else x for x in (picture, other)]
        noise = torch.Generator().manual_seed(0)
        return Perceiver(generator, discriminator, Calibration()).perceive(
            pictures[0], noise, other_sizes=pictures[1:] if sizes else ()
        )

    there, back = see(False, True), see(True, True)
    assert there.grid.shape[-2:] == (48, 64)
    torch.testing.assert_close(there.grid, back.grid.flip(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(there.airlight, back.airlight)
    one, its_mirror = see(False, False).grid, see(True, False).grid
    assert float((one - its_mirror.flip(-1)).abs().max()) > 1e-3


@pytest.fixture
def unsure(generator):
    """A posterior about one picture, a picture that its restoration clips nowhere, and a field that tells places apart."""
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        generator.decoder.last.weight.mul_(100)
    one = torch.ones(1, 1, 1, 1)
    z = torch.randn(1, 4, 4, 4, generator=rng)
    posterior = Posterior(
        z,
        torch.full_like(z, math.log(0.5**2)),
        -0.6 * one,
        0.08 * one,
        0.9 * one.expand(1, 3, 1, 1),
        0.02 * one,
    )
    picture = 0.78 + 0.08 * torch.rand(1, 3, 64, 64, generator=rng)
    return posterior, picture


def drawn_spread(generator, posterior, picture, draws=2000):
    """Variance of the restored colours and of the transmission in cells of 16 pixels, over draws from a posterior."""
    many = Posterior(*(part.expand(draws, *part.shape[1:]) for part in posterior))
    draw = many.sample(torch.Generator().manual_seed(11))
    quarter = F.avg_pool2d(picture, 4).expand(draws, 3, 16, 16)
    with torch.no_grad():
        t = torch.exp(-generator.optical_depth(draw, quarter))
    colour = (quarter - draw.airlight) / t + draw.airlight
    assert 0 < float(colour.min()) < float(colour.max()) < 1
    return [F.avg_pool2d(part.var(dim=0).mean(dim=0)[None], 4) for part in (colour, t)]


@pytest.mark.parametrize("certain", [(), ("density",), ("airlight",), ("field",), ("density", "airlight")])
def test_the_spread_is_that_of_many_draws(generator, discriminator, unsure, certain):
    """The delta method against draws of field, density and airlight together; any of them may be certain."""
    posterior, picture = unsure
    nothing = torch.full((1, 1, 1, 1), 1e-9)
    if "density" in certain:
        posterior = posterior._replace(density_deviation=nothing)
    if "airlight" in certain:
        posterior = posterior._replace(airlight_deviation=nothing)
    if "field" in certain:
        posterior = posterior._replace(log_variance=torch.full_like(posterior.log_variance, -40))
    noise = torch.Generator().manual_seed(0)
    seen = Perceiver(generator, discriminator, Calibration()).perceive(
        picture, noise, samples=1000, posterior=posterior
    )
    colour, transmission = drawn_spread(generator, posterior, picture)
    doubt = torch.exp(seen.signs[:, :1]) - 1e-5
    torch.testing.assert_close(doubt[0], colour, rtol=0.15, atol=1e-7)
    torch.testing.assert_close(seen.spread[0], transmission.sqrt(), rtol=0.1, atol=1e-5)
    assert float(colour.mean()) > 1e-5


def test_each_part_of_the_posterior_adds_to_the_spread(generator, discriminator, unsure):
    posterior, picture = unsure
    sure = posterior._replace(
        log_variance=torch.full_like(posterior.log_variance, -40),
        density_deviation=torch.full_like(posterior.density_deviation, 1e-9),
        airlight_deviation=torch.full_like(posterior.airlight_deviation, 1e-9),
    )

    def doubt(about):
        noise = torch.Generator().manual_seed(0)
        seen = Perceiver(generator, discriminator, Calibration()).perceive(
            picture, noise, samples=50, posterior=about
        )
        return float((torch.exp(seen.signs[:, 0]) - 1e-5).mean()), float(seen.spread.mean())

    none = doubt(sure)
    assert none[0] == pytest.approx(0, abs=1e-8)
    assert none[1] == pytest.approx(0, abs=1e-6)
    for part in ("log_variance", "density_deviation", "airlight_deviation"):
        more = doubt(sure._replace(**{part: getattr(posterior, part)}))
        assert more[0] > 1e-5, part
        # The colour of the light does not change how much of the scene comes through.
        assert (more[1] > 1e-4) == (part != "airlight_deviation"), part
