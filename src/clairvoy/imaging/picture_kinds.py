"""Kinds of pictures: a file, PIL image, array or tensor goes in, pixels are worked on, the same kind comes out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from clairvoy.errors import InputError
from clairvoy.imaging.files import Picture, read

if TYPE_CHECKING:
    from torch import Tensor

Rebuild: TypeAlias = Callable[[np.ndarray], Any]
"""Makes of restored pixels (H, W, 3) what went in."""

_PIL_ADVICE = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
"""What to convert an image of a mode to that is not taken; RGB where it is not listed."""


def peak(pixels: np.ndarray) -> float:
    """The value of white: the largest of an unsigned type, 1 for floats."""
    return float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1.0


def unpack(photo: Any) -> tuple[np.ndarray, Rebuild, np.ndarray | None, bytes | None]:
    """RGB pixels of one picture, a function that makes the same kind of thing of restored ones, what is hidden, and XMP.

    Parameters
    ----------
    photo
        A path; the bytes of a file (also bytearray, memoryview); a file opened for reading bytes; a `Picture`; a PIL
        image of mode L, LA, P, RGB, RGBA, I, I;16 or F; an array (H, W[, 1|3|4]) uint8, uint16 or float in [0, 1],
        of any byte order, masked or not; a tensor (H, W) or (1|3|4, H, W), or a batch of one, of the same types.

    Returns
    -------
    pixels
        (H, W, 3) uint8, uint16 or float32 in [0, 1], C-contiguous, in the machine's byte order.
    rebuild
        Takes restored pixels of that shape and type. A file becomes a `Picture`, an image with a palette one of mode
        RGB or RGBA; everything else keeps its type, shape, alpha and mask.
    hidden
        (H, W) bool, pixels that nobody sees: alpha 0 or "no data"; None where all are seen.
    xmp
        The XMP packet of its file; None where there is none.

    Raises
    ------
    InputError, FileError
        It is no picture, or of a kind that is not taken; the message says what to give.
    """
    if isinstance(photo, Picture):
        return photo.pixels, lambda pixels: pixels, photo.hidden, photo.metadata.xmp
    if is_file(photo):
        source, name = source_of(photo)
        picture = read(source)
        picture = replace(picture, name=name or picture.name)
        made = lambda pixels: replace(picture, pixels=pixels)  # noqa: E731
        return picture.pixels, made, picture.hidden, picture.metadata.xmp
    if isinstance(photo, Image.Image):
        packet = photo.info.get("xmp")
        return *_unpack_pil(photo), packet if isinstance(packet, bytes) else None
    if _is_tensor(photo):
        return *_unpack_tensor(photo), None
    if isinstance(photo, np.ndarray):
        return *_unpack_array(photo), None
    raise InputError(
        f"{type(photo).__name__} is not a picture; give a path, bytes, an open file, a PIL image, an array or a tensor"
    )


def is_file(photo: Any) -> bool:
    """Tell whether a picture is given as a file: a path, bytes, or something to read bytes from."""
    return isinstance(photo, (str, os.PathLike, bytes, bytearray, memoryview)) or (
        hasattr(photo, "read") and not isinstance(photo, Image.Image)
    )


def is_batch(photo: Any) -> bool:
    """Tell whether an array (B, H, W, C) or a tensor (B, C, H, W) holds several pictures."""
    return (isinstance(photo, np.ndarray) or _is_tensor(photo)) and photo.ndim == 4


def stacked(pictures: list[Any]) -> Any:
    """Put arrays or tensors together to a batch."""
    if isinstance(pictures[0], np.ma.MaskedArray):
        return np.ma.stack(pictures)
    if isinstance(pictures[0], np.ndarray):
        return np.stack(pictures)
    return sys.modules["torch"].stack(pictures)


def _is_tensor(photo: Any) -> bool:
    # Who has a tensor has imported torch; it takes seconds to import, so nobody else shall.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(photo, torch.Tensor)


def source_of(photo: Any) -> tuple[Path | bytes, str | None]:
    """The path or the bytes of a picture that is given as a file (see `is_file`), and the name of an open file."""
    if isinstance(photo, (str, os.PathLike)):
        return Path(photo), None
    name = None
    if hasattr(photo, "read"):
        name, photo = getattr(photo, "name", None), photo.read()
        if isinstance(photo, str):
            raise InputError(f"{name or 'the file'} is open as text; open it with mode 'rb'")
    return bytes(photo), name if isinstance(name, str) else None


def _unpack_pil(photo: Image.Image) -> tuple[np.ndarray, Rebuild, np.ndarray | None]:
    if photo.mode == "F" or photo.mode.startswith("I"):
        return _unpack_deep_pil(photo)
    if photo.mode not in ("L", "LA", "P", "RGB", "RGBA"):
        advice = f"convert it to {_PIL_ADVICE.get(photo.mode, 'RGB')} first"
        raise InputError(f"PIL image of mode {photo.mode}; {advice}")
    image = _loaded(photo)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    info = {key: value for key, value in photo.info.items() if photo.mode != "P" or key != "transparency"}

    def rebuild(pixels: np.ndarray) -> Image.Image:
        made = Image.fromarray(pixels)
        if image.mode in ("L", "LA"):
            made = made.convert("L")
        if alpha is not None:
            made.putalpha(alpha)
        made.info = dict(info)
        return made

    return _checked(np.array(image.convert("RGB"))), rebuild, _hidden(alpha)


def _unpack_deep_pil(photo: Image.Image) -> tuple[np.ndarray, Rebuild, np.ndarray | None]:
    """Grey of more than 8 bits: I;16 as it is, I if its values fit into 16 bits, F if they lie in [0, 1]."""
    samples = np.array(_loaded(photo))
    if photo.mode != "F":
        if samples.size and (samples.min() < 0 or samples.max() > 65535):
            raise InputError(
                f"PIL image of mode {photo.mode} runs from {samples.min()} to {samples.max()}; "
                "scale it to 0..65535, or give an array of floats in [0, 1]"
            )
        samples = samples.astype(np.uint16)
    pixels, as_array, hidden = _unpack_array(samples)

    def rebuild(restored: np.ndarray) -> Image.Image:
        grey = as_array(restored)
        made = Image.fromarray(grey if photo.mode != "I" else grey.astype(np.int32))
        if made.mode != photo.mode:  # the other byte order
            made = Image.frombytes(photo.mode, photo.size, grey.astype(">u2").tobytes())
        made.info = dict(photo.info)
        return made

    return pixels, rebuild, hidden


def _loaded(photo: Image.Image) -> Image.Image:
    try:
        photo.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"PIL image that cannot be loaded ({error}); get the file again") from error
    return photo


def _unpack_tensor(photo: Tensor) -> tuple[np.ndarray, Rebuild, np.ndarray | None]:
    torch = sys.modules["torch"]
    shape, kinds = tuple(photo.shape), (torch.uint8, torch.uint16)
    advice = "give (3, H, W), (1, H, W), (4, H, W) or (H, W), uint8, uint16 or float in [0, 1]"
    if len(shape) == 4 and shape[0] > 1:
        raise InputError(
            f"tensor of shape {shape} is a batch; give its pictures one by one, or all to `clear`"
        )
    image = photo.detach()[0] if len(shape) == 4 and shape[0] == 1 else photo.detach()
    channels_last = image.permute(1, 2, 0) if image.ndim == 3 else image
    taken = photo.dtype in kinds or photo.is_floating_point()
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[0] not in (1, 3, 4)) or not taken:
        raise InputError(f"tensor of shape {shape} {photo.dtype}; {advice}")
    if photo.dtype == torch.bfloat16:  # which NumPy does not have
        channels_last = channels_last.float()
    pixels, as_array, hidden = _unpack_array(channels_last.cpu().numpy())

    def rebuild(restored: np.ndarray) -> Tensor:
        # A tensor that was made in inference mode could take part in no training.
        with torch.inference_mode(False):
            if restored is pixels:
                return photo.detach().clone()
            array = as_array(restored)
            lying = np.ascontiguousarray(array.transpose(2, 0, 1) if array.ndim == 3 else array)
            return torch.from_numpy(lying).reshape(shape).to(photo.device, photo.dtype)

    return pixels, rebuild, hidden


def _unpack_array(photo: np.ndarray) -> tuple[np.ndarray, Rebuild, np.ndarray | None]:
    grey = photo.ndim == 2 or (photo.ndim == 3 and photo.shape[2] == 1)
    if not grey and (photo.ndim != 3 or photo.shape[2] not in (3, 4)):
        many = "; it looks like a batch, whose pictures `clear` takes" if photo.ndim == 4 else ""
        raise InputError(f"array of shape {photo.shape}; give (H, W), (H, W, 3) or (H, W, 4){many}")
    if photo.size == 0:
        raise InputError(f"picture of shape {photo.shape} is empty; give at least one pixel")
    native = photo.dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16) and native.kind != "f":
        raise InputError(f"array of type {photo.dtype}; give uint8, uint16 or float in [0, 1]")
    # np.matrix stays two-dimensional whatever is done to it; a mask is in the way of every function of OpenCV.
    samples = _without_mask(photo) if isinstance(photo, np.ma.MaskedArray) else np.asarray(photo)
    samples = samples.astype(native if native.kind == "u" else np.float32, copy=False)
    cube = samples.reshape(*samples.shape[:2], -1)
    rgb = _checked(np.repeat(cube, 3, axis=2) if grey else cube[..., :3])

    def rebuild(pixels: np.ndarray) -> np.ndarray:
        if pixels is rgb:
            return photo.copy()
        restored = pixels[..., :1] if grey else pixels
        out = np.empty(photo.shape, photo.dtype)
        out.reshape(cube.shape)[..., : restored.shape[2]] = restored
        if not grey:
            out[..., 3:] = np.asarray(photo)[..., 3:]
        if isinstance(photo, np.ma.MaskedArray):
            masked, seen = photo.copy(), ~np.ma.getmaskarray(photo)
            np.ma.getdata(masked)[seen] = out[seen]
            return masked
        return out.view(np.matrix) if isinstance(photo, np.matrix) else out

    return rgb, rebuild, _hidden(cube[..., 3]) if cube.shape[2] == 4 else None


def _without_mask(photo: np.ma.MaskedArray) -> np.ndarray:
    """Plain array in which the mean of what is seen stands where something is masked."""
    hidden = np.ma.getmaskarray(photo)
    if hidden.all():
        raise InputError(f"masked array of shape {photo.shape} shows nothing; give one with unmasked pixels")
    cube = photo.reshape(*photo.shape[:2], -1)
    means = np.ma.filled(cube.mean(axis=(0, 1)), photo.mean())
    return np.where(np.ma.getmaskarray(cube), means.astype(photo.dtype), np.ma.getdata(cube)).reshape(
        photo.shape
    )


def _hidden(alpha: Any) -> np.ndarray | None:
    """Where an alpha (H, W) is 0; None where that is nowhere, or there is no alpha."""
    if alpha is None:
        return None
    hidden = np.asarray(alpha) == 0
    return hidden if hidden.any() else None


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise InputError("picture holds NaN or infinite values; replace them first")
        if pixels.min() < 0 or pixels.max() > 1:
            raise InputError(
                f"float picture runs from {pixels.min():.3g} to {pixels.max():.3g}; scale it to [0, 1]"
            )
    return np.ascontiguousarray(pixels)
