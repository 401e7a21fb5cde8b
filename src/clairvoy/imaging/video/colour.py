"""Between what a film stores, luma and chroma of some standard and range, and RGB; there and back by one rule.

A film that does not name its standard gets the one that players assume: BT.709 from 720 rows on, BT.601 below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

HIGH_DEFINITION = 720
"""Rows from which a film that names no standard is taken for BT.709."""
_UNSPECIFIED = 2
_BT709, _BT601 = 1, 5
_FULL_RANGE = 2


def is_deep(frame: Any) -> bool:
    """Whether a frame has more than 8 bits a channel."""
    return any(component.bits > 8 for component in frame.format.components)


def to_rgb(frame: Any) -> npt.NDArray[Any]:
    """Pixels (H, W, 3), uint8, or uint16 over the full range of 16 bits where the frame is deeper.

    Parameters
    ----------
    frame
        A decoded `av.VideoFrame`. One that names no standard is given the assumed one, which the output then names.
    """
    if not frame.format.is_rgb and frame.colorspace in (0, _UNSPECIFIED):
        frame.colorspace = _BT709 if frame.height >= HIGH_DEFINITION else _BT601
    wanted = "rgb48le" if is_deep(frame) else "rgb24"
    return np.asarray(frame.reformat(format=wanted, dst_color_range=_FULL_RANGE).to_ndarray())


def from_rgb(pixels: npt.NDArray[Any], like: Any, pixel_format: str) -> Any:
    """A frame of `pixels` in a pixel format, with the standard, range, time and shape of pixel of the frame `like`.

    Parameters
    ----------
    pixels
        (H, W, 3) uint8 or uint16 over its full range.
    like
        The `av.VideoFrame` that they were read from.
    pixel_format
        By its name in FFmpeg, such as "yuv420p".
    """
    import av

    layout = "rgb48le" if pixels.dtype == np.uint16 else "rgb24"
    made = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=layout)
    if made.format.name != pixel_format:
        if like.format.is_rgb:
            made = made.reformat(format=pixel_format)
        else:
            made = made.reformat(
                format=pixel_format,
                dst_colorspace=like.colorspace,
                dst_color_range=like.color_range or None,
            )
    made.colorspace, made.color_range = like.colorspace, like.color_range
    made.color_primaries, made.color_trc = like.color_primaries, like.color_trc
    made.pts, made.time_base, made.pict_type = like.pts, like.time_base, 0
    return made
