"""`clairvoy look`: what stands in the page; whether it works in a browser."""

import base64
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clairvoy.apps.cli import main
from clairvoy.apps.html_page import data_in
from clairvoy.imaging.panorama import WHOLE
from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.directions import DIRECTIONS, looks_at, views
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.model import new_model

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def panorama(tmp_path, monkeypatch):
    """A hazy panorama in the current folder: red ahead, green on the right, blue behind, yellow on the left."""
    monkeypatch.chdir(tmp_path)
    angle = 2 * np.pi * (np.arange(512) + 0.5) / 512 - np.pi
    colours = np.array([[220, 60, 60], [60, 200, 60], [60, 60, 220], [220, 210, 60]])
    near = np.stack([np.maximum(np.cos(angle - k * np.pi / 2), 0) ** 2 for k in range(4)], axis=1)
    row = (near @ colours) * 0.5
    across = np.cos(WHOLE.latitudes(256))[:, None, None]
    pixels = 100 + across * row + np.random.default_rng(0).normal(0, 3, (256, 512, 1))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save("pano.png")
    return tmp_path / "pano.png"


@pytest.fixture
def model(tmp_path):
    """An agent that has learnt nothing, in a file."""
    looking = Looking(32, glimpses=3)
    real = torch.randint(256, (8, 3, 32, 64), dtype=torch.uint8)
    made = new_model(looking, new_learner(real, looking.views, width=8))
    made.save(tmp_path / "agent.safetensors", {"seed": 3})
    return tmp_path / "agent.safetensors"


def held(uri):
    """The picture in a data URI, as an array."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))))


def test_the_page_holds_both_pictures_and_what_was_found(panorama, capsys):
    assert main(["look", "pano.png", "--force"]) == 0
    assert "pano.look.html" in capsys.readouterr().out
    text = (panorama.parent / "pano.look.html").read_text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    told = data_in(text)
    before, after = held(told["before"]).astype(float), held(told["after"]).astype(float)
    assert np.abs(before - np.asarray(Image.open("pano.png"))).mean() < 4
    assert np.abs(before - after).mean() > 2
    assert held(told["tau"]).shape == (256, 512)
    assert told["report"]["sphere"]
    assert told["part"]["across"] == pytest.approx(2 * np.pi)
    assert told["glimpses"] == []
    assert 'id="step"' not in text


def test_the_agents_glimpses_and_what_is_imagined(panorama, model):
    assert main(["look", "pano.png", "--model", str(model), "--glimpses", "2", "--page", "a.html"]) == 0
    text = (panorama.parent / "a.html").read_text()
    told = data_in(text)
    assert len(told["glimpses"]) == 2
    assert len(told["completions"]) == 3  # before the first, too
    assert held(told["completions"][1]["picture"]).shape == (32, 64, 3)
    assert text.count("<b hidden>") == 2
    # A tau that was not fitted is a half wherever nothing was seen.
    first, last = told["completions"][0], told["completions"][2]
    assert [one["tau"] for one in first["directions"]] == [0.5] * DIRECTIONS
    assert np.ptp(held(first["sure"])) == 0
    for glimpse in told["glimpses"]:
        there = [one for one in last["directions"] if one["longitude"] == glimpse["longitude"]]
        assert [one["tau"] for one in there if one["latitude"] == glimpse["latitude"]] == [1.0]


def test_a_glimpse_is_marked_in_the_middle_of_what_it_shows():
    shown = views(64)
    row, column = np.mgrid[:64, :128]
    latitude, longitude = np.pi / 2 - (row + 0.5) / 64 * np.pi, (column + 0.5) / 128 * 2 * np.pi - np.pi
    rays = np.stack(
        [np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)]
    )
    for direction in range(DIRECTIONS):
        weight = shown[direction].numpy() * np.cos(latitude)
        middle = (rays * weight).sum(axis=(1, 2))
        lon, lat = looks_at(direction)
        marked = np.array([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)])
        assert middle @ marked / np.linalg.norm(middle) > 0.995


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["narrow.png"], "is no panorama"),
        (["pano.png", "--glimpses", "4"], "--model FILE"),
        (["pano.png", "--page", "there.html"], "--overwrite"),
        (["pano.png", "--model", "pano.png"], "panorama_values.py"),
        (["none.png"], "none.png"),
    ],
)
def test_what_cannot_be_looked_at_is_said(panorama, capsys, arguments, says):
    Image.open("pano.png").crop((0, 0, 200, 256)).save("narrow.png")
    (panorama.parent / "there.html").write_text("mine")
    assert main(["look", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert (panorama.parent / "there.html").read_text() == "mine"
    assert not (panorama.parent / "pano.look.html").exists()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_looks_around_in_a_browser(panorama, model):
    sync_api = pytest.importorskip("playwright.sync_api")
    assert main(["look", "pano.png", "--strength", "0", "--model", str(model), "--page", "a.html"]) == 0
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        page = browser.new_page(viewport={"width": 1000, "height": 500})
        faults = []
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.goto((panorama.parent / "a.html").as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'yes'")

        def middle():
            page.wait_for_timeout(150)
            pixel = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((500, 200))
            return int(np.argmax(pixel)) if np.ptp(pixel) > 30 else None

        page.focus("#stage")
        page.wait_for_timeout(300)
        assert middle() == 0  # red ahead
        page.keyboard.press("+")
        for expected in (1, 2):
            for _ in range(13):  # 0.12 each: a quarter turn
                page.keyboard.press("ArrowRight")
            assert middle() == expected
        page.mouse.move(500, 100)
        page.mouse.down()
        page.mouse.move(500, 250, steps=4)
        page.mouse.up()
        assert page.evaluate("[...document.querySelectorAll('#spots b')].map(b => b.textContent)") == [
            "1",
            "2",
            "3",
        ]
        page.locator("#step").fill("0")
        page.wait_for_function("!document.querySelector('#spots b:not([hidden])')")
        assert page.locator("#number").inner_text() == "0"
        page.wait_for_function("document.querySelector('#right').textContent.startsWith('50 %')")
        assert faults == []
        browser.close()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_tilted_camera_is_levelled_and_the_first_look_is_as_said(panorama):
    # The picture's middle, red, was the zenith; its right, green, lay on the horizon on the right.
    sync_api = pytest.importorskip("playwright.sync_api")
    said = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
        'GPano:ProjectionType="equirectangular" GPano:PosePitchDegrees="90" GPano:InitialViewHeadingDegrees="90"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    words = PngInfo()
    words.add_itxt("XML:com.adobe.xmp", said)
    Image.open("pano.png").save("tilted.png", pnginfo=words)
    assert main(["look", "tilted.png", "--strength", "0", "--page", "a.html"]) == 0
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        page = browser.new_page(viewport={"width": 1000, "height": 500})
        page.goto((panorama.parent / "a.html").as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'yes'")

        def middle():
            page.wait_for_timeout(300)
            pixel = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((500, 240))
            return int(np.argmax(pixel)) if np.ptp(pixel) > 30 else None

        page.focus("#stage")
        assert middle() == 1
        for _ in range(14):
            page.keyboard.press("ArrowUp")
        assert middle() == 0
        browser.close()
