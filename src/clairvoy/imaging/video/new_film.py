"""A film made of pictures, where none is rewritten: H.264 in MP4, which every browser and player shows."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import numpy as np

from clairvoy.errors import SettingsError
from clairvoy.imaging.video.reading import video_library
from clairvoy.imaging.video.writing import ENCODERS


def mp4(frames: Iterable[np.ndarray], rate: int) -> bytes:
    """Encode frames as a film.

    Parameters
    ----------
    frames
        (H, W, 3) uint8 RGB, all of one size. A side of an odd number of pixels loses its last row or column: H.264 keeps
        one colour for four pixels.
    rate
        Frames a second.

    Returns
    -------
    bytes
        The whole file; the same frames give the same bytes.

    Raises
    ------
    SettingsError
        PyAV is not installed; there is no frame, or they are smaller than two pixels.
    """
    av = video_library()
    encoder = ENCODERS["h264"]
    file = BytesIO()
    stream = None
    with av.open(file, "w", format="mp4") as container:
        for pixels in frames:
            height, width = (side // 2 * 2 for side in pixels.shape[:2])
            if min(height, width) < 2:
                raise SettingsError(
                    f"a film of {pixels.shape[1]} x {pixels.shape[0]} pixels; give at least 2 x 2"
                )
            if stream is None:
                # With several threads the bytes depend on the machine. With the fastest code of this processor they depend
                # on where in memory the numbers lie, so that two equal runs in one process may differ.
                repeatable = {"threads": "1", "x264-params": "cpu-independent=1"}
                stream = container.add_stream(
                    encoder.name, rate=rate, options={**encoder.options, **repeatable}
                )
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.codec_context.colorspace = stream.codec_context.color_primaries = 1  # BT.709
                stream.codec_context.color_trc = 1
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        if stream is None:
            raise SettingsError("a film of no frames; give at least one")
        container.mux(stream.encode(None))
    return file.getvalue()
