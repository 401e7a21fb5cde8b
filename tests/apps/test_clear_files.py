"""``clairvoy clear`` and files as people have them: names, formats, links, and what lies beside photographs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from clairvoy.imaging.files import read

LONG = "n" * 240


@pytest.fixture
def image(folder):
    """Save a photograph in whatever format its suffix asks for."""

    def make(name: str, value: int = 120, size=(16, 12), **options):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (value, value, value)).save(path, **options)
        return path

    return make


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_formats_that_can_be_written_stay(suffix, clear, image, tree):
    image(f"foggy{suffix}")
    assert clear(f"foggy{suffix}")[0] == 0
    assert f"foggy.clear{suffix}" in tree()
    assert read(f"foggy.clear{suffix}").format == read(f"foggy{suffix}").format


@pytest.mark.parametrize("value", [120, 20])
@pytest.mark.parametrize(
    ("suffix", "written"), [(".bmp", ".png"), (".gif", ".png"), (".jp2", ".png"), (".ppm", ".png")]
)
def test_formats_that_can_only_be_read_become_another(suffix, written, value, clear, image, tree):
    image(f"foggy{suffix}", value, size=(64, 64))
    assert clear(f"foggy{suffix}")[0] == 0
    assert tree() == [f"foggy{suffix}", f"foggy.clear{written}"] or tree() == [
        f"foggy.clear{written}",
        f"foggy{suffix}",
    ]


def test_format_and_quality(clear, image, folder):
    noise = np.random.default_rng(0).integers(90, 160, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save("foggy.png")
    sizes = {}
    for quality in (30, 95):
        assert clear("foggy.png", "--format", "jpg", "--quality", quality, "-o", f"{quality}/")[0] == 0
        sizes[quality] = (folder / f"{quality}/foggy.jpg").stat().st_size
    assert sizes[30] < sizes[95] / 2
    assert clear("foggy.png", "--format", "avif")[0] == 0
    assert read("foggy.clear.avif").format == "AVIF"
    assert "contradict" in clear("foggy.png", "--format", "jpg", "-o", "out.png")[1]
    assert clear("foggy.png", "--format", "jpg", "-o", "out.JPEG")[0] == 0


@pytest.mark.parametrize("quality", ["0", "101", "high", "1.5"])
def test_a_quality_that_is_none(quality, clear, image):
    image("foggy.png")
    code, said = clear("foggy.png", "--quality", quality)
    assert code == 2
    assert "from 1 to 100" in said


@pytest.mark.parametrize(("text", "value"), [("50%", 0.5), ("100%", 1.0), ("0%", 0.0), ("0.25", 0.25)])
def test_strength_as_a_part_or_in_percent(text, value, clear, image, dehazer):
    image("foggy.png")
    assert clear("foggy.png", "--strength", text)[0] == 0
    assert dehazer.calls[0]["strength"] == value


@pytest.mark.parametrize("text", ["101%", "-1%", "much", "%", "1.5"])
def test_strength_that_is_none(text, clear, image):
    image("foggy.png")
    code, said = clear("foggy.png", f"--strength={text}")
    assert code == 2
    assert "not between 0 and 1" in said


def test_a_jpeg_keeps_its_quality_and_stays_progressive(clear, image):
    image("foggy.jpg", quality=61, progressive=True)
    assert clear("foggy.jpg")[0] == 0
    with Image.open("foggy.jpg") as before, Image.open("foggy.clear.jpg") as after:
        assert after.quantization == before.quantization
        assert after.info["progressive"]


def test_an_animation_gives_its_first_frame_and_that_is_said(clear, folder):
    frames = [Image.new("RGB", (8, 8), (value, value, value)) for value in (100, 200)]
    frames[0].save("moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    code, said = clear("moving.webp", "--report", "report.json")
    assert code == 0
    assert "moving.webp: is an animation; its first frame was taken" in said
    assert (cv2.imread("moving.clear.webp") == 140).all()
    assert json.loads((folder / "report.json").read_text())["notes"] == [
        "is an animation; its first frame was taken"
    ]


def test_several_folders_are_kept_apart(clear, image, tree):
    for name in ("one/a.png", "one/deep/a.png", "two/a.png", "x/same/b.png", "y/same/b.png"):
        image(name)
    assert clear("one", "two", "-o", "out", "-r")[0] == 0
    assert clear("x/same", "y/same", "-o", "again")[0] == 0
    made = [name for name in tree() if name.startswith(("out", "again"))]
    assert made == [
        "again/x/same/b.png",
        "again/y/same/b.png",
        "out/one/a.png",
        "out/one/deep/a.png",
        "out/two/a.png",
    ]


def test_photographs_that_share_a_stem_are_kept_apart(clear, image, tree):
    for name in ("in/p.jpg", "in/p.tif", "in/p.bmp", "in/q.jpg"):
        image(name)
    assert clear("in", "-o", "out", "--haze-map", "maps")[0] == 0
    made = [name for name in tree() if not name.startswith("in/")]
    assert made == [
        *("maps/p.bmp.haze.png", "maps/p.jpg.haze.png", "maps/p.tif.haze.png", "maps/q.haze.png"),
        *("out/p.bmp.png", "out/p.jpg", "out/p.tif", "out/q.jpg"),
    ]
    assert clear("in", "-o", "jpegs", "--format", "jpg")[0] == 0
    made = [name for name in tree() if name.startswith("jpegs")]
    assert made == ["jpegs/p.bmp.jpg", "jpegs/p.jpg", "jpegs/p.tif.jpg", "jpegs/q.jpg"]


@pytest.mark.parametrize("outputs", [(), ("--haze-map", "maps"), ("--comparison", "looks")])
def test_a_name_that_grows_too_long_is_the_fault_of_one_photograph(outputs, clear, image, folder):
    long = "n" * 250
    image("in/a.png")
    image(f"in/{long}.png")
    image("in/z.png")
    where = ("-o", "out") if outputs else ()
    code, said = clear("in", *where, *outputs)
    assert code == 2
    assert "Traceback" not in said
    assert f"{long}.png: File name too long; give it another name" in said
    assert said.endswith("2 restored, 1 failed\n")


def test_a_name_that_no_system_takes(clear, image):
    image("a.png")
    code, said = clear("a.png", "m" * 300 + ".png", "-o", "out")
    assert code == 2
    assert "File name too long" in said
    assert "1 restored, 1 failed" in said
    assert clear("m" * 300)[0] == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_cannot_be_looked_into_is_said(clear, image, folder):
    image("in/a.png")
    (folder / "in/locked").mkdir(mode=0)
    code, said = clear("in", "-r", "-o", "out")
    (folder / "in/locked").chmod(0o755)
    assert code == 2
    assert "in/locked: cannot be looked into" in said


def test_a_folder_that_cannot_be_listed_is_said(clear, image, folder, monkeypatch):
    """As root nothing is locked, so the system is made to refuse."""
    image("in/a.png")
    (folder / "in/locked").mkdir()
    scan = os.scandir

    def refuse(path="."):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, said = clear("in", "-r", "-o", "out")
    assert code == 2
    assert "in/locked: cannot be looked into (Permission denied); check its permissions" in said
    assert "1 restored, 1 failed" in said


def test_what_is_not_read_is_named(clear, image, folder):
    image("in/a.png")
    for name in ("clip.mp4", "notes.txt", "layers.psd", ".hidden", *(f"more{n}.txt" for n in range(4))):
        (folder / "in" / name).touch()
    code, said = clear("in", "-o", "out")
    assert code == 0
    assert "1 restored; 7 not read" in said
    assert "in/clip.mp4, in/layers.psd, in/more0.txt" in said
    assert said.endswith("and 2 more\n")
    assert ".hidden" not in said


@pytest.mark.parametrize("value", [120, 20], ids=["restored", "copied"])
def test_a_link_is_written_through(value, clear, image, folder):
    image("foggy.png", value)
    (folder / "store").mkdir()
    (folder / "store/real.png").write_text("old")
    (folder / "out.png").symlink_to("store/real.png")
    extras = ("--report", "report.json", "--haze-map", "haze.png")
    (folder / "report.json").symlink_to("store/report.json")
    (folder / "haze.png").symlink_to("store/haze.png")
    assert clear("foggy.png", "-o", "out.png", "--overwrite", *extras)[0] == 0
    assert all((folder / name).is_symlink() for name in ("out.png", "report.json", "haze.png"))
    assert read("store/real.png").pixels.max() == (160 if value == 120 else 20)
    assert json.loads((folder / "store/report.json").read_text())["source"] == "foggy.png"


def test_a_link_to_a_photograph_is_never_written_through_to_it(clear, image, folder):
    before = image("foggy.png").read_bytes()
    (folder / "out.png").symlink_to("foggy.png")
    code, said = clear("foggy.png", "-o", "out.png", "--overwrite")
    assert code == 2
    assert "one of the photographs to read" in said
    assert (folder / "foggy.png").read_bytes() == before


@pytest.mark.slow
def test_warnings_of_libraries_do_not_reach_the_user(folder, image):
    """libtiff prints by itself, OpenCV has a logger, Pillow warns: none of it is said, with -q nothing but errors is."""
    Image.new("1", (64, 64)).save("fax.tif", compression="group4")
    data = bytearray((folder / "fax.tif").read_bytes())
    for name, place in (("fax.tif", 9), ("fax2.tif", 12)):
        data[place] ^= 0xFF
        (folder / name).write_bytes(data)
    image("half.tif", compression="tiff_lzw", size=(200, 200))
    half = (folder / "half.tif").read_bytes()
    (folder / "half.tif").write_bytes(half[:-300] + bytes(300))
    cut = cv2.imencode(".jp2", np.zeros((64, 64, 3), np.uint16))[1].tobytes()
    (folder / "cut.jp2").write_bytes(cut[: len(cut) // 2])
    command = [
        sys.executable,
        "-m",
        "clairvoy",
        "clear",
        "-q",
        "fax.tif",
        "fax2.tif",
        "half.tif",
        "cut.jp2",
        "-o",
        "out",
    ]
    said = subprocess.run(command, stderr=subprocess.PIPE, text=True).stderr
    assert all(line.startswith("clairvoy: error: ") for line in said.splitlines()), said
