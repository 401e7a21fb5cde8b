"""Cuts of a training file: what is left out is not learnt, what is hardly known is a little, nothing is on both sides."""

import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clairvoy.scenarios.flows.records.formats import KDD_FIELDS
from clairvoy.scenarios.flows.records.reading import read_flows

CUTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "flow_splits.py")))
CLASSES = CUTS.CLASSES
ATTACKS = [*CUTS.DOS, *CUTS.PROBE, "warezclient", "guess_passwd", "rootkit"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """60 flows of each attack, 600 harmless ones of 30 services."""
    rng, lines = np.random.default_rng(0), []
    for attack in [*ATTACKS * 60, *["normal"] * 600]:
        values = dict.fromkeys(KDD_FIELDS, "0") | {"protocol_type": "tcp", "flag": "SF"}
        values |= {"service": f"s{rng.integers(30)}", "src_bytes": str(rng.integers(1000))}
        lines.append(",".join([*values.values(), attack, "21"]))
    path = tmp_path_factory.mktemp("kdd") / "train.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def cut(file, seed):
    attack_of = read_flows([file], label="attack", labelled=True).labels
    (split,) = CUTS.splits(read_flows([file], labelled=True), attack_of, [seed])
    return split, attack_of


@pytest.mark.parametrize("seed", range(3))
def test_a_cut(file, seed):
    split, attack_of = cut(file, seed)
    learnt, judged = split.learnt.lines - 1, split.judged.lines - 1
    assert not set(learnt.tolist()) & set(judged.tolist())
    counts = Counter(attack_of[learnt].tolist())
    assert [counts[attack] for attack in split.told["left out"]] == [0, 0]
    moved = [*split.told["r2l"], *split.told["u2r"]]
    assert [counts[attack] for attack in moved] == list(CUTS.FEW)
    assert counts["guess_passwd"] == 40  # two of three flows of what is known
    shares = np.bincount(split.truth, minlength=len(CLASSES)) / CUTS.JUDGED
    assert shares.tolist() == pytest.approx(list(CUTS.SHARES), abs=1e-3)
    assert [CLASSES[place] for place in split.truth.tolist()] == split.judged.labels.tolist()
    for attack in split.told["u2r"]:
        assert set(split.judged.labels[attack_of[judged] == attack].tolist()) <= {"u2r"}
        assert set(split.kind[attack_of[judged] == attack].tolist()) <= {"hardly"}


def test_harmless_flows_of_some_services_are_not_learnt(file):
    split, attack_of = cut(file, 0)
    harmless = attack_of[split.learnt.lines - 1] == "normal"
    known = set(split.learnt.columns["service"][harmless].tolist())
    asked = split.judged.columns["service"][split.truth == 0]
    new = np.array([service not in known for service in asked.tolist()])
    assert new.mean() == pytest.approx(1 / 20, abs=0.001)


def test_the_same_seed_cuts_the_same(file):
    one, other = cut(file, 1)[0], cut(file, 1)[0]
    assert np.array_equal(one.learnt.lines, other.learnt.lines)
    assert np.array_equal(one.judged.lines, other.judged.lines)
