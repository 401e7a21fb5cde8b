"""What tests of several rooms share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory) -> Path:
    """A small dehazer that learnt nothing, with its graphs: whatever the numbers are, all engines make the same of them."""
    import torch

    from clairvoy.generative.density.vae import VAESettings
    from clairvoy.releasing.parts import Parts
    from clairvoy.releasing.save import save_weights

    torch.manual_seed(0)
    parts = Parts.new(VAESettings(width=8, latent=4))
    with torch.no_grad():  # the field tells places apart, so that haze differs from place to place
        parts.generator.decoder.last.weight.mul_(100)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, parts)
    return path


def pattern(number, height, width):
    """Squares of 8 pixels in soft colours, moved to the right by two pixels a frame."""
    squares = np.random.default_rng(0).integers(60, 200, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.roll(squares.repeat(8, 0).repeat(8, 1), 2 * number, axis=1)


@pytest.fixture
def film_pattern():
    """The pixels of a frame of such a film, by its number, height and width."""
    return pattern


@pytest.fixture
def make_film(tmp_path):
    """What writes films and gives the path and the times of the frames in milliseconds."""
    import av  # here: most tests see no film

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
