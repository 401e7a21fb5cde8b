"""Reports as pages in Chromium: nothing loaded, nothing that axe finds, nothing that sticks out, in both themes."""

from __future__ import annotations

import numpy as np
import pytest
from visiting import file_of, hazy

from clairvoy.apps.cli import main
from clairvoy.apps.evaluation_page import haze_page, recognition_page, trust_page
from clairvoy.evaluation.recognition import Recognition
from clairvoy.evaluation.scores import Evaluation, MethodScores
from clairvoy.evaluation.trust import Agreement, Trust

pytestmark = pytest.mark.slow


def methods():
    scores = MethodScores(
        [20.0, 22.0], [0.9, 0.8], [0.1, 0.2], [3.0, 3.0], ["a", "b"], [0.5, 0.6], [19.0, 23.0]
    )
    scores.harm_db, scores.seconds_per_mpx = [40.0, 30.0], [0.25]
    found = Evaluation({"clairvoy": scores, "dark channel prior": scores}, 2, 2, 2)
    return haze_page(found, {"harm": ["x" * 90]})


def recognition():
    numbers = np.array([0.9, 0.2]), np.array([0.1, 0.8]), np.array([15.0, 100.0]), np.array([100.0, 20.0])
    return recognition_page(Recognition(*numbers, ["fog.jpg", "missed.jpg"], ["sun.jpg", "alarm" * 20]), {})


def trust():
    agreement = Agreement(0.8, 2.5, 40)
    return trust_page(Trust(agreement, 0.05, 0.3, 0.4, {"nothing": agreement}, 21.0), {"weights": "fast"})


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """A folder with one page of each kind."""
    folder = tmp_path_factory.mktemp("reports")
    for make in (methods, recognition, trust):
        (folder / f"{make.__name__}.html").write_text(make(), "utf-8")
    (folder / "photographs").mkdir()
    for seed in (0, 1):
        (folder / f"photographs/{seed}.png").write_bytes(file_of(hazy(64, 96, seed)))
    gallery = ["--report", str(folder / "gallery.html")]
    assert main(["clear", str(folder / "photographs"), "-o", f"{folder}/out/", *gallery]) == 0
    return folder


@pytest.mark.parametrize("name", ["methods", "recognition", "trust", "gallery"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 360)])
def test_a_report(chromium, reports, name, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 800})
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((reports / f"{name}.html").as_uri())
    found = axe.run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (sum(ground[:3]) < 200) == (theme == "dark")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
