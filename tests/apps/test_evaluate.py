"""`clairvoy evaluate haze` as a user calls it, with the released weights."""

import json

import numpy as np
import pytest

from clairvoy.apps.cli import main
from clairvoy.imaging.files import Picture, write


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for scene in range(2):
        clear = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        for folder in ("hazy", "clear"):
            (tmp_path / folder).mkdir(exist_ok=True)
        write(tmp_path / "clear" / f"{scene}.png", clear, Picture(clear))
        for density in (1, 2):
            hazy = (clear * (1 - 0.25 * density) + 230 * 0.25 * density).astype(np.uint8)
            write(tmp_path / "hazy" / f"{scene}_{density}.png", hazy, Picture(hazy))
    return ["--hazy", str(tmp_path / "hazy"), "--clear", str(tmp_path / "clear")]


def test_json(folders, capsys):
    assert main(["evaluate", "haze", *folders, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["pairs"], report["scenes"], report["clear_photos"]) == (4, 2, 2)
    assert set(report["methods"]) == {"untouched", "dark channel prior", "clairvoy", "clairvoy, all restored"}
    for name, scores in report["methods"].items():
        assert (scores["trust"] is not None) == name.startswith("clairvoy")
        assert scores["psnr_db"]["low"] <= scores["psnr_db"]["mean"] <= scores["psnr_db"]["high"]
    assert report["methods"]["untouched"]["harm"]["unchanged"] == 2


def test_table_and_limit(folders, capsys):
    assert main(["evaluate", "haze", *folders, "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "1 pairs of 1 scenes, 1 clear photographs" in out
    assert "Spearman" in out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--hazy", "nowhere"], "--clear"),
        ([], "nothing to evaluate"),
        (["--harm", "nowhere"], "nowhere"),
        (["--hazy", "nowhere", "--clear", "nowhere"], "nowhere"),
    ],
)
def test_refusals(change, message, capsys):
    assert main(["evaluate", "haze", *change]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_recognition(folders, capsys):
    assert main(["evaluate", "recognition", *folders, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (len(report["hazy"]), len(report["clear"])) == (4, 2)
    assert all(0 <= p <= 1 for p in [*report["hazy"].values(), *report["clear"].values()])
    low, high = report["auroc"]["interval"]
    assert low <= report["auroc"]["value"] <= high
    assert main(["evaluate", "recognition", *folders, "--list"]) == 0
    assert "balanced accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_tau(folders, capsys):
    photographs = ["--photographs", folders[3], "--pictures", "20"]
    assert main(["evaluate", "tau", *photographs, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["predicted"]["n"] == 20
    assert "discriminator" in report["ablations"]
    assert main(["evaluate", "tau", *photographs[:2], "--pictures", "5"]) == 2
    assert "at least 20" in capsys.readouterr().err
