"""Films to try, made here."""

from fractions import Fraction

import av
import numpy as np
import pytest


def pattern(number, height, width):
    """Squares of 8 pixels in soft colours, moved to the right by two pixels a frame."""
    squares = np.random.default_rng(0).integers(60, 200, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.roll(squares.repeat(8, 0).repeat(8, 1), 2 * number, axis=1)


@pytest.fixture
def make_film(tmp_path):
    """Write a film and give its path and the times of its frames in milliseconds."""

    def make(name="film.mp4", *, frames=20, codec="libx264", pixels="yuv420p", size=(64, 96), sound=True,
             turned=0, steps=(40,), tags=None, title="Mist"):  # fmt: skip
        path = tmp_path / name
        with av.open(str(path), "w") as film:
            options = {"crf": "4", "g": "12"} if codec == "libx264" else {}
            if codec == "libx265":
                options = {"x265-params": "log-level=none"}
            stream = film.add_stream(codec, rate=25, options=options)
            stream.height, stream.width = size
            stream.pix_fmt = pixels
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            for key, value in (tags or {}).items():
                setattr(stream.codec_context, key, value)
            if turned:
                stream.set_display_rotation(turned)
            voice = film.add_stream("aac", rate=8000) if sound else None
            film.metadata["title"] = title
            times, now = [], 0
            for number in range(frames):
                shown = av.VideoFrame.from_ndarray(pattern(number, *size), format="rgb24")
                shown = shown.reformat(format=pixels, dst_colorspace=5)
                shown.pts, shown.time_base = now, Fraction(1, 1000)
                times.append(now)
                now += steps[number % len(steps)]
                film.mux(stream.encode(shown))
            film.mux(stream.encode(None))
            if voice is not None:
                silence = np.sin(np.arange(now * 8, dtype=np.float32))[None]
                sound_frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
                sound_frame.sample_rate, sound_frame.pts = 8000, 0
                film.mux(voice.encode(sound_frame))
                film.mux(voice.encode(None))
        return path, times

    return make
