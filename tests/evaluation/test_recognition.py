"""Recognition: closed forms of the ranking, and what a dehazer is asked."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.errors import FileError, SettingsError
from clairvoy.evaluation import Recognition, area_under_roc, read_labels, recognise
from clairvoy.imaging.files import Picture, write

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(scores, scores)
def test_area_is_the_probability_of_the_right_order(positive, negative):
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert area_under_roc(positive, negative) == pytest.approx(np.mean(wins))


def test_balanced_accuracy_does_not_heed_how_many_there_are():
    found = Recognition(
        np.array([0.9, 0.7]),
        np.array([0.1, 0.2, 0.3, 0.8]),
        np.array([20.0, 100.0]),
        np.array([100.0, 40.0, 35.0, 30.0]),
        [Path("a"), Path("b")],
        [Path(c) for c in "cdef"],
    )
    assert found.sensitivity() == 0.5
    assert found.specificity() == 0.75
    assert found.balanced_accuracy() == pytest.approx(0.625)
    assert found.auroc() == pytest.approx(7 / 8)
    assert {path.name for _, path, _ in found.misjudged()} == {"b", "f"}
    low, high = found.interval("auroc")
    assert 0 <= low <= found.auroc() <= high <= 1
    assert "0.625" in found.table()


@pytest.fixture
def folder(tmp_path):
    for name, shade in (("fog", 200), ("mist", 190), ("sun", 60)):
        write(
            tmp_path / f"{name}.png",
            np.full((4, 4, 3), shade, np.uint8),
            Picture(np.zeros((4, 4, 3), np.uint8)),
        )
    (tmp_path / "labels.csv").write_text("file,label\nfog.png,hazy\nmist.png,unsure\nsun.png, clear\n")
    return tmp_path


def test_what_is_done_with_photographs_is_what_counts(folder):
    def dehazer(pixels):
        hazy = pixels.mean() > 100
        image = (pixels * 0.9).astype(np.uint8) if hazy else pixels
        return SimpleNamespace(image=image, report=SimpleNamespace(haze_probability=0.8 if hazy else 0.3))

    hazy, clear = read_labels(folder / "labels.csv")
    assert ([path.name for path in hazy], [path.name for path in clear]) == (["fog.png"], ["sun.png"])
    found = recognise(dehazer, hazy, clear)
    assert found.auroc() == found.sensitivity() == found.specificity() == 1.0
    assert found.hazy_db[0] == pytest.approx(-20 * np.log10(20 / 255))
    assert found.clear_db[0] == 100
    assert found.to_dict()["clear"] == {str(folder / "sun.png"): 0.3}


@pytest.mark.parametrize("text", ["", "name,kind\na,b\n", "file,label\nfog.png,hazy\n"])
def test_what_is_no_table_of_labels_is_refused_by_name(tmp_path, text):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(FileError, match=r"labels\.csv: .*(give|label) "):
        read_labels(table)
    with pytest.raises(FileError, match="missing"):
        read_labels(tmp_path / "missing.csv")


def test_one_kind_alone_is_an_error():
    with pytest.raises(SettingsError, match="0 hazy and 1 clear"):
        recognise(None, [], [Path("x.jpg")])
