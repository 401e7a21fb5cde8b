"""What ``clairvoy clear`` writes and says; bad input is in test_clear_refuses.py."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

HAZY, RESTORED = 120, 160  # the stand-in adds 40


def pixels(path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


class Pipe(io.TextIOWrapper):
    """Standard input or output that is no terminal."""

    def __init__(self, content: bytes = b""):
        super().__init__(io.BytesIO(content))


def test_one_photograph_beside_itself(clear, photo, tree):
    photo("foggy.png")
    code, said = clear("foggy.png")
    assert code == 0
    assert tree() == ["foggy.clear.png", "foggy.png"]
    assert (pixels("foggy.clear.png") == RESTORED).all()
    assert "foggy.png -> foggy.clear.png: restored; haze probability 0.98, confidence 0.75 (21.5 dB)" in said


def test_the_suffix_of_out_says_the_format(clear, photo, folder):
    photo("foggy.png")
    assert clear("foggy.png", "-o", "new/out.jpg")[0] == 0
    assert (folder / "new/out.jpg").read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("out", ["out/", "existing"])
def test_one_photograph_into_a_folder(out, clear, photo, folder):
    photo("in/foggy.png")
    (folder / "existing").mkdir()
    assert clear("in/foggy.png", "-o", out)[0] == 0
    assert (folder / out / "foggy.png").is_file()


def test_settings_reach_the_dehazer(clear, photo, dehazer):
    photo("foggy.png")
    clear("foggy.png", "--strength", 0.5, "--samples", 4, "--force", "--device", "cpu", "--preset", "fine")
    assert dehazer.loaded == [("fast", "cpu", "fine")]
    assert dehazer.calls == [{"strength": 0.5, "samples": 4, "force": True, "flat": False}]


def test_sixteen_bits_stay_sixteen_bits(clear, folder):
    cv2.imwrite("deep.png", np.full((4, 4, 3), 50_001, np.uint16))
    assert clear("deep.png")[0] == 0
    assert pixels("deep.clear.png").dtype == np.uint16
    assert (pixels("deep.clear.png") == 50_041).all()


def test_a_single_pixel(clear, photo):
    photo("tiny.png", size=(1, 1))
    assert clear("tiny.png", "--comparison", "look.png")[0] == 0
    assert pixels("tiny.clear.png").shape == (1, 1, 3)


def test_a_clear_photograph_is_copied_byte_for_byte(clear, photo, folder):
    original = photo("sharp.jpg", value=20).read_bytes()
    code, said = clear("sharp.jpg", "--report", "report.json")
    assert code == 0
    assert (folder / "sharp.clear.jpg").read_bytes() == original
    assert "left as it was" in said
    assert json.loads((folder / "report.json").read_text())["tau_db"] is None  # infinite: JSON cannot say it


def test_a_clear_photograph_in_another_format_is_converted(clear, photo, folder):
    photo("sharp.png", value=20)
    assert clear("sharp.png", "-o", "sharp.webp")[0] == 0
    assert (folder / "sharp.webp").read_bytes()[8:12] == b"WEBP"


def test_report_and_maps_of_one_photograph(clear, photo, folder):
    photo("foggy.png")
    extras = ["--report", "report.json", "--haze-map", "haze.png", "--tau-map", "tau.png"]
    assert clear("foggy.png", *extras, "--comparison", "look.png")[0] == 0
    assert json.loads((folder / "report.json").read_text()) == {
        "source": "foggy.png",
        "output": "foggy.clear.png",
        "status": "restored",
        "haze": True,
        "haze_probability": 0.98,
        "mean_transmission": 0.5,
        "tau": 0.75,
        "tau_db": 21.5,
        "seconds": 0.1,
        "sphere": False,
    }
    assert pixels("haze.png").dtype == np.uint16
    assert (pixels("haze.png") == round(0.25 * 65535)).all()
    assert (pixels("tau.png") == round(0.75 * 65535)).all()
    assert pixels("look.png").ndim == 3


def test_a_folder_keeps_its_tree(clear, photo, tree):
    for name in ("in/a.png", "in/deep/a.png", "in/deep/er/b.jpg"):
        photo(name)
    assert clear("in", "-o", "out", "--recursive", "--haze-map", "maps", "--report", "all.json")[0] == 0
    made = [name for name in tree() if not name.startswith("in/")]
    assert made == [
        "all.json",
        "maps/a.haze.png",
        "maps/deep/a.haze.png",
        "maps/deep/er/b.haze.png",
        "out/a.png",
        "out/deep/a.png",
        "out/deep/er/b.jpg",
    ]


def test_a_folder_without_recursive_is_flat(clear, photo, tree):
    photo("in/a.png")
    photo("in/deep/a.png")
    clear("in", "-o", "out")
    assert [name for name in tree() if name.startswith("out")] == ["out/a.png"]


def test_a_second_run_over_a_folder_takes_only_the_new(clear, photo, dehazer, tree):
    photo("in/a.png")
    assert clear("in", "-o", "in/out", "-r", "--comparison", "in/looks")[0] == 0
    assert clear("in")[0] == 0
    before = tree()
    dehazer.calls.clear()
    assert clear("in", "-o", "in/out", "-r", "--comparison", "in/looks", "--overwrite")[0] == 0
    assert len(dehazer.calls) == 1
    assert tree() == before


def test_one_bad_file_does_not_stop_the_others(clear, photo, folder):
    for name in ("in/a.png", "in/fault.png", "in/huge.png", "in/nan.png", "in/z.png"):
        photo(name)
    (folder / "in/empty.jpg").touch()
    code, said = clear("in", "-o", "out", "--report", "report.json")
    assert code == 2
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.png", "z.png"]
    assert "in/nan.png: the picture holds NaN; replace them first" in said
    assert "in/empty.jpg: is empty" in said
    assert "in/fault.png: internal fault, please report it: RuntimeError: shapes do not match" in said
    assert "in/huge.png: does not fit into memory" in said
    assert said.endswith("2 restored, 4 failed\n")
    status = {entry["source"]: entry["status"] for entry in json.loads((folder / "report.json").read_text())}
    assert status["in/a.png"] == status["in/z.png"] == "restored"
    assert status["in/nan.png"] == status["in/empty.jpg"] == "failed"


def test_verbose_shows_why_one_of_many_failed(clear, photo):
    photo("fault.png")
    assert "Traceback" not in clear("fault.png")[1]
    assert "Traceback" in clear("fault.png", "-v")[1]


def test_an_interrupted_folder_is_resumed_and_its_report_continued(clear, photo, dehazer, folder):
    for name in ("in/a.png", "in/interrupt.png", "in/z.png"):
        photo(name)
    arguments = ("in", "-o", "out", "--report", "report.json", "--skip-existing", "--haze-map", "maps")
    assert clear(*arguments)[0] == 130
    assert [entry["source"] for entry in json.loads((folder / "report.json").read_text())] == ["in/a.png"]

    (folder / "in/interrupt.png").rename(folder / "in/b.png")
    (folder / "maps/b.haze.png").touch()  # a map without its photograph: the work on it was not done
    dehazer.calls.clear()
    code, said = clear(*arguments)
    assert code == 0
    assert len(dehazer.calls) == 2
    assert said.endswith("1 skipped, 2 restored\n")
    entries = json.loads((folder / "report.json").read_text())
    assert [(entry["source"], entry["status"]) for entry in entries] == [
        ("in/a.png", "restored"),
        ("in/b.png", "restored"),
        ("in/z.png", "restored"),
    ]


def test_nothing_left_to_do_loads_no_weights(clear, photo, dehazer):
    photo("foggy.png")
    clear("foggy.png")
    dehazer.loaded.clear()
    assert clear("foggy.png", "--skip-existing")[0] == 0
    assert dehazer.loaded == []


def test_overwrite_replaces(clear, photo, folder):
    photo("foggy.png")
    (folder / "foggy.clear.png").write_text("old")
    assert clear("foggy.png", "--overwrite")[0] == 0
    assert (pixels("foggy.clear.png") == RESTORED).all()


def test_quiet_says_nothing_but_errors(clear, photo):
    photo("foggy.png")
    assert clear("foggy.png", "--quiet") == (0, "")
    assert clear("foggy.png", "missing.png", "-o", "out", "--quiet")[1].startswith(
        "clairvoy: error: missing.png"
    )


@pytest.mark.parametrize(("value", "expected"), [(HAZY, RESTORED), (20, 20)])
def test_a_pipe(value, expected, clear, photo, monkeypatch):
    data = photo("foggy.png", value).read_bytes()
    monkeypatch.setattr(sys, "stdin", Pipe(data))
    monkeypatch.setattr(sys, "stdout", out := Pipe())
    assert clear("-")[0] == 0
    written = out.buffer.getvalue()
    decoded = cv2.imdecode(np.frombuffer(written, np.uint8), cv2.IMREAD_COLOR)
    assert (decoded == expected).all()
    assert (written == data) == (value == expected)


def test_a_pipe_into_a_file_and_a_file_into_a_pipe(clear, photo, monkeypatch):
    data = photo("foggy.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", Pipe(data))
    monkeypatch.setattr(sys, "stdout", out := Pipe())
    assert clear("-", "-o", "out.png")[0] == 0
    assert out.buffer.getvalue() == b""
    assert clear("foggy.png", "-o", "-")[0] == 0
    assert out.buffer.getvalue().startswith(b"\x89PNG")


def test_an_empty_pipe(clear, monkeypatch, tree):
    monkeypatch.setattr(sys, "stdin", Pipe())
    monkeypatch.setattr(sys, "stdout", out := Pipe())
    code, said = clear("-", "--report", "report.json")
    assert code == 2
    assert said.startswith("clairvoy: error: standard input: is empty")
    assert out.buffer.getvalue() == b""
    assert tree() == []


def test_a_bar_on_a_terminal_for_many(clear, photo, monkeypatch):
    photo("a.png")
    photo("b.png")
    monkeypatch.setattr(
        sys, "stderr", SimpleNamespace(isatty=lambda: True, write=(said := []).append, flush=int)
    )
    clear("a.png", "b.png", "-o", "out")
    text = "".join(said)
    assert "0/2  a.png" in text
    assert "1/2, " in text
    assert text.endswith("2 restored\n")


def test_a_limit_on_pixels_is_an_option_and_its_message_says_so(clear, photo):
    photo("foggy.png", size=(20, 20))
    code, said = clear("foggy.png", "--max-pixels", 399)
    assert code == 2
    assert "--max-pixels" in said
    assert clear("foggy.png", "--max-pixels", 400)[0] == 0
