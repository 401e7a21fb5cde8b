"""PSNR and SSIM against closed forms and scikit-image's numbers; NIQE against a slow recomputation."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clairvoy.errors import InputError
from clairvoy.imaging.quality import niqe, psnr, ssim

Array = NDArray[np.float64]


def scene(height: int = 288, width: int = 384) -> Array:
    """Seeded waves of 39 frequencies, strong ones slow as in photographs: (H, W, 3) in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    random = np.random.default_rng(0)
    waves = np.zeros((height, width))
    for k in range(1, 40):
        slope_x, slope_y, phase = random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(0, 6)
        waves += np.sin(slope_x * k * x / 40 + slope_y * k * y / 40 + phase) / k
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    return np.stack([waves, waves**1.5, np.sqrt(waves)], axis=-1)


def worse() -> dict[str, Array]:
    clear = scene()
    noise = np.random.default_rng(1).normal(0, 0.05, clear.shape)
    return {
        "hazy": clear * 0.6 + 0.36,
        "noisy": np.clip(clear + noise, 0, 1),
        "blurred": cv2.GaussianBlur(clear, (0, 0), 2),
    }


# skimage 0.26: structural_similarity(..., channel_axis=-1, gaussian_weights=True, sigma=1.5,
# use_sample_covariance=False, data_range=1) and peak_signal_noise_ratio(..., data_range=1).
@pytest.mark.parametrize(
    ("name", "golden_ssim", "golden_psnr"),
    [
        ("hazy", 0.8798797999688469, 15.48214393464148),
        ("noisy", 0.4371206355138128, 26.06272961510287),
        ("blurred", 0.9384945799784035, 37.80614473369951),
    ],
)
def test_ssim_and_psnr_equal_scikit_image(name: str, golden_ssim: float, golden_psnr: float):
    picture = worse()[name]
    assert ssim(scene(), picture) == pytest.approx(golden_ssim, abs=1e-9)
    assert psnr(scene(), picture) == pytest.approx(golden_psnr, abs=1e-9)


def test_psnr_of_a_known_error():
    black = np.zeros((4, 5, 3), np.float32)
    assert psnr(black, black + 0.1) == pytest.approx(20, abs=1e-5)
    assert psnr(black, black + 25.5, peak=255) == pytest.approx(20, abs=1e-5)
    assert psnr(black, black) == math.inf


def test_ssim_of_two_constants_is_its_luminance_term():
    a, b = np.full((20, 20, 3), 0.2), np.full((20, 20, 3), 0.8)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)


def test_ssim_is_symmetric_and_negative_for_an_inverted_pattern():
    noise = np.random.default_rng(2).random((40, 50, 3))
    assert ssim(noise, 1 - noise) == pytest.approx(ssim(1 - noise, noise), abs=1e-12)
    assert -1 <= ssim(noise, 1 - noise) < -0.8


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match=r"one shape.*\(4, 4, 3\) and \(4, 5, 3\)"):
        psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
    with pytest.raises(InputError, match="not empty"):
        psnr(np.zeros((0, 4, 3)), np.zeros((0, 4, 3)))
    with pytest.raises(InputError, match="at least 11 pixels"):
        ssim(np.zeros((10, 40, 3)), np.zeros((10, 40, 3)))


# Recomputed once from the paper and the description of MATLAB's functions, block by block in plain loops,
# with SciPy's convolve and gamma; imresize pixel by pixel.
@pytest.mark.parametrize(
    ("name", "golden"),
    [("hazy", 7.6465285446727185), ("noisy", 12.878460466696286), ("blurred", 11.727139672519252)],
)
def test_niqe_equals_the_slow_recomputation(name: str, golden: float):
    assert niqe(worse()[name]) == pytest.approx(golden, abs=1e-6)


def test_niqe_looks_at_whole_blocks_only():
    golden = 7.430398824711178
    assert niqe(scene()[:250, :333]) == pytest.approx(golden, abs=1e-6)
    assert niqe(scene()[:192, :288]) == niqe(scene()[:250, :333])


def test_niqe_skips_constant_blocks_where_it_can():
    picture = scene()
    picture[:100] = 0.5
    assert niqe(picture) == pytest.approx(13.350557538183201, abs=1e-6)
    assert math.isnan(niqe(np.full((192, 192, 3), 0.5)))


def test_niqe_prefers_the_undistorted():
    assert niqe(scene()) == pytest.approx(7.3489862223336555, abs=1e-6)
    assert all(niqe(picture) > niqe(scene()) for picture in worse().values())


def test_niqe_refuses_small_and_grey_pictures():
    with pytest.raises(InputError, match=r"two blocks of 96 x 96 pixels, got \(96, 191\)"):
        niqe(np.zeros((96, 191, 3)))
    with pytest.raises(InputError, match="colour picture"):
        niqe(np.zeros((200, 200)))
