"""`clairvoy evaluate ... --report FILE.html`: the figures of the table, as a page."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from test_clear_page import check

from clairvoy.apps.cli import main
from clairvoy.apps.evaluation_page import haze_page, recognition_page, trust_page
from clairvoy.apps.html_page import data_in
from clairvoy.evaluation.recognition import Recognition
from clairvoy.evaluation.scores import Evaluation, MethodScores
from clairvoy.evaluation.trust import Agreement, Trust


def test_methods_beside_one_another():
    good = MethodScores(
        [20.0, 22.0], [0.9, 0.8], [0.1, 0.2], [3.0, 3.0], ["a", "b"], [0.5, 0.6], [19.0, 23.0]
    )
    good.harm_db, good.seconds_per_mpx = [math.inf, 30.0], [0.25]
    poor = MethodScores([10.0, 12.0], [0.5, 0.5], [0.4, 0.4], [math.nan] * 2, ["a", "b"])
    poor.harm_db, poor.seconds_per_mpx = [20.0, 20.0], [0.5]
    found = Evaluation({"good": good, "<poor>": poor}, 2, 2, 2)
    page = haze_page(found, {"hazy": Path("in"), "harm": [Path("x"), Path("y")]})
    check(page)
    assert data_in(page) == found.to_dict()
    assert ">21.00 [" in page
    assert "&lt;poor&gt;" in page
    assert "1 of 2" in page
    assert "<dd>x, y</dd>" in page
    assert page.count("none") == 1  # NIQE of the poor one


def test_recognition_with_the_misjudged():
    found = Recognition(
        np.array([0.9, 0.2]), np.array([0.1, 0.8]), np.array([15.0, 100.0]), np.array([100.0, 20.0]),
        [Path("fog"), Path("missed")], [Path("sun"), Path("alarm")],
    )  # fmt: skip
    page = recognition_page(found, {})
    check(page)
    assert page.index(">missed<") < page.index("Settings")
    assert ">alarm<" in page
    assert ">fog<" not in page
    assert "0.500" in page


def test_trust_in_the_confidence():
    agreement = Agreement(0.8, 2.5, 40)
    found = Trust(agreement, 0.05, math.nan, 0.4, {"nothing": agreement}, 21.0)
    page = trust_page(found, {"weights": "fast"})
    check(page)
    assert "2.50 dB" in page
    assert "40 pictures" in page


def test_another_suffix_is_refused(folder, capsys):
    assert main(["evaluate", "haze", "--harm", ".", "--report", "look.pdf"]) == 2
    assert "look.pdf: a report is a page; name it look.html" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_written_beside_the_table(folder, capsys):
    import cv2

    Path("in").mkdir()
    cv2.imwrite("in/a.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert main(["evaluate", "haze", "--harm", "in", "--report", "look.html"]) == 0
    assert "dark channel" in capsys.readouterr().out
    assert "dark channel" in Path("look.html").read_text()
