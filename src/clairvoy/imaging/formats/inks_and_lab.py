"""Colours that are not RGB, to sRGB: printing inks (CMYK) and CIE Lab."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from clairvoy.imaging.formats.raster import STRIP_PIXELS, to_eight_bits
from clairvoy.imaging.windows import strips

WITHOUT_PROFILE = "is CMYK without a colour profile that fits; its colours are approximate"
IN_EIGHT_BITS = "is CMYK of 16 bits; its profile was applied in 8 bits"
# CIE XYZ of the white point D50 (ICC.1:2022), and from XYZ under D50 to linear sRGB (Bradford adaptation; Lindbloom).
_D50 = np.array((0.9642, 1.0, 0.8249), np.float32)
_XYZ_TO_SRGB = np.array(
    ((3.1338561, -1.6168667, -0.4906146), (-0.9787684, 1.9161415, 0.0334540), (0.0719453, -0.2289914, 1.4052427)),
    np.float32,
)  # fmt: skip


def srgb_profile() -> bytes:
    """ICC profile of sRGB."""
    profile: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile


def cmyk_to_srgb(samples: np.ndarray, profile: bytes | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Inks (H, W, 4), 0 is none, to sRGB (H, W, 3), and what the user should know.

    Through the profile where there is one for CMYK; else each ink takes its own colour away, as browsers do it.
    """
    if profile is not None and profile[16:20] == b"CMYK":
        try:
            transform = ImageCms.buildTransform(
                io.BytesIO(profile), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
            )
        except ImageCms.PyCMSError:
            transform = None
        if transform is not None:
            rgb = np.empty((*samples.shape[:2], 3), np.uint8)
            for rows in strips(len(samples), samples.shape[1], STRIP_PIXELS):
                inks = Image.fromarray(np.ascontiguousarray(to_eight_bits(samples[rows])), "CMYK")
                rgb[rows] = np.asarray(ImageCms.applyTransform(inks, transform))
            return rgb, (IN_EIGHT_BITS,) if samples.dtype == np.uint16 else ()
    peak = np.uint64(np.iinfo(samples.dtype).max)
    rgb = np.empty((*samples.shape[:2], 3), samples.dtype)
    for rows in strips(len(samples), samples.shape[1], STRIP_PIXELS):
        paper = peak - samples[rows].astype(np.uint64)
        rgb[rows] = (paper[..., :3] * paper[..., 3:] + peak // 2) // peak
    return rgb, (WITHOUT_PROFILE,)


def lab_to_srgb(samples: np.ndarray, *, offset: bool) -> np.ndarray:
    """CIE L*a*b* under D50, (H, W, 3) uint8 or uint16, to sRGB of the same depth.

    Parameters
    ----------
    samples
        L* from 0 to 100 over all of the range; a* and b* as signed numbers, 256 steps of a 16-bit one to the unit.
    offset
        As in ICC profiles instead: a* and b* have 128 added, and 16-bit L* has 100 at 65280.
    """
    peak = np.iinfo(samples.dtype).max
    unit = 1 if samples.dtype == np.uint8 else 256
    signed = np.int8 if samples.dtype == np.uint8 else np.int16
    rgb = np.empty_like(samples)
    for rows in strips(len(samples), samples.shape[1], STRIP_PIXELS):
        part = samples[rows]
        lightness = part[..., 0].astype(np.float32) * (100 / (0xFF00 if offset and unit == 256 else peak))
        if offset:
            a, b = (part[..., axis].astype(np.float32) / unit - 128 for axis in (1, 2))
        else:
            a, b = (part[..., axis].view(signed).astype(np.float32) / unit for axis in (1, 2))
        fy = (lightness + 16) / 116
        f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
        # CIE 15:2004, section 8.2.1, inverted.
        xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _D50
        linear = np.clip(xyz @ _XYZ_TO_SRGB.T, 0, 1)
        # IEC 61966-2-1.
        coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        rgb[rows] = np.rint(coded * peak)
    return rgb
