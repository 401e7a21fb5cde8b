"""Files that are there whole or not at all, and JSON that every reader takes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from clairvoy.apps.outputs import check_writable, map_png, picture_png, to_json, write_bytes
from clairvoy.errors import FileError


def test_a_map_keeps_its_values_to_16_bits():
    values = np.float32([[0.0, 0.25, 1.0], [-3.0, 7.0, 1 / 65535]])
    decoded = cv2.imdecode(np.frombuffer(map_png(values), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.tolist() == [[0, 16384, 65535], [0, 65535, 1]]


def test_a_picture_keeps_its_channel_order():
    rgb = np.uint8([[[255, 10, 0]]])
    assert cv2.imdecode(np.frombuffer(picture_png(rgb), np.uint8), cv2.IMREAD_COLOR)[0, 0].tolist() == [
        0,
        10,
        255,
    ]


def test_json_has_no_infinity():
    value = {"db": float("inf"), "list": (1.5, float("nan")), "name": "a"}
    assert json.loads(to_json(value)) == {"db": None, "list": [1.5, None], "name": "a"}


def test_write_makes_folders_and_replaces(folder):
    path = Path("a/b/file.bin")
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [item.name for item in path.parent.iterdir()] == ["file.bin"]


def test_a_write_that_fails_keeps_what_was_there(folder, monkeypatch):
    Path("file.bin").write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match=r"file.bin cannot be written \(No space left on device\)"):
        write_bytes(Path("file.bin"), b"new")
    assert [item.name for item in folder.iterdir()] == ["file.bin"]
    assert Path("file.bin").read_bytes() == b"old"


def test_checking_leaves_nothing_behind(folder):
    check_writable([Path("x/y/z.json"), Path("z.json")])
    assert list(folder.iterdir()) == []
    Path("file").touch()
    with pytest.raises(FileError, match=r"file/z\.json cannot be written"):
        check_writable([Path("file/z.json")])
