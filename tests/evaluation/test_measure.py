"""The run over pictures: what is measured is what the methods did."""

import math

import numpy as np
import pytest

from clairvoy.errors import InputError, SettingsError
from clairvoy.evaluation import Pair, Restored, evaluate, standard_restorers
from clairvoy.imaging.files import Picture, write


@pytest.fixture
def pair(tmp_path):
    pixels = np.full((96, 96, 3), 100, np.uint8)
    pixels[::2] = 140
    for name, shown in (("hazy", pixels), ("clear", pixels - 20)):
        write(tmp_path / f"{name}.png", shown, Picture(shown))
    return Pair(tmp_path / "hazy.png", tmp_path / "clear.png")


def test_each_method_gets_its_own_scores(pair):
    def spoil(rgb):
        rgb[:] = 0
        return rgb

    methods = {
        "spoils": spoil,
        "untouched": lambda rgb: rgb,
        "perfect": lambda rgb: Restored(rgb - np.float32(20 / 255), tau=0.9, tau_db=60.0),
    }
    found = evaluate(methods, [pair], []).methods
    assert found["untouched"].psnr_db[0] == pytest.approx(20 * math.log10(255 / 20), abs=1e-3)
    assert found["perfect"].psnr_db[0] > 100
    assert found["perfect"].tau == [0.9]
    assert found["untouched"].tau == []
    assert found["perfect"].lpips[0] == pytest.approx(0.0, abs=1e-4)


def test_harm_is_against_the_picture_itself(pair):
    found = evaluate(
        {"untouched": lambda rgb: rgb, "darker": lambda rgb: rgb * 0.9}, [], [pair.clear]
    ).methods
    assert found["untouched"].harm_db == [math.inf]
    clear = np.array([80.0, 120.0]) / 255
    assert found["darker"].harm_db[0] == pytest.approx(
        -10 * math.log10(np.mean((0.1 * clear) ** 2)), abs=1e-3
    )


def test_clear_side_of_the_pairs_is_the_default_for_harm(pair):
    evaluation = evaluate({"untouched": lambda rgb: rgb}, [pair, pair])
    assert (evaluation.pairs, evaluation.scenes, evaluation.clear_photos) == (2, 1, 1)


def test_a_method_of_another_size_or_nan_is_named(pair):
    with pytest.raises(InputError, match="'half'"):
        evaluate({"half": lambda rgb: rgb[::2]}, [pair])
    with pytest.raises(InputError, match="'broken'"):
        evaluate({"broken": lambda rgb: rgb * np.nan}, [pair])


def test_a_pair_of_two_sizes_is_named(pair, tmp_path):
    other = np.zeros((50, 40, 3), np.uint8)
    write(tmp_path / "small.png", other, Picture(other))
    with pytest.raises(InputError, match=r"small\.png"):
        evaluate(standard_restorers(), [Pair(pair.hazy, tmp_path / "small.png")])


def test_nothing_to_do():
    with pytest.raises(SettingsError, match="nothing to evaluate"):
        evaluate(standard_restorers(), [], [])


def test_progress_names_each_picture(pair):
    seen = []
    evaluate({"untouched": lambda rgb: rgb}, [pair], [pair.clear], progress=lambda *told: seen.append(told))
    assert seen == [(0, 2, "hazy.png"), (1, 2, "clear.png")]
