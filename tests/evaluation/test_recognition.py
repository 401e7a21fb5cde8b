"""Recognition: closed forms of the ranking, and what a dehazer is asked."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.errors import SettingsError
from clairvoy.evaluation import Recognition, area_under_roc, recognise

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(scores, scores)
def test_area_is_the_probability_of_the_right_order(positive, negative):
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert area_under_roc(positive, negative) == pytest.approx(np.mean(wins))


def test_balanced_accuracy_does_not_heed_how_many_there_are():
    found = Recognition(
        np.array([0.9, 0.7]),
        np.array([0.1, 0.2, 0.3, 0.8]),
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


def test_photographs_are_judged_without_being_restored():
    asked = []

    def dehazer(path, strength):
        asked.append((path, strength))
        return SimpleNamespace(report=SimpleNamespace(haze_probability=0.8 if "hazy" in path.name else 0.3))

    found = recognise(dehazer, [Path("hazy.jpg")], [Path("x.jpg"), Path("y.jpg")])
    assert asked == [(Path("hazy.jpg"), 0), (Path("x.jpg"), 0), (Path("y.jpg"), 0)]
    assert found.auroc() == 1.0
    assert found.to_dict()["clear"] == {"x.jpg": 0.3, "y.jpg": 0.3}


def test_one_kind_alone_is_an_error():
    with pytest.raises(SettingsError, match="0 hazy and 1 clear"):
        recognise(None, [], [Path("x.jpg")])
