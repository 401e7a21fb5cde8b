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
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["scenes"], told["clear_photos"]) == (4, 2, 2)
    assert set(told["methods"]) == {"untouched", "dark channel prior", "clairvoy", "clairvoy, all restored"}
    for name, scores in told["methods"].items():
        assert (scores["trust"] is not None) == name.startswith("clairvoy")
        assert scores["psnr_db"]["low"] <= scores["psnr_db"]["mean"] <= scores["psnr_db"]["high"]
    assert told["methods"]["untouched"]["harm"]["unchanged"] == 2


def test_table_and_limit(folders, capsys):
    assert main(["evaluate", "haze", *folders, "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "1 pairs of 1 scenes, 1 clear photographs" in out
    assert "Spearman" in out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--hazy", "nowhere"], "--clear"),
        ([], "nothing to evaluate"),
        (["--harm", "nowhere"], "nowhere"),
        (["--hazy", "nowhere", "--clear", "nowhere"], "nowhere"),
    ],
)
def test_refusals(change, told, capsys):
    assert main(["evaluate", "haze", *change]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_recognition(folders, capsys):
    assert main(["evaluate", "recognition", *folders, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["hazy"]), len(told["clear"])) == (4, 2)
    assert all(0 <= p <= 1 for p in [*told["hazy"].values(), *told["clear"].values()])
    low, high = told["auroc"]["interval"]
    assert low <= told["auroc"]["value"] <= high
    assert main(["evaluate", "recognition", *folders, "--list"]) == 0
    assert "balanced accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_tau(folders, capsys):
    photographs = ["--photographs", folders[3], "--scenes", "20"]
    assert main(["evaluate", "tau", *photographs, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["told"]["n"] == 20
    assert "discriminator" in told["ablations"]
    assert main(["evaluate", "tau", *photographs[:2], "--scenes", "5"]) == 2
    assert "at least 20" in capsys.readouterr().err
