"""Files that are there whole or not at all, and JSON that every reader takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.errors import FileError


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
