"""Flows from a file of any of the formats, and what its schema is."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

from clairvoy.errors import FileError, InputError
from clairvoy.scenarios.flows.records.formats import (
    Line,
    comma_separated,
    format_of,
    nsl_kdd,
    zeek_json,
    zeek_tsv,
)
from clairvoy.scenarios.flows.records.schema import NSL_KDD, ZEEK, Field, Schema
from clairvoy.scenarios.flows.records.table import FlowTable, Record, joined, table_of

READERS: dict[str, Callable[[Iterable[Line], Counter[str]], Iterator[Record]]] = {
    "zeek": zeek_tsv,
    "zeek-json": zeek_json,
    "csv": comma_separated,
    "nsl-kdd": nsl_kdd,
}
KNOWN_SCHEMAS = {"zeek": ZEEK, "zeek-json": ZEEK, "nsl-kdd": NSL_KDD}
LABEL_NAMES = ("label", "class", "attack")
TIME_NAMES = ("ts", "time", "timestamp", "start")
LOOKED_AT = 10_000
"""Records of a CSV from which its schema is told."""
FEW_VALUES = 10
"""A column of numbers with no more different values than these is a category."""


def read_flows(
    paths: Sequence[Path], schema: Schema | None = None, *, label: str | None = None, labelled: bool = False
) -> FlowTable:
    """Read files of one kind, one behind the other; gzipped ones too.

    Parameters
    ----------
    paths
        At least one.
    schema
        What to take of each record; None takes that of the format, and tells it from a CSV.
    label
        Field that says what a flow was, in place of the schema's.
    labelled
        Whether flows without a label are left out; there must be some with one then.

    Raises
    ------
    FileError
        A file cannot be read.
    InputError
        Nothing in it can be used.
    """
    tables: list[FlowTable] = []
    for path in paths:
        try:
            with _opened(path) as file:
                table = _read(file, schema, label, labelled, str(path))
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise FileError(f"{path}: cannot be read ({error}); give a log as text or gzipped") from error
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        schema = table.schema
        tables.append(table)
    return joined(tables)


def _read(
    file: Iterable[str], schema: Schema | None, label: str | None, labelled: bool, name: str
) -> FlowTable:
    lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, 1))
    first = next((line for line in lines if line[1].strip()), None)
    if first is None:
        raise InputError("it is empty")
    form = format_of(first[1].lstrip("\ufeff"))
    dropped: Counter[str] = Counter()
    records = READERS[form](chain([(first[0], first[1].lstrip("\ufeff"))], lines), dropped)
    if schema is None:
        schema = KNOWN_SCHEMAS.get(form)
    if schema is None:
        looked_at = [record for _, record in zip(range(LOOKED_AT), records, strict=False)]
        schema = told_schema(looked_at, label)
        records = chain(looked_at, records)
    if label is not None and label != schema.label:
        schema = Schema(schema.fields, schema.costs, label, schema.time)
    table = table_of(schema, records, dropped, labelled=labelled, file=name)
    if labelled and table.labels is None:
        raise InputError("no flow has a label; name the field that holds it with --label")
    return table


def told_schema(records: Sequence[Record], label: str | None = None) -> Schema:
    """What the columns of a CSV are, told by their values; each field is a group that costs 1.

    A column is a number where all that is there is one, with more than a few different values. A category of which more
    than half of the values differ names single flows, and is left out, as is a column that never changes.

    Raises
    ------
    InputError
        No column tells anything.
    """
    if not records:
        raise InputError("it has a header and no flows")
    names = list(records[0][1])
    by_lower = {name.lower(): name for name in names}
    label = label or next((by_lower[name] for name in LABEL_NAMES if name in by_lower), None)
    time = next((by_lower[name] for name in TIME_NAMES if name in by_lower), None)
    fields = []
    for name in names:
        values = [value for _, record in records if (value := record[name])]
        different = len({*values})
        if name in (label, time) or different < 2:
            continue
        if different > FEW_VALUES and all(_is_number(value) for value in values):
            fields.append(Field(name, "number", name))
        elif 2 * different <= len(values):
            fields.append(Field(name, "category", name))
    if not fields:
        raise InputError(
            "no column tells anything: all are constant, or name single flows; say with --schema what they are"
        )
    return Schema(tuple(fields), {field.group: 1.0 for field in fields}, label, time)


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
