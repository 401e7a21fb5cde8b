"""Kinds of pictures: a path, bytes, PIL image, array or tensor goes in, pixels are worked on, the same kind comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.imaging.files import Picture, read


def peak(pixels: np.ndarray) -> float:
    """The value of white: the largest of an unsigned type, 1 for floats."""
    return float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1.0


def unpack(photo: Any) -> tuple[np.ndarray, Callable[[np.ndarray], Any]]:
    """RGB pixels (H, W, 3) and a function that makes the same kind of thing of restored ones."""
    if isinstance(photo, (str, Path, bytes)):
        picture = read(photo)
        kept = {name: getattr(picture, name) for name in ("alpha", "grey", "format", "metadata", "name")}
        return picture.pixels, lambda pixels: Picture(pixels, **kept)
    if isinstance(photo, Picture):
        return photo.pixels, lambda pixels: pixels
    if isinstance(photo, Image.Image):
        return _unpack_pil(photo)
    if isinstance(photo, Tensor):
        if photo.ndim != 3 or photo.shape[0] != 3 or not photo.is_floating_point():
            raise InputError(
                f"tensor of shape {tuple(photo.shape)} {photo.dtype}; give (3, H, W) float in [0, 1]"
            )
        array = photo.detach().float().cpu().permute(1, 2, 0).numpy()
        return _checked(
            array
        ), lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1).to(photo.device, photo.dtype)
    if isinstance(photo, np.ndarray):
        return _unpack_array(photo)
    raise InputError(
        f"{type(photo).__name__} is not a picture; give a path, bytes, PIL image, array or tensor"
    )


def _unpack_pil(photo: Image.Image) -> tuple[np.ndarray, Callable[[np.ndarray], Image.Image]]:
    if photo.mode not in ("L", "RGB", "RGBA", "LA"):
        raise InputError(f"PIL image of mode {photo.mode}; convert it to L, RGB or RGBA first")
    alpha = photo.getchannel("A") if photo.mode in ("RGBA", "LA") else None
    info = dict(photo.info)

    def rebuild(pixels: np.ndarray) -> Image.Image:
        made = Image.fromarray(pixels)
        if photo.mode in ("L", "LA"):
            made = made.convert("L")
        if alpha is not None:
            made.putalpha(alpha)
        made.info = info
        return made

    return _checked(np.array(photo.convert("RGB"))), rebuild


def _unpack_array(photo: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    grey = photo.ndim == 2 or (photo.ndim == 3 and photo.shape[2] == 1)
    if not grey and (photo.ndim != 3 or photo.shape[2] not in (3, 4)):
        raise InputError(f"array of shape {photo.shape}; give (H, W), (H, W, 3) or (H, W, 4)")
    if photo.dtype not in (np.uint8, np.uint16) and photo.dtype.kind != "f":
        raise InputError(f"array of type {photo.dtype}; give uint8, uint16 or float in [0, 1]")
    kept = photo if photo.dtype.kind == "u" else photo.astype(np.float32)
    rgb = (
        np.repeat(kept.reshape(*photo.shape[:2], 1), 3, axis=2)
        if grey
        else np.ascontiguousarray(kept[..., :3])
    )

    def rebuild(pixels: np.ndarray) -> np.ndarray:
        if pixels is rgb:
            return photo.copy()
        if grey:
            return pixels[..., :1].reshape(photo.shape).astype(photo.dtype)
        restored = pixels.astype(photo.dtype, copy=False)
        return restored if photo.shape[2] == 3 else np.concatenate([restored, photo[..., 3:]], axis=2)

    return _checked(rgb), rebuild


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.size == 0:
        raise InputError(f"picture of shape {pixels.shape} is empty; give at least one pixel")
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise InputError("picture holds NaN or infinite values; replace them first")
        if pixels.min() < 0 or pixels.max() > 1:
            raise InputError(
                f"float picture runs from {pixels.min():.3g} to {pixels.max():.3g}; scale it to [0, 1]"
            )
    return np.ascontiguousarray(pixels)
