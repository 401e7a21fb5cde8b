"""How good a picture is: against a reference (PSNR, SSIM) and on its own (NIQE).

All take pictures as (H, W, 3) floats in [0, 1]; all compute in float64.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import InputError
from clairvoy.imaging.niqe import niqe

__all__ = ["niqe", "psnr", "ssim"]

_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_SSIM_C1 = 0.01**2  # (K1 L)^2 with the data range L = 1
_SSIM_C2 = 0.03**2


def psnr(a: NDArray[np.floating], b: NDArray[np.floating], peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio, ``10 log10(peak^2 / mean squared error)``, over all pixels and channels.

    Parameters
    ----------
    a, b
        Arrays of one shape.
    peak
        The largest value that a pixel can have.

    Returns
    -------
    float
        In dB; infinite for equal pictures.

    Raises
    ------
    InputError
        The shapes differ, or there is no pixel.
    """
    a, b = _same_shape(a, b)
    error = float(np.mean(np.square(a - b)))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Structural similarity, computed on each channel and averaged.

    Parameters
    ----------
    a, b
        (H, W, 3) in [0, 1], sides of at least 11 pixels.

    Returns
    -------
    float
        1 for equal pictures, at least -1.

    Raises
    ------
    InputError
        The shapes differ, are not (H, W, 3), or a side is shorter than 11 pixels.

    Notes
    -----
    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE TIP 2004, equation 13: Gaussian window 11 x 11, sigma 1.5, K1 = 0.01, K2 = 0.03, and
    only windows that lie wholly inside the picture. The picture is not scaled down first.
    """
    a, b = _same_shape(a, b)
    if a.ndim != 3 or a.shape[2] != 3 or min(a.shape[:2]) < _SSIM_WINDOW:
        raise InputError(
            f"SSIM needs (H, W, 3) with sides of at least {_SSIM_WINDOW} pixels, got {a.shape}: "
            "enlarge the picture, or use psnr"
        )
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _SSIM_C1) / (mean_a**2 + mean_b**2 + _SSIM_C1)
    contrast_structure = (2 * covariance + _SSIM_C2) / (variance_a + variance_b + _SSIM_C2)
    return float(np.mean(luminance * contrast_structure))


def _blur(x: NDArray[np.float64]) -> NDArray[np.float64]:
    border = _SSIM_WINDOW // 2
    blurred = cv2.GaussianBlur(x, (_SSIM_WINDOW, _SSIM_WINDOW), _SSIM_SIGMA)
    return np.asarray(blurred[border:-border, border:-border], dtype=np.float64)


def _same_shape(
    a: NDArray[np.floating], b: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if a.shape != b.shape or a.size == 0:
        raise InputError(
            f"pictures to compare must have one shape and be not empty, got {a.shape} and {b.shape}"
        )
    return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
