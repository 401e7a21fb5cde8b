"""Hazy pictures find their truth by name."""

import numpy as np
import pytest

from clairvoy.errors import FileError
from clairvoy.evaluation import match_pairs
from clairvoy.imaging.files import Picture, write


@pytest.fixture
def folders(tmp_path):
    def make(hazy, clear):
        pixels = np.zeros((4, 4, 3), np.uint8)
        for folder, names in (("hazy", hazy), ("clear", clear)):
            (tmp_path / folder).mkdir()
            for name in names:
                write(tmp_path / folder / name, pixels, Picture(pixels))
        return tmp_path / "hazy", tmp_path / "clear"

    return make


def names(pairs):
    return [(pair.hazy.name, pair.clear.name) for pair in pairs]


def test_the_ways_to_name_a_pair(folders):
    hazy = ["1400_3.png", "1400.png", "b_U080.png", "c_1_2.jpg", "d.png"]
    pairs = match_pairs(
        *folders(hazy, ["1400.png", "b_GT.png", "c.png", "c_1.png", "D_clear.webp", "unused.png"])
    )
    assert names(pairs) == [
        ("1400.png", "1400.png"), ("1400_3.png", "1400.png"), ("b_U080.png", "b_GT.png"),
        ("c_1_2.jpg", "c_1.png"), ("d.png", "D_clear.webp"),
    ]  # fmt: skip


def test_a_picture_without_truth_is_named(folders):
    with pytest.raises(FileError, match=r"1 of 2 pictures.*alone\.png"):
        match_pairs(*folders(["a.png", "alone.png"], ["a.png"]))


def test_two_truths_for_one_name(folders):
    with pytest.raises(FileError, match="claim one name"):
        match_pairs(*folders(["a.png"], ["a.png", "a_gt.png"]))


def test_a_prefix_that_is_no_word_does_not_count(folders):
    with pytest.raises(FileError, match="no partner"):
        match_pairs(*folders(["14001.png"], ["1400.png"]))
