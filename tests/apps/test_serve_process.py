"""`clairvoy serve` as a program: it answers, gives up on slow clients, and ends well when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from clairvoy.apps.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples/hazy/salcantay.jpg"


@contextmanager
def running(*arguments):
    command = [sys.executable, "-m", "clairvoy", "serve", "--port", "0", "--workers", "1", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert address, said + process.stderr.read()
            with httpx.Client(base_url=address[0], timeout=60) as client:
                yield process, client
        finally:
            process.kill()


def processes_of(group):
    """Processes whose parents lead to `group`, by /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, grew = {group}, True
    while grew:
        more = {child for child, parent in parents.items() if parent in found} - found
        grew = bool(more)
        found |= more
    return found - {group}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_it_serves_and_on_sigterm_finishes_what_was_begun(tmp_path):
    with running() as (process, client):
        answer = client.post("/v1/report", content=EXAMPLE.read_bytes())
        assert answer.json()["size"] == [851, 1280]
        helpers = processes_of(process.pid)
        assert helpers

        late = []
        begun = threading.Thread(
            target=lambda: late.append(
                client.post("/v1/clear?preset=fine&samples=8", content=EXAMPLE.read_bytes())
            )
        )
        begun.start()
        while not httpx.get(client.base_url.join("/healthz")).json()["busy"]:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        begun.join()
        assert late[0].status_code == 200
        assert json.loads(late[0].headers["clairvoy-report"])["status"] == "restored"
        assert process.wait(30) == 0
        end = time.monotonic() + 10
        while alive := [pid for pid in helpers if os.path.exists(f"/proc/{pid}") and not is_zombie(pid)]:
            assert time.monotonic() < end, alive
            time.sleep(0.05)


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_slow_clients_are_given_up(tmp_path):
    """One sends half a head, one a head and no body, one does not fetch its answer."""
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    with running("--seconds", "6", "--queue", "1") as (_, client):
        client.get("/healthz")
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address) as half, socket.create_connection(address) as head:
            half.sendall(b"POST /v1/clear HTTP/1.1\r\nHost: local")
            head.sendall(b"POST /v1/clear HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")
            half.settimeout(40)
            head.settimeout(40)
            assert half.recv(100) == b""
            assert head.recv(100).startswith(b"HTTP/1.1 408")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(address)
            data = cv2.imencode(".png", noise)[1].tobytes()
            head = f"POST /v1/clear HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
            deaf.sendall(head.encode() + data)
            taken = lambda: client.get("/healthz").json()["taken"]  # noqa: E731
            wait_until(lambda: taken() == 1)
            wait_until(lambda: taken() == 0)


def wait_until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--token-file", "missing"), "missing cannot be read"),
        (("--token-file", "empty"), "empty is empty"),
        (("--host", "no.such.host.invalid"), "give another --host or --port"),
        (("--weights", "missing.safetensors", "--port", "0"), "missing.safetensors"),
    ],
)
def test_what_cannot_be_begun_is_said(folder, capfd, arguments, words):
    Path("empty").write_text("\n")
    assert main(["serve", *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_port_that_is_taken_is_named(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"port {port} cannot be listened on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--formats", "jpeg,svg"), "svg cannot be read"),
        (("--port", "70000"), "70000 is not a port"),
        (("--workers", "0"), "1 or more"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(capsys, arguments, words):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", *arguments])
    assert words in capsys.readouterr().err


def test_without_the_extra_it_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install 'clairvoy[serve]'" in capsys.readouterr().err
