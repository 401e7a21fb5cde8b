"""Rasters on the command line: what is taken for one, what is kept, resumed, refused."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_rasters import PLACE, hazy, read_raster, write_raster
from rasterio.transform import Affine

from clairvoy.apps.clear import restore_job
from clairvoy.apps.cli import main
from clairvoy.imaging.rasters import recognition
from clairvoy.imaging.rasters.raster_file import opened
from clairvoy.imaging.rasters.unfinished import Unfinished
from clairvoy.restoring import raster as windows


@pytest.fixture
def clear(untrained_weights, tmp_path, monkeypatch, capsys):
    """Run ``clairvoy clear --force`` with weights that learnt nothing; gives exit code and what was said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("clairvoy.apps.clear.command.default_workers", lambda jobs: 1)
    monkeypatch.setattr(windows, "WINDOW_PIXELS", 64 * 128)

    def run(*arguments, force=True):
        more = ["--weights", str(untrained_weights), *(["--force"] if force else [])]
        code = main(["clear", *map(str, arguments), *more])
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def scene(tmp_path):
    return write_raster(tmp_path / "scene.tif", hazy(200, 300, 4), overviews=(2,), nodata=3)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_georeferenced_tiff_stays_one(clear, scene, tmp_path):
    code, said = clear(
        scene, "-o", "out.tif", "--report", "r.json", "--comparison", "look.png", "--haze-map", "haze.png"
    )
    assert code == 0
    assert "restored" in said
    with opened(scene) as before, opened(tmp_path / "out.tif") as after:
        assert after.profile == before.profile
        assert after.overviews(1) == [2]
    before, after = read_raster(scene), read_raster(tmp_path / "out.tif")
    assert (before[:3] != after[:3]).any()
    assert np.array_equal(before[3], after[3])
    report = json.loads(Path("r.json").read_text())
    assert report["size"] == [200, 300]
    assert report["bands"] == [1, 2, 3]
    assert report["status"] == "restored"
    assert report["part_read"] == 1
    assert names(tmp_path) == ["haze.png", "look.png", "out.tif", "r.json", "scene.tif"]


def test_beside_the_raster_by_default_and_strength_0_copies_it(clear, scene, tmp_path):
    assert clear(scene, "--strength", "0")[0] == 0
    assert (tmp_path / "scene.clear.tif").read_bytes() == scene.read_bytes()


def test_the_usual_questions_about_outputs_that_exist(clear, scene, tmp_path):
    (tmp_path / "out.tif").write_text("mine")
    assert clear(scene, "-o", "out.tif")[0] == 2
    assert (tmp_path / "out.tif").read_text() == "mine"
    assert clear(scene, "-o", "out.tif", "--skip-existing")[0] == 0
    assert (tmp_path / "out.tif").read_text() == "mine"
    assert clear(scene, "-o", "out.tif", "--overwrite")[0] == 0
    assert read_raster(tmp_path / "out.tif").shape == (4, 200, 300)


def test_larger_than_max_pixels_goes_by_windows_and_smaller_ones_without_a_place_are_photographs(
    clear, tmp_path, monkeypatch
):
    path = write_raster(tmp_path / "a.tif", hazy(200, 300), crs=None, transform=None)
    taken = []
    restore = restore_job.restore_raster
    monkeypatch.setattr(
        restore_job, "restore_raster", lambda job, *rest: taken.append(job.name) or restore(job, *rest)
    )
    assert clear(path, "-o", "photograph.tif")[0] == 0
    assert taken == []
    assert clear(path, "-o", "raster.tif", "--max-pixels", "50000")[0] == 0
    assert taken == [str(path)]
    one, two = read_raster(tmp_path / "photograph.tif"), read_raster(tmp_path / "raster.tif")
    assert np.abs(one.astype(int) - two).max() <= 1
    code, said = clear(path, "-o", "a.png", "--max-pixels", "50000")
    assert code == 2
    assert "300 x 200 pixels, more than the limit" in said


def test_without_rasterio(clear, scene, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition, "find_spec", lambda name: None)
    code, said = clear(scene, "-o", "out.tif")
    assert code == 0
    assert "clairvoy[geo]" in said
    code, said = clear(scene, "-o", "large.tif", "--max-pixels", "50000")
    assert code == 2
    assert "scene.tif" in said
    assert "clairvoy[geo]" in said
    for option in ("--mosaic", "--search"):
        code, said = clear(scene, "-o", "other.tif", option)
        assert code == 2
        assert option in said
        assert "clairvoy[geo]" in said
    assert names(tmp_path) == ["out.tif", "scene.tif"]


class Killed(BaseException):
    """In the place of a signal that cannot be caught."""


@pytest.mark.parametrize(
    "after", [pytest.param(0, marks=pytest.mark.slow), 3, pytest.param(11, marks=pytest.mark.slow)]
)
def test_a_killed_run_goes_on_and_gives_the_same_bytes(clear, scene, tmp_path, monkeypatch, after):
    assert clear(scene, "-o", "whole.tif")[0] == 0
    keep, kept = Unfinished.keep, []

    def killed(self, part, values):
        if len(kept) == after:
            raise Killed
        kept.append(part)
        keep(self, part, values)

    monkeypatch.setattr(Unfinished, "keep", killed)
    with pytest.raises(Killed):
        clear(scene, "-o", "out.tif")
    assert names(tmp_path) == [".out.tif.unfinished", "scene.tif", "whole.tif"]
    monkeypatch.setattr(
        Unfinished, "keep", lambda self, part, values: kept.append(part) or keep(self, part, values)
    )
    assert clear(scene, "-o", "out.tif", "--report", "r.json")[0] == 0
    assert len(kept) == len(set(kept)) == 12
    assert json.loads(Path("r.json").read_text())["parts_resumed"] == after
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert names(tmp_path) == ["out.tif", "r.json", "scene.tif", "whole.tif"]


@pytest.mark.slow
def test_other_settings_begin_anew(clear, scene, tmp_path, monkeypatch):
    assert clear(scene, "-o", "whole.tif", "--strength", "0.5")[0] == 0
    keep = Unfinished.keep
    monkeypatch.setattr(
        "clairvoy.apps.clear.rasters.os.path.abspath", lambda path: (_ for _ in ()).throw(Killed)
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    def once(self, part, values):
        keep(self, part, values)
        raise Killed

    monkeypatch.setattr(Unfinished, "keep", once)
    with pytest.raises(Killed):
        clear(scene, "-o", "out.tif")
    monkeypatch.setattr(Unfinished, "keep", keep)
    assert clear(scene, "-o", "out.tif", "--strength", "0.5")[0] == 0
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_an_error_leaves_nothing(clear, scene, tmp_path, monkeypatch):

    def full(self, part, values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Unfinished, "keep", full)
    code, said = clear(scene, "-o", "out.tif")
    assert code == 2
    assert "scene.tif" in said
    assert "No space left" in said
    assert names(tmp_path) == ["scene.tif"]


def test_a_cut_off_raster_stops_no_other(clear, scene, tmp_path):
    (tmp_path / "in").mkdir()
    scene.rename(tmp_path / "in/a.tif")
    (tmp_path / "in/b.tif").write_bytes((tmp_path / "in/a.tif").read_bytes()[:9000])
    code, said = clear("in", "-o", "out")
    assert code == 2
    assert "b.tif" in said
    assert "truncated" in said
    assert names(tmp_path / "out") == ["a.tif"]


def test_bands_and_range_that_are_asked_for(clear, tmp_path):
    path = write_raster(tmp_path / "a.tif", hazy(64, 96, 5, "uint16") // 20)
    assert clear(path, "-o", "o.tif", "--bands", "5,3,1", "--range", "0,3000", "--report", "r.json")[0] == 0
    report = json.loads(Path("r.json").read_text())
    assert (report["bands"], report["black"], report["white"]) == ([5, 3, 1], 0, 3000)
    changed = (read_raster(path) != read_raster(tmp_path / "o.tif")).any(axis=(1, 2))
    assert changed.tolist() == [True, False, True, False, True]
    code, said = clear(path, "-o", "p.tif", "--bands", "7,3,1")
    assert code == 2
    assert "1 to 5" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("photo.png", "--search"), "--search is for rasters"),
        (("photo.png", "--bands", "1,2,3"), "--bands is for rasters"),
        (("scene.tif", "-o", "out.png", "--mosaic"), "--mosaic is for rasters"),
        (("scene.tif", "--search", "--force"), "--force and --search"),
        (("scene.tif", "--search", "--samples", "3"), "--samples and --search"),
        (("scene.tif", "--search", "--preset", "fine"), "--preset and --search"),
        (("scene.tif", "--search", "--tau-map", "tau.png"), "--tau-map"),
        (("scene.tif", "--search", "--mosaic"), "--mosaic and --search"),
        (("scene.tif", "--mosaic", "--haze-map", "haze.png"), "--haze-map"),
        (("film.mp4", "--mosaic"), "--mosaic is for"),
    ],
)
def test_what_cannot_be_heeded_is_refused_by_name(clear, scene, tmp_path, arguments, said):
    import cv2

    cv2.imwrite("photo.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "film.mp4").touch()
    code, message = clear(*arguments, force=False)
    assert code == 2
    assert said in message
    assert names(tmp_path) == ["film.mp4", "photo.png", "scene.tif"]


@pytest.mark.parametrize("text", ["1,2", "0,1,2", "a", "1,2,3,4"])
def test_what_names_no_bands(clear, scene, text, capsys):
    with pytest.raises(SystemExit):
        clear(scene, "--bands", text)
    assert "names no bands" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["3000", "5,1", "nan,1", "0,inf"])
def test_what_is_no_range(clear, scene, text, capsys):
    with pytest.raises(SystemExit):
        clear(scene, "--range", text)
    assert "is no range" in capsys.readouterr().err


def test_a_search_changes_only_what_it_recognised_and_says_what_it_read(clear, tmp_path, monkeypatch):
    monkeypatch.setattr("clairvoy.restoring.raster_search.WINDOW_PIXELS", 64 * 64)
    path = write_raster(tmp_path / "a.tif", hazy(512, 512))
    assert clear(path, "-o", "o.tif", "--search", "30%", "--report", "r.json", force=False)[0] == 0
    report = json.loads(Path("r.json").read_text())
    assert report["windows"] == 64
    assert 1 <= report["windows_looked_at"] <= 19
    assert report["part_read"] == report["windows_looked_at"] / 64
    changed = (read_raster(path) != read_raster(tmp_path / "o.tif")).any(axis=0)
    assert changed.reshape(8, 64, 8, 64).any(axis=(1, 3)).sum() == report["windows_recognised"]
    assert (report["status"] == "restored") == (report["windows_recognised"] > 0)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_tiles_of_a_mosaic_fit_together(clear, tmp_path, jobs):
    values = hazy(128, 256)
    (tmp_path / "in").mkdir()
    for name, left in (("a", 0), ("b", 96)):
        place = Affine(PLACE.a, 0, PLACE.c + left * PLACE.a, 0, PLACE.e, PLACE.f)
        write_raster(tmp_path / f"in/{name}.tif", values[:, :, left : left + 160], transform=place)
    assert clear("in", "-o", "out", "--mosaic", "--jobs", str(jobs))[0] == 0
    a, b = (read_raster(tmp_path / f"out/{name}.tif") for name in "ab")
    assert np.array_equal(a[:, :, 96:], b[:, :, :64])
    assert clear("in", "-o", "alone")[0] == 0
    a, b = (read_raster(tmp_path / f"alone/{name}.tif") for name in "ab")
    assert not np.array_equal(a[:, :, 96:], b[:, :, :64])
    # A tile that is lost is made again to fit the others.
    again = (tmp_path / "out/b.tif").read_bytes()
    (tmp_path / "out/b.tif").unlink()
    assert clear("in", "-o", "out", "--mosaic", "--skip-existing")[0] == 0
    assert (tmp_path / "out/b.tif").read_bytes() == again


_KILLS_ITSELF = """
import os, signal, sys
from clairvoy.imaging.rasters.unfinished import Unfinished
from clairvoy.restoring import raster
from clairvoy.apps.cli import main
raster.WINDOW_PIXELS = 64 * 128
left, keep = [int(sys.argv[1])], Unfinished.keep
def kept(self, part, values):
    keep(self, part, values)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
Unfinished.keep = kept
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again(scene, tmp_path, untrained_weights):
    def run(parts, target):
        arguments = [
            "clear",
            str(scene),
            "-o",
            str(target),
            "--force",
            "--weights",
            str(untrained_weights),
            "-q",
        ]
        done = subprocess.run([sys.executable, "-c", _KILLS_ITSELF, str(parts), *arguments], cwd=tmp_path)
        return done.returncode

    assert run(0, tmp_path / "whole.tif") == 0
    codes = [run(5, tmp_path / "out.tif") for _ in range(3)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert names(tmp_path) == ["out.tif", "scene.tif", "whole.tif"]
