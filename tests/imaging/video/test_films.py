"""Films in and out: times, sound, names, colours and turns are kept; what breaks off gives what was there."""

import io
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.video import reading
from clairvoy.imaging.video.reading import Film, Shown, as_stored, is_film, is_stream, upright
from clairvoy.imaging.video.writing import CONTAINERS, FilmWriter


def rewrite(source, target, **span):
    """Read and write a film without a change to its pixels; gives what was lost."""
    with Film(str(source)) as film:
        writer = FilmWriter(str(target), film, CONTAINERS[target.suffix], span.get("begin", 0.0))
        for part in film.content(**span):
            if isinstance(part, Shown):
                writer.write(part, part.pixels)
            else:
                writer.copy(part)
        writer.close()
        return film.losses


def shown(path):
    with Film(str(path)) as film:
        return [part for part in film.content() if isinstance(part, Shown)]


def sound(path):
    """The packets of sound of a film, byte by byte."""
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


def milliseconds(frames):
    return [round(frame.time * 1000) for frame in frames]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_sound_and_names_are_kept(make_film, tmp_path, suffix):
    """Frames that come at uneven times, as from a phone."""
    source, times = make_film(steps=(33, 41, 90, 17))
    target = tmp_path / f"out{suffix}"
    losses = rewrite(source, target)
    assert not losses.left_out
    assert not losses.ended
    assert losses.frames == 0
    assert milliseconds(shown(target)) == times
    assert sound(target) == sound(source)
    with av.open(str(target)) as film:
        assert film.metadata["title"] == "Mist"
        assert film.streams.video[0].codec_context.name == "h264"


def test_pixels_come_back_upright_and_nearly_as_they_were(make_film, film_pattern, tmp_path):
    source, _ = make_film(turned=90, steps=(33, 50))
    before = shown(source)
    assert before[0].pixels.shape == (96, 64, 3)
    assert np.abs(as_stored(before[3].pixels, 90).astype(int) - film_pattern(3, 64, 96)).mean() < 4
    rewrite(source, tmp_path / "out.mp4")
    after = shown(tmp_path / "out.mp4")
    assert after[0].frame.rotation == 90
    assert after[0].frame.width == 96
    assert np.abs(after[3].pixels.astype(int) - before[3].pixels).mean() < 3


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90])
def test_a_turn_and_back_is_none(degrees):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(as_stored(upright(pixels, degrees), degrees), pixels)
    assert np.array_equal(upright(pixels, 90), np.rot90(pixels))


@pytest.mark.parametrize(("standard", "value_range"), [(1, 1), (1, 2), (6, 1), (9, 1)])
def test_standard_and_range_of_colours_are_kept(make_film, tmp_path, standard, value_range):
    """BT.709, BT.601 and BT.2020, in the narrow and the full range."""
    tags = {"colorspace": standard, "color_range": value_range, "color_primaries": 1, "color_trc": 1}
    source, _ = make_film(tags=tags, frames=5)
    rewrite(source, tmp_path / "out.mp4")
    before, after = shown(source)[0], shown(tmp_path / "out.mp4")[0]
    assert (after.frame.colorspace, after.frame.color_range) == (standard, value_range)
    assert (after.frame.color_primaries, after.frame.color_trc) == (1, 1)
    assert np.abs(before.pixels.astype(int) - after.pixels).mean() < 3


def test_a_film_without_a_standard_gets_the_one_of_its_size(make_film, tmp_path):
    source, _ = make_film(frames=3)
    assert shown(source)[0].frame.colorspace == 5
    large, _ = make_film("large.mp4", frames=2, size=(720, 1280), sound=False)
    assert shown(large)[0].frame.colorspace == 1


def test_ten_bits_stay_ten_bits(make_film, tmp_path):
    source, times = make_film(
        codec="libx265", pixels="yuv420p10le", tags={"color_trc": 16, "color_primaries": 9}
    )
    rewrite(source, tmp_path / "out.mp4")
    after = shown(tmp_path / "out.mp4")
    assert after[0].pixels.dtype == np.uint16
    assert after[0].frame.format.name == "yuv420p10le"
    assert after[0].frame.color_trc == 16
    assert milliseconds(after) == times


def test_a_part_begins_at_zero_and_takes_its_sound_along(make_film, tmp_path):
    source, times = make_film(frames=50)
    rewrite(source, tmp_path / "part.mp4", begin=0.5, end=1.2)
    part = shown(tmp_path / "part.mp4")
    wanted = [time for time in times if 500 <= time < 1200]
    assert milliseconds(part) == [time - wanted[0] for time in wanted]
    whole = shown(source)
    assert np.abs(part[0].pixels.astype(int) - whole[times.index(wanted[0])].pixels).mean() < 5
    assert 0 < len(sound(tmp_path / "part.mp4")) < len(sound(source))


def test_chapters_language_and_subtitles_are_kept(make_film, tmp_path):
    source, _ = make_film(frames=20, sound=False)
    (tmp_path / "said.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nMist\n\n")
    chapters = [
        {
            "id": k,
            "start": 400 * k,
            "end": 400 * k + 400,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": name},
        }
        for k, name in enumerate(("hills", "sea"))
    ]
    whole = tmp_path / "whole.mkv"
    with (
        av.open(str(source)) as film,
        av.open(str(tmp_path / "said.srt")) as said,
        av.open(str(whole), "w") as out,
    ):
        pictures = out.add_stream_from_template(film.streams.video[0])
        pictures.metadata["language"] = "deu"
        words = out.add_stream_from_template(said.streams.subtitles[0])
        out.set_chapters(chapters)
        for stream, container in ((words, said), (pictures, film)):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    losses = rewrite(whole, tmp_path / "out.mkv")
    assert not losses.left_out
    with av.open(str(tmp_path / "out.mkv")) as film:
        assert film.streams.video[0].metadata["language"] == "deu"
        kept = film.chapters()
        assert [chapter["metadata"]["title"] for chapter in kept] == ["hills", "sea"]
        assert [float(chapter["start"] * chapter["time_base"]) for chapter in kept] == [0.0, 0.4]
        words = film.streams.subtitles[0]
        said = [(float(p.pts * p.time_base), bytes(p)) for p in film.demux(words) if p.size]
    assert [text for _, text in said] == [b"Mist"]
    assert said[0][0] == pytest.approx(0.1, abs=2e-3)
    assert rewrite(whole, tmp_path / "out.mp4").left_out == ["subtitle 1"]  # MP4 has a kind of its own


def test_what_breaks_off_gives_what_was_there(make_film, tmp_path):
    source, _ = make_film("film.mkv", frames=200)
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    losses = rewrite(source, tmp_path / "out.mkv")
    kept = shown(tmp_path / "out.mkv")
    assert 20 < len(kept) < 190
    assert "ends after" in losses.ended


def test_damage_in_the_middle_is_counted_and_passed_over(make_film, tmp_path):
    source, _ = make_film("film.mkv", frames=120, sound=False)
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8).tobytes()
    source.write_bytes(bytes(data))
    losses = rewrite(source, tmp_path / "out.mkv")
    assert losses.frames > 0
    after = milliseconds(shown(tmp_path / "out.mkv"))
    assert len(after) > 80
    assert after[-1] > 4500


def test_sound_that_the_container_cannot_hold_is_named(make_film, tmp_path):
    source, times = make_film(frames=8)
    losses = rewrite(source, tmp_path / "out.webm")
    assert losses.left_out == ["audio 1"]
    with av.open(str(tmp_path / "out.webm")) as film:
        assert film.streams.video[0].codec_context.name == "vp9"
    assert milliseconds(shown(tmp_path / "out.webm")) == times


def test_a_pipe_can_be_read(make_film, tmp_path, monkeypatch):
    source, times = make_film("film.mkv")

    class Pipe:
        buffer = io.BytesIO(source.read_bytes())

    monkeypatch.setattr(sys, "stdin", Pipe)
    assert milliseconds(shown("-")) == times


def test_what_is_no_film_is_named(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        Film(str(tmp_path / "none.mp4"))
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(FileError, match=r"text\.mp4: not a film"):
        Film(str(tmp_path / "text.mp4"))
    with av.open(str(tmp_path / "sound.mkv"), "w") as film:
        voice = film.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        film.mux(voice.encode(frame))
        film.mux(voice.encode(None))
    with pytest.raises(FileError, match="without pictures"):
        Film(str(tmp_path / "sound.mkv"))


def test_no_picture_in_the_part_asked_for_is_an_error(make_film, tmp_path):
    source, _ = make_film(frames=5)
    with pytest.raises(FileError, match="no picture could be read"):
        rewrite(source, tmp_path / "out.mp4", begin=100.0)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SettingsError, match=r"clairvoy\[video\]"):
        reading.video_library()


def test_names_of_films():
    assert is_film("a/B.MP4")
    assert is_film("rtsp://camera/1")
    assert not is_film("a.jpg")
    assert not is_film("-")
    assert is_film("https://camera/live?id=1")
    assert not is_film("https://host/a.jpg?size=large")
    assert not is_film("s3://bucket/photographs")
    assert is_film("s3://bucket/drive.mp4")
    assert not is_stream("s3://bucket/drive.mp4")
