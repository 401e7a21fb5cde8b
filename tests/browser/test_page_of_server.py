"""The page of `clairvoy serve` in Chromium: what the browser cannot restore, and whole folders, the server does."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from PIL import Image
from visiting import WAIT_MS, Visit, file_of, hazy

from clairvoy.apps.cli import main

pytestmark = pytest.mark.slow
MOST_BYTES = 1_000_000


@contextmanager
def serving(*options):
    """Address of a server with one process that restores."""
    command = [sys.executable, "-m", "clairvoy", "serve", "--port", "0", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert address, said + process.stderr.read()
            yield f"{address[0]}/"
        finally:
            process.terminate()
            assert process.wait(30) == 0, process.stderr.read()


@pytest.fixture(scope="module")
def server():
    with serving("--max-bytes", str(MOST_BYTES)) as address:
        yield address


@pytest.fixture
def visit(chromium, server):
    """Make a visit; at the end nothing may have gone wrong but what is expected, and nothing been asked of others."""
    visits = []

    def make(*expected, **options):
        visits.append((Visit(chromium, server, service_workers="block", **options), expected))
        return visits[-1][0]

    yield make
    for one, expected in visits:
        one.context.close()
        assert [fault for fault in one.faults if not any(said in fault for said in expected)] == []
        assert all(url.startswith((server, "blob:")) for url in one.requests)


def deep(seed=0):
    """A hazy view with 16 bits, whose low byte says something."""
    return hazy(seed=seed).astype(np.uint16) * 256 + np.arange(330, dtype=np.uint16)[None, :, None] % 256


def deep_file(suffix, seed=0):
    return cv2.imencode(suffix, deep(seed)[..., ::-1])[1].tobytes()


def by_command_line(folder, name, data, *options):
    """The file that `clairvoy clear` writes."""
    (folder / name).write_bytes(data)
    assert main(["clear", str(folder / name), "-o", f"{folder}/out/", *options]) == 0
    (made,) = (folder / "out").iterdir()
    return made.read_bytes()


def sent(visit):
    return [url for url in visit.requests if "/v1/" in url]


def choose_folder(visit, folder):
    visit.page.set_input_files("#folder", folder)
    visit.page.wait_for_selector("#list:not([hidden])")


def rows(visit):
    """What the list says of each picture."""
    names = visit.page.locator("#list-rows .name").all_inner_texts()
    return dict(zip(names, visit.page.locator("#list-rows .state").all_inner_texts(), strict=True))


def download(visit, selector):
    with visit.page.expect_download(timeout=WAIT_MS) as begun:
        visit.page.click(selector)
    return begun.value.path().read_bytes(), begun.value.suggested_filename


def test_sixteen_bits_are_kept_by_the_server(visit, tmp_path):
    page = visit()
    data = deep_file(".png")
    page.choose(data, "deep.png")
    assert page.page.get_by_role("radio", name="the server").is_checked()
    assert "16 bits" in page.text("#engine-reason")
    assert sent(page) == []  # it was looked at in the browser
    page.page.fill("#strength", "70")
    saved, name = download(page, "#save")
    assert name == "deep.clear.png"
    assert saved == by_command_line(tmp_path, "deep.png", data, "--strength", "0.7")
    pixels = cv2.imdecode(np.frombuffer(saved, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    assert (pixels != deep()[..., ::-1]).mean() > 0.9
    assert len(sent(page)) == 1
    # By choice the browser makes it, with 8 bits.
    page.page.get_by_role("radio", name="this browser").check()
    with Image.open(io.BytesIO(page.save("png")[0])) as picture:
        assert picture.mode == "RGB"
    assert len(sent(page)) == 1


def test_what_the_browser_cannot_open_is_shown_and_saved_by_the_server(visit, tmp_path):
    page = visit()
    data = deep_file(".tiff")
    page.choose(data, "deep.TIFF", "image/tiff")
    assert page.text("#status").startswith("deep.TIFF: 330 × 220")
    assert page.text("#verdict").startswith("Haze recognised")
    assert page.page.get_by_role("radio", name="this browser").is_disabled()
    assert page.page.get_by_role("radio", name="the server").is_enabled()
    assert np.abs(page.shown("before").astype(int) - hazy()).mean() < 3
    saved, name = download(page, "#save")
    assert name == "deep.clear.TIFF"
    assert saved == by_command_line(tmp_path, "deep.tiff", data)
    page.choose(file_of(hazy(seed=1)), "next.png")
    assert page.page.get_by_role("radio", name="this browser").is_checked()


def test_by_choice_the_server_saves_any_picture(visit, tmp_path):
    page = visit()
    exif = Image.Exif()
    exif[0x010E] = "a valley"
    data = file_of(hazy(), "JPEG", quality=95, exif=exif.tobytes())
    page.choose(data, "valley.jpeg", "image/jpeg")
    engine = page.page.get_by_role("radio", name="this browser")
    engine.focus()
    engine.press("ArrowRight")
    assert page.page.get_by_role("radio", name="the server").is_checked()
    assert page.page.get_by_role("combobox", name="Save as").first.input_value() == ""
    saved, name = download(page, "#save")
    assert name == "valley.clear.jpeg"
    assert saved == by_command_line(tmp_path, "valley.jpeg", data)
    page.page.select_option("#format", "tif")
    saved, name = download(page, "#save")
    assert name == "valley.clear.tif"
    with Image.open(io.BytesIO(saved)) as picture:
        assert picture.format == "TIFF"


def test_a_folder_is_restored_one_by_one_and_comes_as_one_zip(visit, tmp_path):
    folder = tmp_path / "trip"
    (folder / "day 二").mkdir(parents=True)
    leaves = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    files = {
        "trip/deep.tif": deep_file(".tif"),
        "trip/day 二/valley.png": file_of(hazy(seed=2)),
        "trip/day 二/leaves.png": file_of(leaves.repeat(6, 0).repeat(6, 1)),
        "trip/broken.png": file_of(hazy())[:500],
        "trip/large.png": bytes(MOST_BYTES + 1),
        "trip/notes.txt": b"words",
        "trip/.hidden.png": b"",
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page = visit("status of 422")
    choose_folder(page, folder)
    assert page.text("#list-status") == "5 in the list now. Left out, being of other kinds: 1."
    assert list(rows(page)) == sorted(
        name for name in files if name.endswith(("f", "g")) and "/." not in name
    )
    assert set(rows(page).values()) == {"waiting"}
    assert sent(page) == []  # nothing goes to the server before somebody says so

    page.page.click("#list-run")
    page.says("#list-status", "3 of 5 done, 2 failed.")
    said = rows(page)
    assert said["trip/deep.tif"].startswith("restored; haze ")
    assert said["trip/day 二/leaves.png"].startswith("left as it is")
    assert said["trip/broken.png"].startswith("The server cannot restore it. (the picture ")
    assert said["trip/large.png"].startswith("Too large for the server, which takes up to 1 MB")
    assert len(sent(page)) == 4
    assert page.page.get_by_role("button", name="Restore (2)").is_enabled()

    (tmp_path / "out").mkdir()
    assert main(["clear", str(folder), "--recursive", "-o", str(tmp_path / "out/")]) == 2
    wanted = {
        f"trip/{path.relative_to(tmp_path / 'out').as_posix()}": path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    made, name = download(page, "#list-save")
    assert name == "clear.zip"
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == wanted
    assert set(wanted) == {"trip/deep.tif", "trip/day 二/valley.png", "trip/day 二/leaves.png"}
    one, name = download(page, "#list-rows li:has-text('valley') a")
    assert (one, name) == (wanted["trip/day 二/valley.png"], "valley.clear.png")

    page.page.click("#list-clear")
    assert page.page.locator("#list").is_hidden()
    assert page.page.evaluate("document.activeElement.id") == "file"


def several(visit, count=2):
    """Hand in several pictures."""
    data = file_of(hazy(64, 96))
    files = [{"name": f"{i}.png", "mimeType": "image/png", "buffer": data} for i in range(count)]
    visit.page.set_input_files("#file", files)
    visit.page.wait_for_selector("#list:not([hidden])")


def test_a_full_server_is_asked_again_when_it_says(visit):
    page = visit("status of 429")
    asked = []

    def full_twice(route):
        asked.append(route.request.url)
        if len(asked) < 3:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"detail": "full"})
        else:
            route.continue_()

    page.page.route("**/v1/clear*", full_twice)
    several(page)
    page.page.click("#list-run")
    page.says("#list-rows .state >> nth=0", "The server has no free place; trying again in 1 s")
    page.says("#list-status", "2 of 2 done, 0 failed.")
    assert len(asked) == 4


def test_what_waits_can_be_stopped_and_goes_on_later(visit):
    page = visit("status of 429")
    page.page.route(
        "**/v1/clear*", lambda route: route.fulfill(status=429, headers={"Retry-After": "60"}, json={})
    )
    several(page)
    page.page.click("#list-run")
    page.says("#list-rows .state >> nth=0", "The server has no free place; trying again in 60 s")
    button = page.page.get_by_role("button", name="Stop")
    button.focus()
    button.press("Enter")
    page.says("#list-status", "0 of 2 done, 0 failed. Stopped.")
    assert set(rows(page).values()) == {"waiting"}
    assert page.page.evaluate("document.activeElement.id") == "list-run"
    page.page.unroute("**/v1/clear*")
    page.page.keyboard.press("Enter")
    page.says("#list-status", "2 of 2 done, 0 failed.")


def test_a_server_that_cannot_be_reached_stops_the_list(visit):
    page = visit("ERR_FAILED")
    page.page.route("**/v1/clear*", lambda route: route.abort())
    several(page)
    page.page.click("#list-run")
    page.says("#list-fault", "The server cannot be reached.")
    assert set(rows(page).values()) == {"waiting"}
    page.choose(deep_file(".png"), "deep.png")
    page.page.click("#save")
    page.says("#fault", "The server cannot be reached.")
    page.page.unroute("**/v1/clear*")
    page.page.click("#list-run")
    page.says("#list-status", "2 of 2 done, 0 failed.")
    assert page.text("#list-fault") == ""


def test_the_token_is_asked_for_and_shown(chromium, tmp_path):
    token = "gehéim 密"
    (tmp_path / "token").write_text(token, "utf-8")
    with serving("--token-file", str(tmp_path / "token")) as address:
        page = Visit(chromium, address, service_workers="block")
        several(page)
        field = page.page.get_by_label("Token of this server")
        field.fill("wrong")
        page.page.click("#list-run")
        page.says("#list-fault", "The server wants its token.")
        assert page.page.evaluate("document.activeElement.id") == "token"
        field.fill(token)
        page.page.click("#list-run")
        page.says("#list-status", "2 of 2 done, 0 failed.")
        page.context.close()
    assert [fault for fault in page.faults if "status of 401" not in fault] == []


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing_and_nothing_sticks_out(visit, theme, language):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = visit(viewport={"width": 360, "height": 740})
    page.page.select_option("#theme", theme)
    page.page.select_option("#language", language)
    page.page.wait_for_selector(f"html[lang^={language}]")
    page.choose(deep_file(".png"), f"{'long' * 20}.png")
    several(page)
    page.page.click("#list-run")
    page.page.wait_for_selector("#list-rows .done >> nth=1", timeout=WAIT_MS)
    page.page.evaluate("document.getElementById('token-row').hidden = false")
    found = axe.run(page.page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    if language == "zh":
        assert not re.search("[a-z]{4}", page.text("#list-status") + page.text("#engines"))
