"""Films on the command line: what becomes which file, what breaks off, what is refused."""

import argparse
import json

import av
import fsspec
import numpy as np
import pytest
from stream_server import COUNT, Server, transport_stream

from clairvoy.apps.argument_types import seconds
from clairvoy.apps.clear import command
from clairvoy.apps.clear.films import target_of
from clairvoy.apps.cli import main
from clairvoy.errors import SettingsError
from clairvoy.imaging.video import reading
from clairvoy.imaging.video.reading import Film, Shown


@pytest.fixture
def darker(monkeypatch):
    """In the dehazer's place: takes 40 levels away, and keeps the times that it was asked about."""
    asked = []

    def load(args):
        def restorer():
            def restore(pixels, time):
                asked.append(time)
                return pixels - 40

            return restore

        return restorer

    monkeypatch.setattr(command, "load_film_restorer", load)
    return asked


def frames(path):
    with Film(str(path)) as film:
        return [part for part in film.content() if isinstance(part, Shown)]


def test_each_frame_is_restored_and_the_film_lies_beside(make_film, tmp_path, darker, capsys):
    source, times = make_film(steps=(40, 55))
    assert main(["clear", str(source)]) == 0
    before, after = frames(source), frames(tmp_path / "film.clear.mp4")
    assert [round(1000 * time) for time in darker] == times
    assert [frame.time for frame in after] == [frame.time for frame in before]
    change = np.mean(
        [b.pixels.astype(float).mean() - a.pixels.mean() for a, b in zip(after, before, strict=True)]
    )
    assert change == pytest.approx(40, abs=2)
    assert "20 frames" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.clear.mp4", "film.mp4"]


def test_a_part_a_report_and_several_films(make_film, tmp_path, darker):
    first, _ = make_film("a.mp4", frames=30)
    second, _ = make_film("b.mov", frames=30)
    report = tmp_path / "report.json"
    out = tmp_path / "out"
    arguments = ["--from", "0.4", "--to", "0:00:00.8", "--report", str(report), "-q"]
    assert main(["clear", str(first), str(second), "-o", str(out), *arguments]) == 0
    assert [entry["frames"] for entry in json.loads(report.read_text())] == [10, 10]
    assert {path.name for path in out.iterdir()} == {"a.mp4", "b.mov"}
    assert main(["clear", str(first), str(second), "-o", str(out), "-q"]) == 2  # they exist
    assert main(["clear", str(first), str(second), "-o", str(out), "-q", "--skip-existing"]) == 0


def test_one_bad_film_does_not_stop_the_other(make_film, tmp_path, darker, capsys):
    good, _ = make_film("good.mp4")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no film at all")
    assert main(["clear", str(bad), str(good), "-o", str(tmp_path / "out")]) == 2
    assert "bad.mp4: not a film" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.mp4"]


def test_what_breaks_off_is_restored_so_far_and_said(make_film, tmp_path, darker, capsys):
    source, _ = make_film("film.mkv", frames=200)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    assert main(["clear", str(source)]) == 2
    assert "broke off" in capsys.readouterr().err
    assert len(frames(tmp_path / "film.clear.mkv")) > 20


def test_a_fault_in_the_middle_leaves_no_film(make_film, tmp_path, monkeypatch):
    source, _ = make_film()

    def load(args):
        def restore(pixels, time):
            if time > 0.3:
                raise SettingsError("enough; stop here")
            return pixels

        return lambda: restore

    monkeypatch.setattr(command, "load_film_restorer", load)
    assert main(["clear", str(source), "-q"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_through_a_pipe_it_goes_as_matroska(make_film, tmp_path, darker, capfdbinary, monkeypatch):
    source, times = make_film()
    assert main(["clear", str(source), "-o", "-", "-q"]) == 0
    piped = tmp_path / "piped.mkv"
    piped.write_bytes(capfdbinary.readouterr().out)
    assert [round(1000 * frame.time) for frame in frames(piped)] == times
    with av.open(str(piped)) as film:
        assert "matroska" in film.format.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["film.mp4", "photo.jpg"], "calls of their own"),
        (["film.mp4", "--haze-map", "map.png"], "--haze-map is for photographs"),
        (["film.mp4", "--samples", "4"], "--samples is for photographs"),
        (["film.mp4", "--flat"], "--flat is for photographs"),
        (["film.mp4", "--cluster", "tcp://here:8786"], "--cluster is for photographs"),
        (["film.mp4", "--jobs", "2"], "--jobs is for photographs"),
        (["film.mp4", "-o", "out.avi"], "end it with one of"),
        (["film.mp4", "-o", "film.mp4"], "the film itself"),
        (["film.mp4", "--from", "5", "--to", "2"], "begin before it ends"),
        (["photo.jpg", "--from", "5"], "are for films"),
        (["rtsp://camera/1"], "say with -o FILE"),
    ],
)
def test_what_cannot_be_meant_is_refused(make_film, tmp_path, monkeypatch, capsys, arguments, message):
    make_film()
    monkeypatch.chdir(tmp_path)
    assert main(["clear", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_containers_that_hold_no_times_become_matroska():
    assert target_of("a/old.avi", None, False).name == "old.clear.mkv"
    assert target_of("a/phone.MOV", None, False).name == "phone.clear.mov"
    assert target_of("a.ts", "out/", False).name == "a.mkv"


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("1:0:0", 3600)])
def test_times(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "a", "-1", "1:2:3:4", "inf"])
def test_no_times(text):
    with pytest.raises(argparse.ArgumentTypeError, match="not a time"):
        seconds(text)


def test_a_film_of_a_bucket_goes_to_a_bucket(make_film, tmp_path, darker):
    source, _ = make_film(steps=(40, 55))
    assert main(["clear", str(source), "-o", str(tmp_path / "here.mkv"), "-q"]) == 0
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/films/drive.mp4", source.read_bytes())
    try:
        assert main(["clear", "memory://films/drive.mp4", "-o", "memory://films/out.mkv", "-q"]) == 0
        (tmp_path / "there.mkv").write_bytes(memory.cat_file("/films/out.mkv"))
        assert main(["clear", "memory://films/drive.mp4", "-o", "memory://films/out.mkv", "-q"]) == 2
    finally:
        memory.rm("/films", recursive=True)
    here, there = frames(tmp_path / "here.mkv"), frames(tmp_path / "there.mkv")
    assert [frame.time for frame in here] == [frame.time for frame in there]
    apart = [np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in zip(here, there, strict=True)]
    assert max(apart) < 2  # x264 on several threads does not repeat to the bit


@pytest.fixture
def camera(monkeypatch):
    """FFmpeg's own test picture, ten a second without end, stands for a camera."""
    monkeypatch.setattr(reading, "_of_this_machine", lambda name: ("testsrc=size=64x48:rate=10", "lavfi"))


def test_a_camera_is_recorded_until_a_time(camera, tmp_path, darker):
    out, report = tmp_path / "out.mkv", tmp_path / "report.json"
    assert main(["clear", "camera", "-o", str(out), "--to", "1", "--report", str(report), "-q"]) == 0
    assert len(frames(out)) == 10
    assert json.loads(report.read_text())["status"] == "restored"


def test_ctrl_c_ends_a_stream_and_keeps_what_was_there(camera, tmp_path, monkeypatch):
    def restorer():
        seen = []

        def restore(pixels, time):
            seen.append(time)
            if len(seen) == 6:
                raise KeyboardInterrupt
            return pixels

        return restore

    monkeypatch.setattr(command, "load_film_restorer", lambda args: restorer)
    assert main(["clear", "camera", "-o", str(tmp_path / "out.mkv"), "-q"]) == 0
    assert len(frames(tmp_path / "out.mkv")) == 5


def test_a_preview_is_drawn_in_a_terminal_and_refused_elsewhere(
    camera, tmp_path, darker, monkeypatch, capsys
):
    call = ["clear", "camera", "-o", str(tmp_path / "out.mkv"), "--to", "1", "--preview"]
    assert main(call) == 2
    assert "--preview draws in a terminal, and there is none" in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main([*call, "-q"]) == 0
    assert "\u2584" in capsys.readouterr().err


def test_a_stream_that_comes_back_is_one_film_and_said(tmp_path, darker, capsys):
    data = transport_stream()
    address = Server(data[: len(data) // 2], data).address
    report = tmp_path / "report.json"
    call = ["clear", address, "-o", str(tmp_path / "out.mkv"), "--reconnect", "1", "--report", str(report)]
    assert main(call) == 0
    assert json.loads(report.read_text())["reconnections"] == 1
    assert "broke off and was opened again 1 times" in capsys.readouterr().err
    assert len(frames(tmp_path / "out.mkv")) > COUNT


def test_a_film_of_all_around_is_restored_flat_and_that_is_said(make_film, tmp_path, darker, capsys):
    # Evenly grey: its ends fit together, and each pole is one place.
    with av.open(str(tmp_path / "around.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv420p"
        for _ in range(3):
            film.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.full((128, 256, 3), 128, np.uint8), format="rgb24")
                )
            )
        film.mux(stream.encode(None))
    report = tmp_path / "report.json"
    assert main(["clear", str(tmp_path / "around.mp4"), "--report", str(report)]) == 0
    assert "shows all around" in capsys.readouterr().err
    assert json.loads(report.read_text())["panorama"] is True
    source, _ = make_film()
    assert main(["clear", str(source), "--report", str(report), "--overwrite"]) == 0
    assert "shows all around" not in capsys.readouterr().err
    assert "panorama" not in json.loads(report.read_text())
