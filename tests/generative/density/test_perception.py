"""Tau: the fit finds what is linear in its signs, and the probabilities are calibrated."""

import math

import pytest
import torch

from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.perception import SIGNS, Calibration, perceive, to_db
from clairvoy.generative.density.vae import neutral_if_faint


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
    # No smaller than half a dB: what looks certain on few scenes is not.
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


def test_recognition_is_logistic_regression():
    rng = torch.Generator().manual_seed(0)
    logs, haze = torch.randn(4000, generator=rng), torch.rand(4000, generator=rng)
    value = logs.sign() * (logs.abs().exp() - 1)  # sign(v) log(1 + |v|) undone
    probability = torch.sigmoid(2 * logs - 3 * haze + 1)
    hazy = torch.rand(4000, generator=rng) < probability
    calibration = Calibration()
    calibration.fit_recognition(value, haze, hazy)
    expected = 1 / (1 + math.exp(-(2 * 0.4 - 3 * 0.5 + 1)))
    assert calibration.haze_probability(math.exp(0.4) - 1, 0.5) == pytest.approx(expected, abs=0.04)


def test_db_is_psnr():
    torch.testing.assert_close(to_db(torch.tensor([1.0, 0.01, 0.0])), torch.tensor([0.0, 20.0, 60.0]))


def test_perception_is_what_two_looks_see(generator, discriminator):
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    seen = perceive(generator, discriminator, picture, torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = generator.encode(picture)
        airlight = neutral_if_faint(first.airlight)
        restored, _ = generator.restore(picture, first.mean, airlight)
        left = generator.decode(generator.encode(restored.clamp(0, 1)).mean)
        grid = (generator.decode(first.mean) + left).clamp(max=generator.settings.max_optical_depth)
        half = torch.nn.functional.avg_pool2d(picture, 2)
        haze = 1 - torch.exp(-slice_grid(grid, generator.guide(half)))
    torch.testing.assert_close(seen.left, left)
    torch.testing.assert_close(seen.grid, grid)
    torch.testing.assert_close(seen.haze, haze)
    torch.testing.assert_close(seen.airlight, airlight)
    assert seen.signs.shape == (2, len(SIGNS), 4, 4)


def test_a_faint_tint_of_the_airlight_is_none():
    faint, strong = torch.tensor([0.9, 0.915, 0.885]), torch.tensor([0.9, 0.93, 0.87])
    told = neutral_if_faint(
        torch.stack([faint, strong]).view(2, 3, 1, 1) + torch.tensor([0.001, 0, 0]).view(1, 3, 1, 1)
    )
    torch.testing.assert_close(told[0].flatten(), torch.full((3,), 0.9 + 0.001 / 3))
    torch.testing.assert_close(told[1].flatten(), strong + torch.tensor([0.001, 0, 0]))


def test_one_look_is_what_the_posterior_says_and_tau_reads_the_same_signs_of_doubt(generator, discriminator):
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    once, twice = (
        perceive(generator, discriminator, picture, torch.Generator().manual_seed(0), twice=both)
        for both in (False, True)
    )
    torch.testing.assert_close(once.grid, generator.decode(once.z))
    assert bool((twice.grid > once.grid).all())  # an untrained generator sees haze in everything
    torch.testing.assert_close(once.signs[:, :3], twice.signs[:, :3])  # spread, discriminator, residual


def test_many_looks_see_a_mirrored_picture_mirrored(generator, discriminator):
    """Each size is seen as it is and mirrored, so the mean cannot know left from right; one look can."""
    rng = torch.Generator().manual_seed(3)
    picture, other = torch.rand(1, 3, 64, 80, generator=rng), torch.rand(1, 3, 96, 128, generator=rng)

    def see(flip, looks):
        pictures = [x.flip(-1) if flip else x for x in (picture, other)]
        noise = torch.Generator().manual_seed(0)
        return perceive(generator, discriminator, pictures[0], noise, looks=pictures[1:] if looks else ())

    there, back = see(False, True), see(True, True)
    seen = there.grid - torch.nn.functional.interpolate(there.left, size=(12, 16), mode="bilinear")
    mirrored = back.grid - torch.nn.functional.interpolate(back.left, size=(12, 16), mode="bilinear")
    assert there.grid.shape[-2:] == (12, 16)
    torch.testing.assert_close(seen, mirrored.flip(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(there.airlight, back.airlight)
    one, its_mirror = see(False, False).grid, see(True, False).grid
    assert float((one - its_mirror.flip(-1)).abs().max()) > 1e-3


def test_spread_is_none_where_the_posterior_is_certain(generator, discriminator):
    with torch.no_grad():
        latent = generator.settings.latent
        generator.posterior_head.weight[latent:] = 0.0
        generator.posterior_head.bias[latent:] = -10.0
    certain = perceive(generator, discriminator, torch.rand(1, 3, 64, 64), torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.posterior_head.bias[latent:] = 0.0
    unsure = perceive(generator, discriminator, torch.rand(1, 3, 64, 64), torch.Generator().manual_seed(0))
    assert float(unsure.spread.mean()) > 20 * float(certain.spread.mean())
