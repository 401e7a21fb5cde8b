"""Reading flows: every format, what is missing, what is dropped."""

import gzip

import numpy as np
import pytest
from logs import ZEEK_NAMES, toy_csv, zeek_flow, zeek_json, zeek_text

from clairvoy.errors import ClairvoyError, FileError, InputError
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.records.schema import NSL_KDD, ZEEK, Field, Schema, read_schema, schema_from

FLOWS = [
    zeek_flow(),
    zeek_flow(ts=2.5, service="-", duration="-", label="Malicious"),
    zeek_flow(ts=3, history="(empty)"),
]


def same(one, other):
    assert one.schema == other.schema
    for name in one.columns:
        np.testing.assert_array_equal(one.columns[name], other.columns[name])
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.times, other.times)


def test_zeeks_own_format(tmp_path):
    path = tmp_path / "conn.log"
    path.write_text(zeek_text(FLOWS))
    table = read_flows([path])
    assert table.schema == ZEEK
    assert table.labels.tolist() == ["Benign", "Malicious", "Benign"]
    assert table.times.tolist() == [1.5, 2.5, 3.0]
    assert table.columns["service"].tolist() == ["dns", "", "dns"]
    assert table.columns["history"].tolist() == ["Dd", "Dd", ""]
    np.testing.assert_array_equal(table.columns["duration"], [0.25, np.nan, 0.25])
    assert table.columns["orig_ip_bytes"].tolist() == [82.0] * 3
    assert table.lines.tolist() == [5, 6, 7]
    assert table.dropped == {}


def test_json_and_gzip_say_the_same(tmp_path):
    plain, lines, zipped = tmp_path / "conn.log", tmp_path / "conn.json", tmp_path / "conn.log.gz"
    plain.write_text(zeek_text(FLOWS))
    lines.write_text(zeek_json(FLOWS))
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    same(read_flows([plain]), read_flows([lines]))
    same(read_flows([plain]), read_flows([zipped]))


def test_what_is_dropped_is_counted(tmp_path):
    good = zeek_text(FLOWS).splitlines()
    bad = [
        zeek_text([zeek_flow(**change)]).splitlines()[4]
        for change in ({"ts": "noon"}, {"orig_bytes": "many"}, {"resp_bytes": "inf"}, {"label": "-"})
    ]
    path = tmp_path / "conn.log"
    path.write_text("\n".join([*good[:-1], *bad, "half a line", good[-1]]))
    table = read_flows([path], labelled=True)
    assert len(table) == 3
    assert table.dropped == {
        "ts is no time": 1,
        "orig_bytes is no number": 1,
        "resp_bytes is infinite": 1,
        "no label": 1,
        "another number of fields than its header": 1,
    }


def test_two_files_one_behind_the_other(tmp_path):
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    paths[0].write_text(zeek_text(FLOWS[:2]))
    paths[1].write_text(zeek_text(FLOWS[2:]) + "short\n")
    table = read_flows(paths)
    assert table.times.tolist() == [1.5, 2.5, 3.0]
    assert table.dropped == {"another number of fields than its header": 1}


def test_nsl_kdd_by_its_look(tmp_path):
    zeros = ["0"] * 37
    lines = [
        ",".join(["0", "tcp", "http", "SF", *zeros, attack, "20"])
        for attack in ("normal", "httptunnel", "saint", "unheard")
    ]
    path = tmp_path / "KDD.txt"
    path.write_text("\n".join(lines))
    table = read_flows([path])
    assert table.schema == NSL_KDD
    assert table.times is None
    assert table.labels.tolist() == ["normal", "u2r", "probe"]
    assert table.dropped == {"unheard is no attack of NSL-KDD": 1}
    assert read_flows([path], label="attack").labels.tolist() == ["normal", "httptunnel", "saint"]
    assert sum(len(fields) for fields in [NSL_KDD.fields]) == 41


def test_a_csv_tells_its_schema(tmp_path):
    path = tmp_path / "flows.csv"
    lines = toy_csv(200).splitlines()
    path.write_text(
        "\n".join([lines[0] + ",id,nothing", *(f"{line},flow{n},0" for n, line in enumerate(lines[1:]))])
    )
    schema = read_flows([path]).schema
    assert (schema.label, schema.time) == ("label", "ts")
    assert [(field.name, field.kind) for field in schema.fields] == [
        ("proto", "category"), ("state", "category"), ("bytes", "number"), ("packets", "number"),
    ]  # fmt: skip


def test_times_as_iso_8601(tmp_path):
    path = tmp_path / "flows.csv"
    path.write_text("time,kind\n" + "".join(f"2026-01-02T03:04:0{n},{'ab'[n % 2]}\n" for n in range(6)))
    assert read_flows([path]).times.tolist() == [1767323040.0 + n for n in range(6)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a,b\n", "no flows"),
        ("a,a\n1,2\n", "one name"),
        ("a,b\n1,2\n", "no column tells anything"),
        ("#separator \\x09\n1\t2\n", "before any #fields"),
        ("#fields\t" + "\t".join(ZEEK_NAMES) + "\n", "no flow could be read"),
        ("kind,size\n" + "a,1\nb,2\n" * 9, "no flow has a label|no flow could be read"),
    ],
)
def test_what_is_no_log_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "wrong.log"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_flows([path], labelled=True)
    assert str(path) in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path):
    for name, data in (("picture", b"\x89PNG\xff\xfe\x00"), ("cut.gz", gzip.compress(b"a,b\n" * 9999)[:40])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FileError, match=name):
            read_flows([tmp_path / name])
    with pytest.raises(FileError, match="absent"):
        read_flows([tmp_path / "absent"])


def test_a_schema_survives_json(tmp_path):
    path = tmp_path / "schema.json"
    import json

    for schema in (ZEEK, NSL_KDD):
        path.write_text(json.dumps(schema.to_dict()))
        assert read_schema(path) == schema
    assert schema_from({"fields": [{"name": "a", "kind": "number"}]}).costs == {"a": 1.0}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"fields": []},
        {"fields": [{"name": "a", "kind": "colour"}]},
        {"fields": [{"name": "a", "kind": "number"}] * 2},
        {"fields": [{"name": "a", "kind": "number"}], "costs": {"b": 1}},
        {"fields": [{"name": "a", "kind": "number"}], "costs": {"a": 0}},
        {"fields": [{"name": "a", "kind": "number"}], "label": "a"},
    ],
)
def test_a_schema_that_contradicts_itself(told):
    with pytest.raises(ClairvoyError):
        schema_from(told)


def test_files_of_different_kinds(tmp_path):
    one, other = tmp_path / "a.log", tmp_path / "b.csv"
    one.write_text(zeek_text(FLOWS))
    other.write_text(toy_csv(50))
    with pytest.raises(InputError, match=r"b\.csv: no line has"):
        read_flows([one, other])


def test_a_field_that_no_line_has_is_named(tmp_path):
    path = tmp_path / "conn.json"
    path.write_text(zeek_json([zeek_flow(service="-")] * 3))
    table = read_flows([path])
    assert table.absent == ("service",)
    assert table.columns["service"].tolist() == [""] * 3


def test_fields_of_other_tables_are_passed_over():
    schema = Schema((Field("a", "number", "a"),), {"a": 1.0})
    assert schema.groups == ("a",)
