"""Files are there whole or not at all; links stay links; what a killed process left behind is removed."""

import os
import subprocess
import sys

import pytest

from clairvoy.storage.atomic import part_name, remove_abandoned_parts, replace_file, replacing


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_written_through(tmp_path, exists):
    (tmp_path / "deep").mkdir()
    real, link = tmp_path / "deep" / "real", tmp_path / "link"
    if exists:
        real.write_bytes(b"old")
    link.symlink_to("deep/real")
    replace_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["real"]


def test_the_rights_of_the_old_file_are_kept(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    replace_file(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file", b"old")]


def test_a_writer_that_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_a_part():
        with replacing(path) as part:
            part.write_bytes(b"ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_a_part()
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file", b"old")]


def test_what_a_writer_wrote_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda *a: (steps.append("fsync"), fsync(*a))[1])
    monkeypatch.setattr(os, "replace", lambda *a: (steps.append("replace"), replace(*a))[1])
    with replacing(tmp_path / "file") as part:
        part.write_bytes(b"new")
    assert steps == ["fsync", "replace"]
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="nothing is removed there")
def test_parts_of_dead_processes_are_removed_and_no_others(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = part_name()
    abandoned = mine.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    elsewhere = abandoned.replace(abandoned.split("-")[1], "0badc0de")
    (tmp_path / mine).touch()
    (tmp_path / abandoned).touch()
    (tmp_path / f"{abandoned[:-5]}x.part").mkdir()
    (tmp_path / f"{abandoned[:-5]}x.part" / "file").touch()
    (tmp_path / elsewhere).touch()
    (tmp_path / ".clairvoy-notes").touch()
    remove_abandoned_parts([tmp_path, tmp_path / "missing"])
    assert {path.name for path in tmp_path.iterdir()} == {mine, elsewhere, ".clairvoy-notes"}
