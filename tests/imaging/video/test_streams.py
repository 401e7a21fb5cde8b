"""Streams from a server of this machine that cuts the line and sends rubbish, and cameras that are not there."""

from __future__ import annotations

import io
import socket
import time
from types import SimpleNamespace

import numpy as np
import pytest
from stream_server import COUNT, RATE, Server, transport_stream

from clairvoy.errors import FileError
from clairvoy.imaging.video import reading
from clairvoy.imaging.video.reading import Film, Shown, is_stream
from clairvoy.imaging.video.streams import LiveStream, open_film


def frames(film: Film, *span: float) -> list[Shown]:
    with film:
        return [part for part in film.content(*span) if isinstance(part, Shown)]


def test_a_line_that_is_cut_is_taken_up_again():
    data = transport_stream()
    server = Server(data[: len(data) // 2], data)
    film = LiveStream(server.address, patience=1.0)
    seen = frames(film)
    times = [one.time for one in seen]
    assert film.reconnections == 1
    assert server.connections == 2
    assert len(seen) > 1.3 * COUNT
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    # The second part begins anew, after what was seen of the first one, and the writer gets the same times.
    assert times[-1] >= (len(seen) - 6) / RATE
    assert seen[-1].pixels.mean() == pytest.approx(60 + 2 * (COUNT - 1), abs=4)
    ticks = [one.frame.pts * one.frame.time_base for one in seen]
    assert [float(tick - ticks[0]) for tick in ticks] == pytest.approx(
        [t - times[0] for t in times], abs=1e-3
    )


def test_time_goes_on_while_nothing_comes():
    data = transport_stream()
    film = LiveStream(Server(data, data, silent=0.6).address, patience=2.0)
    times = [one.time for one in frames(film)]
    assert max(np.diff(times)) > 0.4


def test_rubbish_in_the_middle_is_passed_over():
    data = transport_stream()
    packet = 188 * (len(data) // 188 // 2)
    rubbish = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
    film = LiveStream(Server(data[:packet] + rubbish + data[packet:]).address, patience=0.0)
    seen = frames(film)
    assert len(seen) > 0.7 * COUNT
    assert seen[-1].pixels.mean() == pytest.approx(60 + 2 * (COUNT - 1), abs=4)
    assert film.losses.ended == ""


def test_rubbish_in_a_pipe_is_passed_over(monkeypatch, make_film):
    source, _ = make_film("film.mkv", frames=100)
    data = source.read_bytes()
    middle = len(data) // 2
    rubbish = np.random.default_rng(0).integers(0, 256, 3_000, np.uint8).tobytes()
    broken = data[:middle] + rubbish + data[middle + 500 :]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(broken)))
    seen = frames(Film("-"))
    assert 50 < len(seen) <= 100
    assert seen[-1].time == pytest.approx(99 * 0.04, abs=0.3)


def test_what_stays_silent_ends_and_is_missed_where_more_was_asked_for():
    film = LiveStream(Server(transport_stream()).address, patience=0.3)
    began = time.monotonic()
    assert len(frames(film, 0.0, 60.0)) > 0.9 * COUNT
    assert time.monotonic() - began < 20
    assert film.losses.ended.startswith("it fell silent after ")
    film = LiveStream(Server(transport_stream()).address, patience=0.0)
    frames(film)
    assert film.losses.ended == ""


def test_another_picture_size_is_another_stream():
    film = LiveStream(Server(transport_stream(), transport_stream(size=(48, 64))).address, patience=0.5)
    seen = frames(film)
    assert {one.pixels.shape for one in seen} == {(64, 96, 3)}
    assert film.reconnections == 0


def test_what_is_a_stream(tmp_path, monkeypatch):
    assert isinstance(open_film(Server(transport_stream()).address), LiveStream)
    assert is_stream("camera")
    assert is_stream("camera:1")
    assert not is_stream("camera.jpg")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera").mkdir()
    assert not is_stream("camera")


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(FileError, match="camera:99: there is no such camera"):
        open_film("camera:99")


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(FileError, match=f"{address}: cannot be opened"):
        open_film(address)


def test_a_camera_is_a_stream_of_this_machine(monkeypatch):
    """FFmpeg's own test picture stands for a camera."""
    monkeypatch.setattr(reading, "_of_this_machine", lambda name: ("testsrc=size=64x48:rate=10", "lavfi"))
    seen = frames(open_film("camera"), 0.0, 1.0)
    assert [one.time for one in seen] == pytest.approx([number / 10 for number in range(10)])
    assert seen[0].pixels.shape == (48, 64, 3)
