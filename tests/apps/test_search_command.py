"""`clairvoy search` as a user calls it, with an agent whose way is known."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from clairvoy.apps.cli import main
from clairvoy.apps.search import command as search
from clairvoy.imaging import scenes
from clairvoy.imaging.files import Picture, read, write
from clairvoy.restoring.engine import Engine
from clairvoy.restoring.released import read_released
from clairvoy.searching.glimpse import DOWN, RIGHT, STAY
from clairvoy.storage.atomic import part_name

WAY = (RIGHT, STAY, DOWN, STAY, STAY)
FILES = {"path.png", "haze.png", "report.json", "restored.png"}


class Script:
    """Takes the same few actions in every search."""

    def __init__(self):
        self.actions = list(WAY)

    def __call__(self, observation):
        return np.eye(5, dtype=np.float32)[[self.actions.pop(0) if self.actions else STAY]]


@pytest.fixture(autouse=True)
def weights(monkeypatch, untrained_weights):
    def load(name, device):
        engine = Engine(read_released(untrained_weights), "cpu")
        engine.q_values = Script()
        return engine

    monkeypatch.setattr(Engine, "load", load)


@pytest.fixture
def scene(tmp_path):
    pixels = np.random.default_rng(0).integers(60, 130, (80, 120, 3), dtype=np.uint8)
    write(tmp_path / "scene.png", pixels, Picture(pixels))
    return tmp_path / "scene.png"


def call(*arguments):
    try:
        return main(["search", *map(str, arguments)])
    except SystemExit as exit_:
        return exit_.code


@pytest.mark.parametrize("thumbnail", ["--thumbnail", "--no-thumbnail"])
def test_it_writes_four_files_and_a_true_account(scene, tmp_path, capsys, thumbnail):
    out = tmp_path / "out"
    assert call(scene, "-o", out, "--grid", "4x6", thumbnail) == 0
    assert {path.name for path in out.iterdir()} == FILES
    account = json.loads((out / "report.json").read_text())
    assert account["windows"] == {"total": 24, "read": 3, "recognised": 2, "read_part": 3 / 24}
    assert account["path"] == [[2, 3, RIGHT], [2, 4, STAY], [2, 4, DOWN], [3, 4, STAY], [3, 4, STAY]]
    assert account["steps"] == {"total": 5, "moves": 2, "look_ahead": 0}
    assert account["recognised"] == [[40, 80, 60, 100], [60, 80, 80, 100]]
    assert account["thumbnail"] == (thumbnail == "--thumbnail")
    assert account["ended"] == "the agent was done"
    before, after = read(scene).pixels, read(out / "restored.png").pixels
    changed = (before != after).any(axis=2)
    assert changed[45:75, 85:95].any()
    changed[40:80, 80:100] = False
    assert not changed.any()
    drawn = read(out / "path.png").pixels
    assert drawn.shape[1] <= 1600
    assert "3 of 24 windows read, 2 recognised" in capsys.readouterr().err


def test_the_drawing_shows_start_end_and_what_was_not_read(scene, tmp_path):
    call(scene, "-o", tmp_path / "out", "--grid", "4x6", "--no-thumbnail", "-q")
    drawn = read(tmp_path / "out/path.png").pixels.astype(int)
    width = drawn.shape[1] - 48
    cell = width / 6

    def at(row, column):
        return drawn[round(56 + (row + 0.5) * cell), round(24 + (column + 0.5) * cell)]

    assert np.abs(at(2, 3) - (90, 220, 140)).max() < 12  # the start
    assert np.abs(at(3, 4) - (255, 90, 90)).max() < 60  # about the end: the way swings a little
    assert np.abs(at(0, 0) - (30, 33, 39)).max() <= 1  # never read, and nothing is known of it


def test_budget_and_a_grid_by_one_number(scene, tmp_path):
    assert call(scene, "-o", tmp_path / "out", "--grid", "6", "--budget", "9%", "-q") == 0
    account = json.loads((tmp_path / "out/report.json").read_text())
    assert account["grid"] == [4, 6]
    assert account["windows"]["read"] == 2
    assert account["ended"] == "the budget of windows was spent"


def test_a_large_tiff_is_searched_by_windows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scenes, "BY_WINDOWS_FROM", 1000)
    pixels = np.random.default_rng(0).integers(15_000, 30_000, (80, 120, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "scene.tif", pixels, photometric="rgb", tile=(32, 32))
    assert call(tmp_path / "scene.tif", "-o", tmp_path / "out", "--grid", "4x6") == 0
    account = json.loads((tmp_path / "out/report.json").read_text())
    assert account["read_by_windows"]
    assert not account["thumbnail"]
    after = tifffile.imread(tmp_path / "out/restored.tif")
    assert after.dtype == np.uint16
    changed = (after != pixels).any(axis=2)
    assert changed[40:80, 80:100].any()
    changed[40:80, 80:100] = False
    assert not changed.any()
    assert call(tmp_path / "scene.tif", "-o", tmp_path / "other", "--thumbnail") == 2
    assert "overview" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_refusals_leave_nothing_behind(scene, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    cases = [
        ((tmp_path / "no.png", "-o", tmp_path / "out"), "no such file"),
        ((tmp_path, "-o", tmp_path / "out"), "folder"),
        ((scene, "-o", tmp_path / "file"), "is a file"),
        ((scene, "-o", tmp_path / "file" / "out"), "cannot be written"),
        ((scene, "-o", tmp_path / "out", "--budget", "0"), "no part of the windows"),
        ((scene, "-o", tmp_path / "out", "--budget", "120%"), "no part of the windows"),
        ((scene, "-o", tmp_path / "out", "--grid", "4xx"), "no grid"),
        ((scene, "-o", tmp_path / "out", "--grid", "100x100"), "fewer windows"),
        ((scene, "-o", tmp_path / "out", "--grid", "500"), "128"),
        ((scene, "-o", tmp_path / "out", "--look-ahead", "-1"), "--look-ahead"),
        ((scene, "-o", tmp_path / "out", "--strength", "2"), "between 0 and 1"),
        ((tmp_path / "file", "-o", tmp_path / "out"), "empty"),
    ]
    for arguments, told in cases:
        assert call(*arguments) == 2, told
        assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_exists_is_kept_unless_told_otherwise(scene, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text("mine")
    assert call(scene, "-o", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["report.json"]
    assert (out / "report.json").read_text() == "mine"
    assert call(scene, "-o", out, "--overwrite") == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert json.loads((out / "report.json").read_text())["grid"] == [5, 8]


def test_a_full_disk_leaves_no_half(scene, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(search, "_write_restored", full)
    assert call(scene, "-o", tmp_path / "out") == 2
    assert "No space left" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_links_in_the_folder_are_written_through_and_what_a_killed_run_left_goes(scene, tmp_path):
    out, store = tmp_path / "out", tmp_path / "store"
    out.mkdir()
    store.mkdir()
    (out / "restored.png").symlink_to(store / "real.png")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (out / part_name().replace(f"-{os.getpid()}-", f"-{dead.pid}-")).mkdir()
    assert call(scene, "-o", out, "--grid", "4x6", "--overwrite", "-q", "--strength", "100%") == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert (out / "restored.png").is_symlink()
    assert read(store / "real.png").pixels.shape == (80, 120, 3)


@pytest.mark.parametrize(("suffix", "written"), [(".bmp", ".png"), (".avif", ".avif")])
def test_a_scene_that_cannot_be_written_in_its_format_becomes_another(suffix, written, tmp_path):
    Image.new("RGB", (60, 40), (100, 110, 120)).save(tmp_path / f"scene{suffix}")
    assert call(tmp_path / f"scene{suffix}", "-o", tmp_path / "out", "--grid", "2x3", "-q") == 0
    assert (tmp_path / "out" / f"restored{written}").exists()


def test_a_name_that_is_too_long_is_no_fault_of_clairvoy(tmp_path, capsys):
    assert call(tmp_path / ("n" * 300), "-o", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "File name too long; check the path" in said
    assert "Traceback" not in said


def test_of_a_panorama_it_is_said_that_its_ends_stay_apart(tmp_path, capsys):
    angle = 2 * np.pi * (np.arange(256) + 0.5) / 256
    across = np.cos(np.linspace(-np.pi / 2, np.pi / 2, 128))[:, None, None]
    pixels = (128 + 60 * across * np.sin(angle)[None, :, None]).repeat(3, axis=2).astype(np.uint8)
    for name, shown in (("around.png", pixels), ("half.png", np.ascontiguousarray(pixels[:64, :128]))):
        write(tmp_path / name, shown, Picture(shown))
        assert call(tmp_path / name, "-o", tmp_path / name[:4], "--grid", "4x6") == 0
        assert ("is a panorama" in capsys.readouterr().err) == (name == "around.png")
