"""NIQE: how far a picture's statistics are from those of undistorted photographs, with no reference.

Source: Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal
Processing Letters 2013. The pristine model is the authors' own (``niqe_pristine.md``). Follows the authors'
MATLAB release where that and the paper differ: all blocks of a test picture count, whatever their sharpness.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import InputError

Array = NDArray[np.float64]

BLOCK = 96
"""Side of a block in pixels, the one that the pristine model was fitted with."""
_LUMA = (0.299, 0.587, 0.114)
# Products of neighbours along a row, a column and the two diagonals: (rows, columns) to roll by.
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


def niqe(rgb: NDArray[np.floating]) -> float:
    """Natural image quality evaluator: the smaller, the more like an undistorted photograph.

    Parameters
    ----------
    rgb
        (H, W, 3) in [0, 1], with room for two blocks of 96 x 96 pixels. What is left over at the right and at
        the bottom is not looked at.

    Returns
    -------
    float
        Not negative; about 2 to 5 for good photographs. NaN for a picture with fewer than two blocks that
        are not constant.

    Raises
    ------
    InputError
        Not a colour picture, or too small.

    Notes
    -----
    The score is blind to content: noise may pass for detail, and haze may pass for a soft photograph. Compare
    means over many pictures.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InputError(
            f"NIQE needs a colour picture (H, W, 3), got {rgb.shape}: repeat a grey one three times"
        )
    rows, columns = rgb.shape[0] // BLOCK, rgb.shape[1] // BLOCK
    if rows * columns < 2:
        raise InputError(f"NIQE needs room for two blocks of {BLOCK} x {BLOCK} pixels, got {rgb.shape[:2]}")
    # Whole grey levels, as in the release: the "+ 1" that steadies the division below is one of them.
    grey = np.round(np.asarray(rgb, dtype=np.float64) @ _LUMA * 255)[: rows * BLOCK, : columns * BLOCK]
    fine = _block_features(_normalised(grey), BLOCK)
    coarse = _block_features(_normalised(_halved(grey)), BLOCK // 2)
    return _distance(np.concatenate((fine, coarse), axis=1))


def _distance(features: Array) -> float:
    """Distance of the blocks' Gaussian to the pristine one, equation 10. ``features``: (n, 36)."""
    valid = features[np.isfinite(features).all(axis=1)]
    if len(valid) < 2:
        return math.nan
    mean, covariance, _ = _pristine()
    # Means use all numbers that are there, the covariance only blocks where all are: nanmean and nancov.
    difference = mean - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(valid, rowvar=False)) / 2
    return math.sqrt(difference @ np.linalg.pinv(pooled) @ difference)


def _normalised(grey: Array) -> Array:
    """Mean-subtracted, contrast-normalised luminance, equation 1: (h, w) to (h, w)."""
    *_, window = _pristine()
    mean = _filter(grey, window)
    deviation = np.sqrt(np.abs(_filter(grey * grey, window) - mean * mean))
    return np.asarray((grey - mean) / (deviation + 1), dtype=np.float64)


def _filter(x: Array, window: Array) -> Array:
    return np.asarray(cv2.filter2D(x, cv2.CV_64F, window, borderType=cv2.BORDER_REPLICATE), dtype=np.float64)


def _halved(grey: Array) -> Array:
    """Half size by bicubic interpolation with antialiasing, as MATLAB's ``imresize``. Sides are even."""
    # The kernel is cubic convolution (a = -1/2) stretched by two. Every new centre lies half-way between two
    # pixels, so that its eight weights are the same everywhere.
    distance = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    kernel = np.where(distance <= 1, near, far)
    kernel /= kernel.sum()
    filtered = cv2.sepFilter2D(grey, cv2.CV_64F, kernel, kernel, anchor=(3, 3), borderType=cv2.BORDER_REFLECT)
    return np.asarray(filtered[::2, ::2], dtype=np.float64)


def _block_features(normalised: Array, side: int) -> Array:
    """Take the 18 features of each block at one scale: (n, 18), NaN where a block is constant."""
    height, width = normalised.shape
    blocks = (
        normalised.reshape(height // side, side, width // side, side).swapaxes(1, 2).reshape(-1, side, side)
    )
    alpha, left, right = _fit_asymmetric(blocks)
    features = [alpha, (left + right) / 2]
    for shift in _NEIGHBOURS:
        alpha, left, right = _fit_asymmetric(blocks * np.roll(blocks, shift, axis=(1, 2)))
        gamma_ratio = np.array([math.gamma(2 / a) / math.gamma(1 / a) for a in alpha])
        features += [alpha, (right - left) * gamma_ratio, left, right]  # equation 8 is the second
    return np.stack(features, axis=1)


def _fit_asymmetric(blocks: Array) -> tuple[Array, Array, Array]:
    """Shape, left and right scale of an asymmetric generalised Gaussian by moments: three times (n,).

    Lasmar, Stitou, Berthoumieu, ICIP 2009. NaN scales for a block without a value on either side of zero.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        left = _root_mean_square(blocks, blocks < 0)
        right = _root_mean_square(blocks, blocks > 0)
        ratio = left / right
        moments = np.abs(blocks).mean(axis=(1, 2)) ** 2 / np.square(blocks).mean(axis=(1, 2))
        wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, moment_ratios, scales = _gamma_table()
    # argmin takes the first NaN, so that an unknown block gets the smallest shape, as in the release.
    best = np.argmin(np.square(moment_ratios - wanted[:, None]), axis=1)
    return shapes[best], left * scales[best], right * scales[best]


def _root_mean_square(blocks: Array, where: NDArray[np.bool_]) -> Array:
    total = np.where(where, np.square(blocks), 0).sum(axis=(1, 2))
    return np.asarray(np.sqrt(total / where.sum(axis=(1, 2))), dtype=np.float64)


@cache
def _gamma_table() -> tuple[Array, Array, Array]:
    """Shapes 0.2 to 10, and for each G(2/a)^2 / (G(1/a) G(3/a)) and the scale sqrt(G(1/a) / G(3/a))."""
    shapes = np.arange(0.2, 10.001, 0.001)
    one, two, three = (np.array([math.gamma(k / shape) for shape in shapes]) for k in (1, 2, 3))
    return shapes, two**2 / (one * three), np.sqrt(one / three)


@cache
def _pristine() -> tuple[Array, Array, Array]:
    """Mean (36,), covariance (36, 36) and the window (7, 7) of the pristine model."""
    with (files("clairvoy.imaging") / "niqe_pristine.npz").open("rb") as file, np.load(file) as stored:
        return stored["mu_pris_param"].ravel(), stored["cov_pris_param"], stored["gaussian_window"]
