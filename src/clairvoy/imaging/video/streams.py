"""Streams that somebody else sends: rubbish in them is passed over, and where they break off they are opened again.

Time goes on by the clock over a gap, so that the film that is written is as long as what was watched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from clairvoy.errors import FileError
from clairvoy.imaging.video.reading import Film, is_stream

PATIENCE = 30.0
"""Seconds that a stream may be silent before it counts as ended."""
_WAITS = (0.2, 10.0)
"""Seconds between two attempts, at first and at most."""


class LiveStream(Film):
    """A stream, opened for reading; use it in a `with` block.

    Parameters
    ----------
    name
        Its address, or the name of a camera.
    patience
        How long it is tried to open it again where it broke off, in seconds; 0: not at all.

    Attributes
    ----------
    reconnections
        How often it was opened again.

    Raises
    ------
    FileError, SettingsError
        As `Film`.
    """

    def __init__(self, name: str, patience: float = PATIENCE) -> None:
        super().__init__(name)
        self.patience, self.reconnections = patience, 0
        self._heard = time.monotonic()
        """When the last packet came."""
        self._latest = 0.0
        """Time of the latest picture, in seconds of the first connection's clock."""
        self._shift = 0.0
        """From this connection's clock to the first one's."""
        self._gap = 0.0

    def _packets(self) -> Iterator[Any]:
        while True:
            fault, fresh = "", self.reconnections > 0
            try:
                for packet in self._demuxed():
                    if packet.size:
                        self._heard = time.monotonic()
                        if fresh and packet.dts is not None:
                            self._shift = self._now() - float(packet.dts * packet.time_base)
                            fresh = False
                        self._move(packet)
                    yield packet
            except self._av.error.FFmpegError as error:
                fault = str(error)
                yield self._last_packet()
            left_off = time.monotonic()
            if not self._opened_again():
                self.losses.ended = fault
                return
            self._gap = time.monotonic() - left_off

    def _now(self) -> float:
        """Where the first connection's clock is when the first packet of a new one comes."""
        return self._latest + max(self._gap, self._frame_seconds())

    def _frame_seconds(self) -> float:
        rate = self.video.average_rate or self.video.guessed_rate
        return float(1 / rate) if rate else 0.04

    def _move(self, packet: Any) -> None:
        """Put a packet on the first connection's clock."""
        ticks = round(self._shift / packet.time_base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
        if packet.stream.index == self.video.index and packet.pts is not None:
            self._latest = max(self._latest, float(packet.pts * packet.time_base))

    def _opened_again(self) -> bool:
        wait, most = _WAITS
        size = self.video.width, self.video.height
        self.container.close()
        while (left := self._heard + self.patience - time.monotonic()) > 0:
            time.sleep(min(wait, left))
            wait = min(2 * wait, most)
            try:
                self._open()
            except FileError:
                continue
            if (self.video.width, self.video.height) == size:
                self.reconnections += 1
                return True
            self.container.close()
        return False


def open_film(name: str, patience: float = PATIENCE) -> Film:
    """A film, or a stream that is opened again for `patience` seconds where it breaks off; see `Film`."""
    return LiveStream(name, patience) if is_stream(name) else Film(name)
