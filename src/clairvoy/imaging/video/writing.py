"""A film, written: new pictures, and all the rest of it as it was."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from clairvoy.errors import FileError
from clairvoy.imaging.video.colour import from_rgb, is_deep
from clairvoy.imaging.video.reading import Film, Shown, as_stored, video_library


@dataclass(frozen=True)
class Encoder:
    """How a codec is written here: fast enough to keep up, and finer than an eye sees."""

    name: str
    options: dict[str, str]


ENCODERS = {
    "h264": Encoder("libx264", {"crf": "17", "preset": "veryfast"}),
    "hevc": Encoder("libx265", {"crf": "19", "preset": "veryfast", "x265-params": "log-level=none"}),
    "vp9": Encoder(
        "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
    ),
    "av1": Encoder("libsvtav1", {"crf": "24", "preset": "9"}),
    "ffv1": Encoder("ffv1", {}),
    "prores": Encoder("prores_ks", {}),
    "mjpeg": Encoder("mjpeg", {"qmin": "2", "qmax": "3"}),
}
"""By the name of the codec. A film of another codec becomes H.264."""
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""By suffix: those that hold any time of a frame, and how it is turned."""
_OF_THE_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "software"})


class FilmWriter:
    """Writes the film that another one becomes.

    Parameters
    ----------
    target
        Path or binary file to write to.
    film
        What is rewritten: codec, timing, shape and colours of its pictures, sound, subtitles, chapters and names stay.
    container
        Its name in FFmpeg, one of `CONTAINERS`.
    begin
        Time, in seconds of the film, that becomes 0.

    Raises
    ------
    FileError
        The target cannot be written to.
    """

    def __init__(self, target: Any, film: Film, container: str, begin: float = 0.0) -> None:
        self._av, self.film, self.begin = video_library(), film, begin
        try:
            self.container = self._av.open(target, "w", format=container)
        except self._av.error.FFmpegError as error:
            raise FileError(f"{target}: cannot be written ({error}); choose another place") from error
        names = film.container.metadata.items()
        self.container.metadata.update(
            {key: told for key, told in names if key.lower() not in _OF_THE_CONTAINER}
        )
        self._stream: Any = None
        self._copies: dict[int, Any] = {}
        self._format = ""
        self._last = -1
        for stream in film.copied:
            if (
                stream.codec_context is not None
                and stream.codec_context.name in self.container.supported_codecs
            ):
                copy = self.container.add_stream_from_template(stream)
                copy.metadata.update(stream.metadata)
                self._copies[stream.index] = copy
            else:
                film.losses.left_out.append(f"{stream.type} {stream.index}")
        self._waiting: list[Any] = []

    def write(self, shown: Shown, pixels: npt.NDArray[Any]) -> None:
        """Write a frame: `pixels`, upright as those of `shown`, in the place of those."""
        if self._stream is None:
            self._begin(shown)
        frame = from_rgb(as_stored(pixels, shown.frame.rotation), shown.frame, self._format)
        frame.pts -= round(self.begin / frame.time_base)
        if frame.pts <= self._last:
            return
        self._last = frame.pts
        for packet in self._stream.encode(frame):
            self.container.mux(packet)

    def copy(self, packet: Any) -> None:
        """Write a packet of sound or subtitles, unchanged."""
        stream = self._copies.get(packet.stream.index)
        if stream is None or packet.dts is None:
            return
        shift = round(self.begin / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = stream
        # The header names all streams, and the pictures' is known with the first frame.
        if self._stream is None:
            self._waiting.append(packet)
        else:
            self.container.mux(packet)

    def close(self) -> None:
        """Write what the encoder holds, and the end of the file.

        Raises
        ------
        FileError
            There was no picture.
        """
        try:
            if self._stream is None:
                raise FileError(
                    f"{self.film.name}: no picture could be read; is it damaged, or --from beyond its end?"
                )
            for packet in self._stream.encode(None):
                self.container.mux(packet)
        finally:
            self.container.close()

    def _begin(self, shown: Shown) -> None:
        frame, source = shown.frame, self.film.video
        codec, encoder = self._codec(source.codec_context.name)
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        stream = self.container.add_stream(encoder.name, rate=rate, options=encoder.options)
        self._stream, context = stream, stream.codec_context
        self._format = _pixel_format(frame, encoder.name, self._av)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, self._format
        stream.metadata.update(source.metadata)
        context.time_base = stream.time_base = frame.time_base
        context.sample_aspect_ratio = source.sample_aspect_ratio or Fraction(1)
        context.colorspace, context.color_range = frame.colorspace, frame.color_range
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        if codec == "hevc":
            context.codec_tag = "hvc1"  # without it, Apple's players show nothing
        if frame.rotation:
            stream.set_display_rotation(frame.rotation)
        if self.film.container.chapters() and not self.begin:
            self.container.set_chapters(self.film.container.chapters())
        for packet in self._waiting:
            self.container.mux(packet)
        self._waiting.clear()

    def _codec(self, name: str) -> tuple[str, Encoder]:
        """The film's own codec where it can be written and the container takes it, else what the container likes."""
        for wanted in (name, "h264", self.container.default_video_codec, "vp9"):
            if wanted in ENCODERS and wanted in self.container.supported_codecs:
                return wanted, ENCODERS[wanted]
        raise FileError(
            f"a film cannot be written as {self.container.format.name}; use {', '.join(CONTAINERS)}"
        )


def _pixel_format(frame: Any, encoder: str, av: Any) -> str:
    """The frame's own format where the encoder takes it, else the usual one of its depth."""
    own = frame.format.name.replace("yuvj", "yuv")
    offered = {one.name for one in av.Codec(encoder, "w").video_formats or ()}
    for wanted in (own, "yuv420p10le" if is_deep(frame) else "yuv420p", "yuv422p10le", "yuvj420p"):
        if wanted in offered:
            return wanted
    return next(iter(sorted(offered)))
