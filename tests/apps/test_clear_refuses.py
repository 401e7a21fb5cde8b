"""Every bad input: exit code 2, a message that names it and the remedy, and nothing written."""

from __future__ import annotations

import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.fixture
def refused(clear, tree):
    """Run, and make sure that it is refused as it should be: with these words, and no file more or less."""

    def run(*arguments: object, says: tuple[str, ...]) -> None:
        before = tree()
        code, said = clear(*arguments)
        assert code == 2
        assert "clairvoy: error:" in said
        assert "Traceback" not in said
        for words in says:
            assert words in said
        assert tree() == before

    return run


ALL_EXTRAS = ["--report", "r.json", "--haze-map", "h.png", "--tau-map", "t.png", "--comparison", "c.png"]


def test_missing(refused):
    refused("missing.jpg", *ALL_EXTRAS, says=("missing.jpg", "check the path"))


def test_empty(refused, folder):
    (folder / "empty.jpg").touch()
    refused("empty.jpg", *ALL_EXTRAS, says=("empty.jpg: is empty", "get the file again"))


def test_not_an_image(refused, folder):
    (folder / "notes.txt").write_text("This is no photograph, though somebody may say it is.")
    (folder / "notes.jpg").write_text("This is no photograph, though somebody may say it is.")
    refused("notes.txt", says=("notes.txt: is not a picture",))
    refused("notes.jpg", *ALL_EXTRAS, says=("notes.jpg: is not a picture", "give a JPEG"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_truncated(suffix, refused, folder):
    path = folder / f"half.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path.name, *ALL_EXTRAS, says=(path.name, "get the file again"))


def test_decompression_bomb(refused, folder):
    (folder / "bomb.png").write_bytes(png_header(100_000, 100_000))
    refused("bomb.png", *ALL_EXTRAS, says=("bomb.png",))


def test_what_the_dehazer_refuses(refused, photo):
    photo("nan.png")
    refused("nan.png", says=("nan.png: the picture holds NaN; replace them first",))


def test_wrong_weights_are_said_once(refused, photo, clear):
    photo("a.png")
    photo("b.png")
    refused("a.png", "b.png", "-o", "out", "--weights", "mine.safetensors", says=("mine.safetensors", "give"))
    _, said = clear("a.png", "b.png", "-o", "out", "--weights", "mine.safetensors")
    assert said.count("mine.safetensors") == 1


def test_existing_output(refused, photo):
    photo("foggy.png")
    photo("foggy.clear.png")
    refused("foggy.png", says=("foggy.clear.png exists", "--overwrite", "--skip-existing"))


@pytest.mark.parametrize(
    "extra", ["--report=there.json", "--haze-map=there.png", "--tau-map=there.png", "--comparison=there.png"]
)
def test_existing_extra_is_refused_before_any_work(extra, refused, photo, folder, dehazer):
    photo("foggy.png")
    existing = folder / extra.partition("=")[2]
    existing.write_text("precious")
    refused("foggy.png", extra, says=(existing.name, "--overwrite"))
    assert dehazer.loaded == []
    assert existing.read_text() == "precious"


@pytest.mark.parametrize("option", ["--output", "--report", "--haze-map", "--tau-map", "--comparison"])
def test_unwritable_output_is_refused_before_any_work(option, refused, photo, folder, dehazer):
    photo("foggy.png")
    (folder / "file").touch()
    name = "file/out.json" if option == "--report" else "file/out.png"
    refused("foggy.png", option, name, says=(name, "cannot be written", "choose another place"))
    assert dehazer.loaded == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(refused, photo, folder):
    photo("foggy.png")
    (folder / "locked").mkdir(mode=0o555)
    refused("foggy.png", "-o", "locked/out.png", says=("locked/out.png", "cannot be written"))


def test_a_folder_where_a_file_is_wanted(refused, photo, folder):
    photo("foggy.png")
    (folder / "reports").mkdir()
    refused("foggy.png", "--report", "reports", says=("reports is a folder", "name a file"))


def test_a_file_where_a_folder_is_wanted(refused, photo, folder):
    photo("a.png")
    photo("b.png")
    (folder / "out").touch()
    refused("a.png", "b.png", "-o", "out", says=("out is a file", "names a folder"))


def test_unknown_suffix(refused, photo, dehazer):
    photo("foggy.png")
    refused("foggy.png", "-o", "out.gif", says=("out.gif", ".webp"))
    refused("foggy.png", "-o", "out", says=("out", "name a folder"))
    refused("foggy.png", "--haze-map", "haze.jpg", says=("haze.jpg", ".png"))
    assert dehazer.loaded == []


def test_one_map_for_several_photographs(refused, photo):
    photo("a.png")
    photo("b.png")
    refused("a.png", "b.png", "--tau-map", "tau.png", says=("tau.png", "name a folder"))


def test_folder_without_photographs(refused, folder):
    (folder / "in").mkdir()
    (folder / "in/notes.txt").touch()
    refused("in", says=("in: no JPEG", "give another folder"))


def test_folder_with_nothing_but_results(refused, photo):
    photo("in/foggy.clear.png")
    refused("in", says=("in: every photograph here is a result",))


def test_two_inputs_of_one_name(refused, photo, dehazer):
    photo("one/a.png")
    photo("two/a.png")
    refused("one/a.png", "two/a.png", "-o", "out", says=("one/a.png and two/a.png", "out/a.png"))
    refused("one", "one", "-o", "out", says=("one/a.png and one/a.png", "out/one/a.png"))
    assert dehazer.loaded == []


def test_two_outputs_of_one_name(refused, photo):
    photo("foggy.png")
    refused("foggy.png", "-o", "out.png", "--haze-map", "out.png", says=("foggy.png", "out.png"))
    refused("foggy.png", "--report", "foggy.clear.png", says=("the report", "foggy.clear.png"))


@pytest.mark.parametrize("arguments", [["foggy.png", "-o", "foggy.png"], ["foggy.png", "-o", "./"]])
def test_a_photograph_is_never_overwritten(arguments, refused, photo):
    photo("foggy.png")
    refused(*arguments, "--overwrite", says=("foggy.png is one of the photographs to read",))


def test_pipes_that_make_no_sense(refused, photo, monkeypatch):
    photo("a.png")
    photo("b.png")
    refused("-", "a.png", says=("standard input", "alone"))
    refused("a.png", "b.png", "-o", "-", says=("standard output", "name a folder"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    refused("a.png", "-o", "-", says=("standard output is a terminal", "-o FILE"))


def test_contradicting_switches(clear, photo):
    photo("foggy.png")
    code, said = clear("foggy.png", "--overwrite", "--skip-existing")
    assert code == 2
    assert "not allowed with" in said


def test_a_report_that_is_none_is_not_continued(refused, photo, folder):
    photo("foggy.png")
    (folder / "report.json").write_text('{"colour": "grey"}')
    refused(
        "foggy.png", "--skip-existing", "--report", "report.json", says=("report.json", "name another file")
    )


def test_a_disk_that_fails_while_writing_leaves_nothing_half_written(refused, photo, monkeypatch):
    photo("foggy.png")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    refused(
        "foggy.png", "--haze-map", "haze.png", says=("haze.png cannot be written (No space left on device)",)
    )
    refused("foggy.png", says=("foggy.clear.png", "No space left on device"))
