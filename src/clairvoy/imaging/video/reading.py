"""A film, opened: its frames as upright pixels, and everything else of it as it is stored."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.formats.recognition import READ_SUFFIXES
from clairvoy.imaging.video.colour import to_rgb
from clairvoy.storage.remote import is_remote, opened, place

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"}
)
"""Names of files that are taken for films."""
STREAMS = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp"})
"""Kinds of address that are streams, beside HTTP."""
ENDED_EARLY = 0.5
"""Seconds that may be missing from what a film says of its own length."""
_NEARLY_ALL = 0.98
RUBBISH_IN_A_ROW = 20
"""Times that what should be a packet may be none, one after another, before a film counts as broken."""


def video_library() -> Any:
    """PyAV.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise SettingsError(
            "films need PyAV, which is not installed: pip install 'clairvoy[video]'"
        ) from error
    av.logging.set_level(None)
    return av


def is_film(name: str) -> bool:
    """Whether a name is that of a film: a suffix of `SUFFIXES`, or the address of a stream (rtsp://...)."""
    return is_stream(name) or Path(name).suffix.lower() in SUFFIXES


def is_camera(name: str) -> bool:
    """Whether a name is that of a camera of this machine: ``camera``, ``camera:1``."""
    return re.fullmatch(r"camera(:\S+)?", name) is not None and not Path(name).exists()


def is_stream(name: str) -> bool:
    """Whether a name is a camera, or the address of a stream, and not a file."""
    if is_camera(name):
        return True
    kind, separator, rest = name.partition("://")
    if kind.lower() in ("http", "https"):  # of a camera, unless it is the address of a photograph
        return PurePosixPath(rest.partition("?")[0]).suffix.lower() not in READ_SUFFIXES
    return bool(separator) and kind.lower() in STREAMS


@dataclass(frozen=True)
class Shown:
    """A frame as it is seen."""

    pixels: npt.NDArray[Any]
    """(H, W, 3), upright; uint8, or uint16 where the film has more than 8 bits."""
    time: float
    """When it is shown, in seconds of the film."""
    frame: Any
    """The decoded `av.VideoFrame`, with its own rotation."""


@dataclass
class Losses:
    """What could not be read of a film."""

    frames: int = 0
    """Frames, or packets of them, that could not be decoded."""
    ended: str = ""
    """Why it ended before its own end; empty where it did not."""
    left_out: list[str] = field(default_factory=list)
    """Streams that the output cannot hold."""


class Film:
    """A film opened for reading; use it in a `with` block.

    Parameters
    ----------
    name
        A file, "-" for standard input, the address of a stream, or a camera: "camera", "camera:1".

    Raises
    ------
    FileError
        It cannot be opened, or shows no pictures.
    SettingsError
        PyAV is not installed.
    """

    def __init__(self, name: str) -> None:
        self._av = video_library()
        self.name, self.losses = name, Losses()
        self._open()
        self._unit = self.video.time_base

    def _open(self) -> None:
        name = self.name
        options = {"rtsp_transport": "tcp"} if name.startswith("rtsp") else {}
        source: Any = sys.stdin.buffer if name == "-" else name
        format = None
        if is_camera(name):
            source, format = _of_this_machine(name)
        elif is_remote(name) and not is_stream(name):
            source = opened(place(name))
        # What a network or a pipe takes to say nothing may be long; a camera that is gone must not hang a run for ever.
        timeout = (20.0, 20.0) if is_stream(name) else None
        try:
            self.container = self._av.open(source, format=format, options=options, timeout=timeout)
        except (self._av.error.FFmpegError, ValueError) as error:
            raise FileError(_not_opened(name, error)) from error
        if not self.container.streams.video:
            self.container.close()
            raise FileError(f"{name}: a file without pictures; name a film")
        self.video = self.container.streams.video[0]
        self.video.thread_type = "AUTO"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def seconds(self) -> float | None:
        """How long it says it is; None where it does not say."""
        length = self.container.duration
        return None if not length or length < 0 else length / self._av.time_base

    @property
    def copied(self) -> list[Any]:
        """Streams of sound and subtitles."""
        return [one for one in self.container.streams if one.type in ("audio", "subtitle")]

    def content(self, begin: float = 0.0, end: float | None = None) -> Iterator[Shown | Any]:
        """Frames to restore, as `Shown`, and packets of sound and subtitles to copy, in the order of the file.

        Parameters
        ----------
        begin, end
            What is shown from one time, in seconds, up to another.
        """
        # Sound may begin before the pictures; time counts from the first picture.
        own = self.video.start_time
        start = float(
            own * self.video.time_base
            if own is not None
            else (self.container.start_time or 0) / self._av.time_base
        )
        if begin > 0:
            with suppress(self._av.error.FFmpegError):
                self.container.seek(int((start + begin) * self._av.time_base))
        wanted = {one.index for one in self.copied}
        last = begin
        for packet in self._packets():
            if packet.stream.index == self.video.index:
                for shown in self._decoded(packet, start):
                    if shown.time >= begin and (end is None or shown.time < end):
                        last = shown.time
                        yield shown
                    elif end is not None and shown.time >= end:
                        return
            elif packet.stream.index in wanted and packet.pts is not None:
                time = float(packet.pts * packet.time_base) - start
                # Sound of a whole film begins a little before its pictures: its coder needs a run-up.
                if (time >= begin or not begin) and (end is None or time < end):
                    yield packet
        self._note_the_end(last, end)

    def _packets(self) -> Iterator[Any]:
        """All packets, the last ones empty; a film that breaks off just ends, and its decoder gives what it holds."""
        try:
            yield from self._demuxed()
        except self._av.error.FFmpegError as error:
            self.losses.ended = str(error)
            yield self._last_packet()

    def _demuxed(self) -> Iterator[Any]:
        """The packets of the container, as far as it can be read; what is no packet in between is passed over."""
        rubbish = 0
        while True:
            try:
                for packet in self.container.demux():
                    rubbish = 0
                    yield packet
                return
            except self._av.error.InvalidDataError:
                rubbish += 1
                self.losses.frames += 1
                if rubbish == RUBBISH_IN_A_ROW:
                    raise

    def _last_packet(self) -> Any:
        """What lets the decoder give what it holds."""
        packet = self._av.Packet(0)
        packet.stream = self.video
        return packet

    def _decoded(self, packet: Any, start: float) -> Iterator[Shown]:
        try:
            frames = self.video.codec_context.decode(packet if packet.size else None)
        except self._av.error.EOFError:
            return
        except self._av.error.FFmpegError:
            self.losses.frames += 1
            return
        for frame in frames:
            if frame.is_corrupt:
                self.losses.frames += 1
                continue
            if frame.pts is None:
                continue
            if frame.time_base is None:
                frame.time_base = self.video.time_base
            if frame.time_base != self._unit:  # of a stream that was opened again
                frame.pts = round(frame.pts * frame.time_base / self._unit)
                frame.time_base = self._unit
            yield Shown(
                upright(to_rgb(frame), frame.rotation), float(frame.pts * frame.time_base) - start, frame
            )

    def _note_the_end(self, last: float, end: float | None) -> None:
        if self.losses.ended:
            return
        if is_stream(self.name):
            if end is not None and last + ENDED_EARLY < end:
                self.losses.ended = f"it fell silent after {last:.1f} s"
            return
        told = self.seconds
        if told is None or (end is not None and end <= told):
            return
        of_video = float(self.video.duration * self.video.time_base) if self.video.duration else told
        if last + ENDED_EARLY < _NEARLY_ALL * min(told, of_video):
            self.losses.ended = f"it says it is {told:.1f} s long and ends after {last:.1f} s"


def upright(pixels: npt.NDArray[Any], degrees: int) -> npt.NDArray[Any]:
    """Pixels (H, W, 3) turned counter-clockwise by a multiple of 90 degrees, as a player turns them."""
    return np.ascontiguousarray(np.rot90(pixels, round(degrees / 90) % 4))


def as_stored(pixels: npt.NDArray[Any], degrees: int) -> npt.NDArray[Any]:
    """The inverse of `upright`."""
    return upright(pixels, -degrees)


def _of_this_machine(name: str) -> tuple[str, str]:
    """What FFmpeg calls a camera, and the way to it on this system."""
    number = name.partition(":")[2] or "0"
    if sys.platform == "darwin":
        return number, "avfoundation"
    if sys.platform == "win32":
        return f"video={number}", "dshow"
    return f"/dev/video{number}", "v4l2"


def _not_opened(name: str, error: Exception) -> str:
    if is_camera(name):
        return (
            f"{name}: there is no such camera, or it is not for this program ({error}); camera:1 is the second one, on "
            "Windows camera:NAME"
        )
    if name == "-":
        return f"standard input: not a film that can be read ({error}); send one in Matroska, MPEG-TS or WebM"
    if not is_stream(name) and not Path(name).exists():
        return f"{name}: no such file; name a film"
    if "Invalid data" in str(error):
        return (
            f"{name}: not a film that can be read ({error}); where a recording was cut off its index is missing, and "
            "a tool such as untrunc may mend it"
        )
    return f"{name}: cannot be opened ({error}); name a film or the address of a stream"
