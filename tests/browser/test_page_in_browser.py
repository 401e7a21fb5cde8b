"""The page in Chromium, as a person uses it: by mouse, by keyboard, on a phone, offline."""

from __future__ import annotations

import functools
import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from visiting import WAIT_MS, Visit, by_command_line, file_of, hazy, pixels_of

from clairvoy import Dehazer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dehazer():
    return Dehazer.load("fast")


@pytest.fixture(scope="module")
def visit(chromium, address, site):
    """Make a visit; at the end nothing may have gone wrong, and nothing been asked for but the files of the page."""
    visits = []

    def make(**options):
        # What is kept for offline use has a test of its own.
        visits.append(Visit(chromium, address, service_workers="block", **options))
        return visits[-1]

    yield make
    for one in visits:
        one.context.close()
        assert not one.faults
        names = [
            url.removeprefix(address) or "index.html" for url in one.requests if not url.startswith("blob:")
        ]
        assert [name for name in names if not (site / name).is_file()] == []


@pytest.fixture(scope="module")
def opened(visit):
    """A visit with a hazy picture opened."""
    page = visit(viewport={"width": 1000, "height": 900})
    page.choose(file_of(hazy()))
    return page


@functools.cache
def wide_profile():
    """One whose colours are not the screen's, so that a conversion would show: sRGB with its primaries exchanged."""
    said = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(said[128:132])
    entries = {bytes(said[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = (entries[name] + 4 for name in (b"rXYZ", b"gXYZ"))
    said[red : red + 8], said[green : green + 8] = said[green : green + 8], said[red : red + 8]
    return bytes(said)


def test_what_is_dropped_is_restored_as_by_the_command_line(opened, dehazer, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a valley"
    sideways = np.rot90(hazy()).copy()
    data = file_of(sideways, exif=exif.tobytes(), icc_profile=wide_profile())
    opened.drop(data, "valley.png", "image/png")
    report = dehazer.report(data)
    assert report.haze
    assert opened.text("#probability") == f"{100 * report.haze_probability:.0f} %"
    assert opened.text("#tau").startswith(f"{100 * report.tau:.0f} %")
    saved, name = opened.save("png")
    assert name == "valley.clear.png"
    wanted = by_command_line(tmp_path, data)
    assert wanted.shape == hazy().shape
    assert np.abs(wanted - np.rot90(sideways, -1)).mean() > 5
    assert np.abs(pixels_of(saved) - wanted).max() <= 1
    with Image.open(io.BytesIO(saved)) as picture:
        assert picture.info["icc_profile"] == wide_profile()
        assert picture.getexif()[0x0112] == 1
        assert picture.getexif()[0x010E] == "a valley"


def test_saved_as_jpeg_with_exif_and_profile(opened):
    exif = Image.Exif()
    exif[0x010E] = "a valley"
    opened.choose(
        file_of(hazy(), "JPEG", quality=95, exif=exif.tobytes(), icc_profile=wide_profile()),
        "a.b.jpg",
        "image/jpeg",
    )
    exact = pixels_of(opened.save("png")[0])
    saved, name = opened.save("jpg")
    assert name == "a.b.clear.jpg"
    with Image.open(io.BytesIO(saved)) as picture:
        assert picture.format == "JPEG"
        assert picture.info["icc_profile"] == wide_profile()
        assert picture.getexif()[0x010E] == "a valley"
        assert np.abs(np.asarray(picture) - exact).mean() < 4


def test_colours_below_transparency(opened, tmp_path):
    rng = np.random.default_rng(0)
    alpha = rng.integers(1, 256, hazy().shape[:2]).astype(np.uint8)
    alpha[:60, 100:] = 0
    data = file_of(np.dstack([hazy(), alpha]))
    opened.choose(data)
    assert opened.page.is_disabled("#format option[value=jpg]")
    saved = pixels_of(opened.save("png")[0])
    wanted = by_command_line(tmp_path, data)
    np.testing.assert_array_equal(saved[..., 3], alpha)
    assert np.abs(saved - wanted).max() <= 1


def test_sliding_by_keyboard(opened):
    opened.choose(file_of(hazy()))
    split = opened.page.locator("#split")
    split.focus()
    places = []
    for key, value in (("Home", 0), ("ArrowRight", 1), ("End", 100), ("ArrowLeft", 99)):
        split.press(key)
        assert split.input_value() == str(value)
        assert split.get_attribute("aria-valuetext") == f"{value} % of the picture shows before"
        places.append(
            opened.page.evaluate("document.getElementById('comparison').style.getPropertyValue('--split')")
        )
    assert places == ["0", "0.01", "1", "0.99"]
    clip = "getComputedStyle(document.getElementById('after')).clipPath"
    assert opened.page.evaluate(clip).startswith("inset(0px 0px 0px calc(")


def test_strength_is_followed_live(opened):
    opened.choose(file_of(hazy()))
    before, whole = opened.shown("before"), opened.shown().astype(int)
    np.testing.assert_array_equal(before, hazy())
    half = opened.change("#strength", "50")
    np.testing.assert_array_equal(opened.change("#strength", "0"), before)
    assert opened.text("#strength-value") == "0 %"
    assert 0.2 < np.abs(half - before).mean() / np.abs(whole - before).mean() < 0.7
    np.testing.assert_array_equal(opened.change("#strength", "100"), whole)


def test_haze_and_confidence_as_layers(opened, dehazer):
    opened.choose(file_of(hazy()))
    result = dehazer(hazy())
    for layer, values, ramp in (
        ("haze", result.haze, cv2.COLORMAP_BONE),
        ("confidence", result.tau, cv2.COLORMAP_VIRIDIS),
    ):
        opened.page.check(f"input[value={layer}]")
        opened.page.wait_for_selector("#scale:not([hidden])")
        opened.says("#right-side", layer.capitalize())
        levels = np.rint(255 * values).astype(np.uint8)
        wanted = cv2.cvtColor(cv2.applyColorMap(levels, ramp), cv2.COLOR_BGR2RGB).astype(int)
        assert np.abs(opened.shown()[..., :3] - wanted).max() <= 6
    opened.page.check("input[value=restored]")
    opened.page.wait_for_selector("#scale", state="hidden")


def test_a_clear_picture_is_left_as_it_is(opened):
    rng = np.random.default_rng(1)
    clear = rng.integers(0, 256, (40, 60, 3)).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    data = file_of(clear)
    opened.choose(data, "leaves.png")
    assert opened.text("#verdict") == "No haze recognised: the picture is left as it is."
    assert opened.save("png")[0] == data
    opened.page.check("#force")
    opened.says("#verdict", "Restored because")
    assert opened.save("png")[0] != data
    opened.page.uncheck("#force")


def test_what_is_no_picture_is_refused_with_a_remedy(opened):
    opened.choose(file_of(hazy()))
    opened.drop(b"words", "words.txt", "text/plain")
    assert "JPEG, PNG, WebP or AVIF" in opened.text("#fault")
    opened.drop(file_of(hazy())[:500], "broken.png", "image/png")
    opened.says("#fault", "broken.png cannot be opened")
    # The picture before is still there, and still followed.
    whole = opened.shown()
    assert (opened.change("#strength", "30") != whole).any()
    np.testing.assert_array_equal(opened.change("#strength", "100"), whole)
    assert opened.page.is_enabled("#save")
    opened.choose(file_of(hazy()))
    assert opened.text("#fault") == ""


def test_pasted(opened):
    opened.holds = None
    opened.page.evaluate(
        """async bytes => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(bytes)], "pasted.png", {type: "image/png"}));
            document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: files, bubbles: true}));
        }""",
        list(file_of(hazy(64, 96))),
    )
    opened.says("#status", "pasted.png: 96")


def test_every_control_has_a_name_a_role_and_a_value(opened):
    page = opened.page
    opened.choose(file_of(hazy()))
    assert page.get_by_role("slider", name="Border between before and after").input_value().isdigit()
    assert page.get_by_role("slider", name="Strength").input_value() == "100"
    assert page.get_by_role("combobox", name="Language").input_value() == "en"
    assert page.get_by_role("combobox", name="Colours").input_value() == ""
    assert page.get_by_role("combobox", name="Save as").input_value() == "png"
    assert page.get_by_role("group", name="Right of the slider").get_by_role("radio").count() == 3
    assert page.get_by_role("radio", name="Restored").is_checked()
    assert not page.get_by_role("checkbox", name="Restore also where no haze is recognised").is_checked()
    assert page.get_by_role("button", name="Download").is_enabled()
    assert page.get_by_role("button", name="Valley in haze").is_enabled()
    assert page.get_by_role("img", name="The picture before").is_visible()
    assert page.get_by_role("img", name="The restored picture").is_visible()
    assert page.get_by_role("status").first.inner_text()
    fields = page.locator("input, select, button:not([data-example])")
    for field in fields.all():
        named = field.evaluate("e => [e.type, e.name || e.id]")
        assert all(named), named
    # Both ways in without a mouse: the field of files takes the focus and says what it is.
    page.locator("#file").focus()
    assert page.evaluate("document.activeElement.labels[0].textContent") == "Choose a picture"


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing(opened, theme, language):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    opened.page.select_option("#theme", theme)
    opened.page.select_option("#language", language)
    opened.page.wait_for_selector(f"html[lang^={language}]")
    opened.page.check("input[value=haze]")
    opened.page.wait_for_selector("#scale:not([hidden])")
    found = axe.run(opened.page).response["violations"]
    opened.page.check("input[value=restored]")
    opened.page.select_option("#language", "en")
    opened.page.wait_for_selector("html[lang=en]")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_on_a_phone_nothing_sticks_out(visit):
    phone = visit(viewport={"width": 360, "height": 740}, locale="zh-CN", has_touch=True)
    wide = "document.documentElement.scrollWidth"
    assert phone.page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert phone.page.evaluate(wide) == 360
    phone.choose(file_of(hazy()), name=f"{'a long name ' * 3}.png")
    assert phone.page.evaluate(wide) == 360
    phone.page.select_option("#language", "en")
    phone.page.wait_for_selector("html[lang=en]")
    assert phone.page.evaluate(wide) == 360
    box = phone.page.locator("#comparison").bounding_box()
    assert box["x"] >= 0
    assert 300 <= box["width"] <= 360
    phone.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert 70 <= int(phone.page.input_value("#split")) <= 90


def test_it_works_offline_after_the_first_visit(chromium, site, serving):
    with serving(site) as address:
        page = Visit(chromium, address)
        page.page.wait_for_selector("#offline:not([hidden])", timeout=WAIT_MS)
    page.page.goto(address)  # nobody is there any more
    page.page.wait_for_selector("#started:not([hidden])")
    page.page.click("[data-example='examples/lake.jpg']")
    page.wait()
    assert page.text("#status").startswith("lake.jpg: 800 × 450")
    assert page.text("#verdict") == "No haze recognised: the picture is left as it is."
    page.context.close()
    assert not page.faults


def test_a_large_picture_strip_by_strip(opened, tmp_path):
    """More than is restored, or read from a canvas, at a time, and more than is shown."""
    data = file_of(np.tile(hazy(500, 700), (3, 3, 1)), compress_level=1)
    opened.choose(data)
    opened.page.check("#force")
    saved = pixels_of(opened.save("png")[0])
    opened.page.uncheck("#force")
    assert saved.shape == (1500, 2100, 3)
    assert np.abs(saved - by_command_line(tmp_path, data, "--force")).max() <= 1
    assert opened.shown().size < saved.size
