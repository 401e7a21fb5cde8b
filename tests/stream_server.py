"""A server of this machine that sends a film as a camera does, cuts the line, and sends rubbish if it is told to."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress

import av
import numpy as np

RATE, COUNT = 25, 50


def transport_stream(count: int = COUNT, size: tuple[int, int] = (64, 96)) -> bytes:
    """A film of so many frames as a camera sends it: MPEG-TS, a key frame every ten."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as film:
        stream = film.add_stream("mpeg2video", rate=RATE)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(count):
            pixels = np.full((*size, 3), 60 + 2 * number, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode(None))
    return file.getvalue()


class Server:
    """Sends one of `parts` to each that connects, closes the line, and after the last part listens no more."""

    def __init__(self, *parts: bytes, silent: float = 0.0) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, args=(parts, silent), daemon=True)
        self._thread.start()

    def _serve(self, parts: tuple[bytes, ...], silent: float) -> None:
        for part in parts:
            line, _ = self._socket.accept()
            self.connections += 1
            with suppress(OSError):  # who listens may have seen enough
                line.sendall(part)
            line.close()
            time.sleep(silent)
        self._socket.close()
