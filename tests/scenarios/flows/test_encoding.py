"""Parts and rows: what is held out, what is too rare, and how a flow becomes numbers."""

import itertools
import json

import numpy as np
import pytest
import torch
from logs import toy_csv, zeek_flow, zeek_text

from clairvoy.errors import InputError
from clairvoy.generative.rows.data_kinds import table
from clairvoy.scenarios.flows.records.encoding import encoding_from, encoding_of
from clairvoy.scenarios.flows.records.parting import class_numbers, part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.rows import group_masks, of_class


def zeek_table(tmp_path, flows):
    path = tmp_path / "conn.log"
    path.write_text(zeek_text(flows))
    return read_flows([path])


def test_the_latest_tenth_is_held_out(tmp_path):
    moments = np.random.default_rng(0).permutation(100)
    labels = ["Benign" if moment % 2 else "Malicious" for moment in moments]
    parts = part(
        zeek_table(
            tmp_path, [zeek_flow(ts=int(m), label=label) for m, label in zip(moments, labels, strict=True)]
        )
    )
    assert sorted(parts.held_out.times.tolist()) == list(range(90, 100))
    assert sorted(parts.tuning.times.tolist()) == list(range(80, 90))
    assert sorted(parts.learnt.times.tolist()) == list(range(80))
    assert parts.by_time
    assert (parts.classes, parts.benign) == (("Benign", "Malicious"), 1)


def test_what_is_too_rare_is_named(tmp_path):
    labels = ["Benign"] * 60 + ["Scan"] * 30 + ["Worm"] * 2 + ["Background"] * 120
    parts = part(zeek_table(tmp_path, [zeek_flow(ts=n, label=label) for n, label in enumerate(labels)]))
    assert parts.too_rare == {"Worm": 2}
    assert parts.few == {"Scan": 30}
    assert (parts.classes, parts.benign) == (("Background", "Benign", "Scan"), 2)
    assert "Worm" not in parts.learnt.labels
    named = part(
        zeek_table(tmp_path, [zeek_flow(ts=n, label=label) for n, label in enumerate(labels)]), ["scan"]
    )
    assert (named.classes, named.benign) == (("Scan", "Background", "Benign"), 1)


@pytest.mark.parametrize(
    ("labels", "benign", "said"),
    [
        (["Benign"] * 20, (), "no attack"),
        (["Scan"] * 20, (), "harmless"),
        (["Benign", "Scan"] * 20, ["Bengin"], "bengin"),
    ],
)
def test_nothing_to_tell_apart(tmp_path, labels, benign, said):
    with pytest.raises(InputError, match=said):
        part(zeek_table(tmp_path, [zeek_flow(ts=n, label=label) for n, label in enumerate(labels)]), benign)


def test_rows_of_numbers(tmp_path):
    flows = [
        zeek_flow(ts=n, service="dns" if n < 8 else "ssh", orig_bytes="-" if n == 3 else 10 * n)
        for n in range(12)
    ]
    encoding = encoding_of(zeek_table(tmp_path, flows[:9]))
    rows = encoding.rows(zeek_table(tmp_path, [*flows, zeek_flow(service="-")]))
    at = [(name, kind) for name, kind in encoding.columns]
    service = rows[
        :, at.index(("service", 3))
    ]  # missing, other, dns; ssh was shown once and is no name of its own
    assert service.tolist() == [2.0] * 8 + [1.0] * 4 + [0.0]
    size, gone = at.index(("orig_bytes", 0)), at.index(("orig_bytes", 1))
    assert rows[:, gone].tolist() == [float(n == 3) for n in range(13)]
    assert rows[2, size].item() == pytest.approx(np.log(21))
    assert rows[3, size].item() == pytest.approx(np.median(np.log1p([0, 10, 20, 40, 50, 60, 70, 80])))


def test_groups_are_known_as_a_whole_and_the_class_often(tmp_path):
    encoding = encoding_of(
        zeek_table(tmp_path, [zeek_flow(ts=n, orig_bytes="-" if n == 3 else n) for n in range(9)])
    )
    known = group_masks(encoding, 0.8)(4000, torch.Generator().manual_seed(0))
    group = {field.name: field.group for field in encoding.schema.fields}
    names = [name for name, _ in encoding.columns]
    assert known.shape == (4000, len(names) + 1)
    for one, other in itertools.combinations(range(len(names)), 2):
        same = torch.equal(known[:, one], known[:, other])
        assert same == (group[names[one]] == group[names[other]]), (names[one], names[other])
    assert known[:, :-1].float().mean() == pytest.approx(0.5, abs=0.03)
    assert known[:, -1].float().mean() == pytest.approx(0.8, abs=0.02)
    asked = of_class(table(torch.zeros(2, 3), [0, 0, 4]), 2, 5)
    assert asked.rows[:, -1].tolist() == [2.0] * 5
    assert asked.seen.tolist() == [[False, False, True]] * 5


def test_an_encoding_survives_json(tmp_path):
    path = tmp_path / "flows.csv"
    path.write_text(toy_csv(200))
    table = read_flows([path])
    encoding = encoding_of(table)
    again = encoding_from(json.loads(json.dumps(encoding.to_dict())))
    assert again.columns == encoding.columns
    assert bool((again.rows(table) == encoding.rows(table)).all())


def test_classes_by_their_place(tmp_path):
    table = zeek_table(tmp_path, [zeek_flow(label=label) for label in ("Scan", "Benign", "Odd")])
    assert class_numbers(table, ("Benign", "Scan")).tolist() == [1, 0, -1]
