"""What lies in a folder is sorted, and nothing is dropped without a word."""

import os

import pytest

from clairvoy.errors import FileError
from clairvoy.imaging.folders import contents_of


def test_photographs_and_others(tmp_path):
    for name in ("b.HEIC", "a.dng", "clip.mp4", "sub/c.avif", "sub/notes.txt", ".hidden.jpg", "jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dangling.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = contents_of(tmp_path, recursive=True)
    assert [path.name for path in found.photographs] == ["a.dng", "b.HEIC", "c.avif"]
    assert [path.name for path in found.others] == [
        "clip.mp4",
        "dangling.png",
        "jpg",
        "pipe.jpg",
        "notes.txt",
    ]
    assert [path.name for path in contents_of(tmp_path).photographs] == ["a.dng", "b.HEIC"]


def test_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refuse(path="."):
        if os.fspath(path) == refused:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    refused = str(tmp_path / "locked")
    assert [path for path, _ in contents_of(tmp_path, recursive=True).unreadable] == [tmp_path / "locked"]
    refused = str(tmp_path)
    with pytest.raises(FileError, match="cannot be looked into"):
        contents_of(tmp_path)
