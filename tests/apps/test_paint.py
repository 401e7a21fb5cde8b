"""`clairvoy paint` as a user types it."""

import re
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from clairvoy.apps.cli import main
from clairvoy.apps.paint.preview import blocks


@pytest.fixture
def photo(tmp_path):
    down, across = np.mgrid[0:1:30j, 0:1:40j]
    pixels = np.stack([down, across, 1 - down], axis=2)
    pixels[8:20, 10:25] = [1, 0.5, 0]
    path = tmp_path / "photo.png"
    Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
    return path


def paint(photo, *options):
    return main(["paint", str(photo), "--strokes", "6", "--effort", "quick", "-q", *map(str, options)])


def test_all_files_are_written(photo, tmp_path):
    svg, png, gif, page = (tmp_path / f"out.{suffix}" for suffix in ("svg", "png", "gif", "html"))
    assert paint(photo, "-o", svg, "--png", png, "--size", 90, "--film", gif, "--page", page) == 0
    assert svg.read_text().count("<polygon") == 6
    drawn = cv2.imread(str(png), cv2.IMREAD_UNCHANGED)
    assert drawn.shape == (68, 90, 3)
    wanted = cv2.resize(cv2.imread(str(photo)), (90, 68), interpolation=cv2.INTER_AREA)
    assert (
        np.abs(drawn.astype(float) - wanted).mean() < 0.6 * np.abs(wanted.mean(axis=(0, 1)) - wanted).mean()
    )
    with Image.open(gif) as film:
        assert film.n_frames == 7
    assert 'type="range"' in page.read_text()


def test_the_same_seed_writes_the_same_bytes(photo, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert paint(photo, "-o", tmp_path / f"{name}.svg", "--shape", "mixed", "--seed", seed) == 0
    one, again, other = ((tmp_path / f"{name}.svg").read_bytes() for name in "abc")
    assert one == again != other


def test_an_mp4_ends_with_the_finished_painting(photo, tmp_path):
    film, png = tmp_path / "out.mp4", tmp_path / "out.png"
    assert paint(photo, "-o", png, "--size", 480, "--film", film) == 0
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 7 + 10
    wanted = cv2.cvtColor(cv2.imread(str(png)), cv2.COLOR_BGR2RGB).astype(float)
    assert frames[-1].shape == wanted.shape
    assert np.abs(frames[-1] - wanted).mean() < 3
    assert np.abs(frames[0] - wanted).mean() > 10
    paint(photo, "-o", png, "--overwrite", "--film", tmp_path / "again.mp4")
    assert (tmp_path / "again.mp4").read_bytes() == film.read_bytes()


def test_an_mp4_without_the_library_is_refused_before_any_work(photo, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert paint(photo, "-o", tmp_path / "x.svg", "--film", tmp_path / "x.mp4") == 2
    assert "clairvoy[video]" in capsys.readouterr().err
    assert not (tmp_path / "x.svg").exists()


def test_ground_and_palette(photo, tmp_path):
    out = tmp_path / "out.png"
    assert paint(photo, "-o", out, "--ground", "transparent", "--palette", "red,#00f", "--opacity", 1) == 0
    with Image.open(out) as drawn:
        assert drawn.mode == "RGBA"
        assert drawn.size == (40, 30)
        solid = np.array(drawn)[np.array(drawn)[..., 3] == 255][:, :3]
    shown = {tuple(colour) for colour in solid.tolist()}
    assert shown & {(255, 0, 0), (0, 0, 255)}
    assert all(green == 0 for _, green, _ in shown)


def test_pens_get_layers_in_millimetres(photo, tmp_path):
    out = tmp_path / "plot.svg"
    assert paint(photo, "-o", out, "--pens", "black,#fc0", "--hatch", "--sheet", "a5") == 0
    text = out.read_text()
    assert 'width="210mm" height="148mm"' in text
    assert set(re.findall('stroke="(#[0-9a-f]+)"', text)) <= {"#000000", "#ffcc00"}
    assert "fill-opacity" not in text


def test_lines_of_pens_are_single_lines(photo, tmp_path):
    out = tmp_path / "plot.svg"
    assert (
        paint(photo, "-o", out, "--pens", "black", "--shape", "lines", "--sheet", "a5", "--margin", 14) == 0
    )
    path = re.search('<path d="([^"]+)"', out.read_text())[1]
    assert path.count("L") == 6
    numbers = np.array([float(number) for number in re.findall(r"[\d.]+", path)]).reshape(-1, 2)
    assert (numbers >= 14 - 1e-6).all()
    assert (numbers <= [210 - 14 + 1e-6, 148 - 14 + 1e-6]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.jpg"], "x.jpg: --output writes .svg or .png"),
        (["-o", "x.svg", "--film", "x.avi"], "x.avi: --film writes .gif or .mp4"),
        (["-o", "x.svg", "--shape", "circles"], "'circles' is no family"),
        (["-o", "x.svg", "--ground", "glue"], "'glue' is no colour"),
        (["-o", "x.svg", "--detail", "7"], "give 16 to 512"),
        (["-o", "x.svg", "--opacity", "0"], "opacity is 0"),
        (["-o", "x.png", "--size", "99999"], "--size is 99999"),
        (["-o", "x.png", "--png", "x.png"], "two results would be written to one file"),
        (["-o", "x.svg", "--hatch"], "are for pens; name them"),
        (["-o", "x.png", "--pens", "red"], "a plotter draws lines"),
        (["-o", "x.svg", "--pens", "red", "--sheet", "a9"], "'a9' is no sheet"),
        (["-o", "x.svg", "--pens", "red", "--colours", "3"], "--pens are the colours that there are"),
        (["-o", "x.svg", "--pens", "red", "--painter", "photo.png"], "has not learnt to draw with ink"),
        (["-o", "photo.png"], "is the photograph to read"),
        (["-o", "there.svg"], "there.svg exists; --overwrite replaces it"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    photo, tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.svg").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert paint("photo.png", *options) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_no_picture_is_refused(tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert paint(bad, "-o", tmp_path / "out.svg") == 2
    assert "bad.jpg" in capsys.readouterr().err
    assert not (tmp_path / "out.svg").exists()


def test_a_picture_that_shows_nothing_is_refused_by_its_name(tmp_path, capsys):
    path = tmp_path / "clear.png"
    Image.fromarray(np.zeros((5, 5, 4), np.uint8)).save(path)
    assert paint(path, "-o", tmp_path / "out.svg") == 2
    assert "clear.png: every pixel is transparent" in capsys.readouterr().err


def test_a_preview_has_two_pixels_a_character():
    canvas = np.zeros((4, 3, 3))
    canvas[1, 0] = 1.0
    lines = blocks(canvas, 3, 2).split("\n")
    assert len(lines) == 2
    assert lines[0].startswith("\x1b[48;2;0;0;0m\x1b[38;2;255;255;255m\u2584")


def test_painting_needs_no_torch():
    program = "import sys, clairvoy.apps.paint.command; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_painter_that_is_none_is_refused(photo, tmp_path, capsys):
    assert paint(photo, "-o", tmp_path / "x.svg", "--painter", photo) == 2
    assert "give a file that `clairvoy train paint` wrote" in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_trained_paints(photo, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        (photos / f"{number}.png").write_bytes(photo.read_bytes())
    run = tmp_path / "run"
    few = ["--strokes", "3", "--updates", "5", "--agent-updates", "10", "-q"]
    assert main(["train", "paint", str(photos), "--out", str(run), *few]) == 0
    assert (run / "painter.json").exists()
    assert main(["train", "paint", str(photos), "--out", str(run), *few]) == 2
    out = tmp_path / "out.svg"
    assert paint(photo, "-o", out, "--painter", run / "painter.safetensors") == 0
    assert out.read_text().count("<polygon") == 6
