"""Flows in memory, column by column, with an account of what was dropped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import InputError
from clairvoy.scenarios.flows.records.schema import Schema


@dataclass(frozen=True)
class FlowTable:
    """R flows.

    Attributes
    ----------
    schema
        What the columns are.
    columns
        By name, (R,) each: numbers as float64, NaN where missing; categories as strings, empty where missing.
    labels
        What each flow was, (R,) strings, empty where nobody said; None where the file has no labels.
    times
        When each began, (R,) float64, seconds since 1970; None where the file does not say.
    lines
        Where each stood in its file, (R,) int64, counted from 1.
    files
        The file of each, (R,) strings; empty where the flows are of no file.
    dropped
        How many lines were left out, by the reason.
    absent
        Fields of the schema that no line has.
    """

    schema: Schema
    columns: Mapping[str, NDArray[Any]]
    labels: NDArray[np.str_] | None
    times: NDArray[np.float64] | None
    lines: NDArray[np.int64]
    files: NDArray[np.str_]
    dropped: Mapping[str, int]
    absent: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> FlowTable:
        """Some of the flows, in the order asked for."""
        return replace(
            self,
            columns={name: column[chosen] for name, column in self.columns.items()},
            labels=None if self.labels is None else self.labels[chosen],
            times=None if self.times is None else self.times[chosen],
            lines=self.lines[chosen],
            files=self.files[chosen],
        )


Record = tuple[int, Mapping[str, str]]
"""A line's number, and its fields as text, empty or absent where missing."""


def table_of(
    schema: Schema, records: Iterable[Record], dropped: Counter[str], *, labelled: bool, file: str = ""
) -> FlowTable:
    """Flows from records as text; what cannot be read is counted.

    Parameters
    ----------
    schema
        What is taken of each record; other fields are passed over.
    records
        As a reader gives them.
    dropped
        What the reader has left out already; counted on here.
    labelled
        Whether a record without a label is left out.
    file
        What the records are from.

    Raises
    ------
    InputError
        Nothing is left, or no more than half of the fields are there at all.
    """
    numbers = {field.name for field in schema.fields if field.kind == "number"}
    columns: dict[str, list[float | str]] = {field.name: [] for field in schema.fields}
    labels: list[str] = []
    times: list[float] = []
    lines: list[int] = []
    absent = {*columns}
    for line, record in records:
        if absent:
            absent -= record.keys()
        label = record.get(schema.label, "") if schema.label else ""
        if labelled and not label:
            dropped["no label"] += 1
            continue
        read, problem = _read(record, columns, numbers)
        moment = math.nan if schema.time is None else _moment(record.get(schema.time, ""))
        if problem is None and schema.time is not None and math.isnan(moment):
            problem = f"{schema.time} is no time"
        if problem is not None:
            dropped[problem] += 1
            continue
        for name, value in zip(columns, read, strict=True):
            columns[name].append(value)
        labels.append(label)
        times.append(moment)
        lines.append(line)
    if not lines:
        why = "; ".join(f"{count} lines: {reason}" for reason, count in dropped.items()) or "it is empty"
        raise InputError(f"no flow could be read ({why}); check the format and the schema")
    if 2 * len(absent) >= len(columns):
        raise InputError(
            f"no line has {', '.join(sorted(absent))}, of the {len(columns)} fields of the schema; give a log of that kind"
        )
    kept: dict[str, NDArray[Any]] = {
        name: np.array(column, dtype=np.float64 if name in numbers else np.str_)
        for name, column in columns.items()
    }
    return FlowTable(
        schema,
        kept,
        np.array(labels, dtype=np.str_) if any(labels) else None,
        np.array(times) if schema.time is not None else None,
        np.array(lines, dtype=np.int64),
        np.full(len(lines), file),
        dict(dropped),
        tuple(name for name in columns if name in absent),
    )


def joined(tables: Sequence[FlowTable]) -> FlowTable:
    """Flows of several files, one behind the other; a column of labels or times is there if all files have it."""
    first = tables[0]
    if len(tables) == 1:
        return first
    dropped: Counter[str] = Counter()
    for table in tables:
        dropped.update(table.dropped)
    told = [table.labels for table in tables if table.labels is not None]
    began = [table.times for table in tables if table.times is not None]
    return FlowTable(
        first.schema,
        {name: np.concatenate([table.columns[name] for table in tables]) for name in first.columns},
        np.concatenate(told) if len(told) == len(tables) else None,
        np.concatenate(began) if len(began) == len(tables) else None,
        np.concatenate([table.lines for table in tables]),
        np.concatenate([table.files for table in tables]),
        dict(dropped),
        tuple(name for name in first.columns if any(name in table.absent for table in tables)),
    )


def _read(
    record: Mapping[str, str], names: Iterable[str], numbers: set[str]
) -> tuple[list[float | str], str | None]:
    """The values of a record, and what is wrong with it."""
    read: list[float | str] = []
    for name in names:
        text = record.get(name, "")
        if name not in numbers:
            read.append(text)
            continue
        try:
            value = float(text) if text else math.nan
        except ValueError:
            return read, f"{name} is no number"
        if math.isinf(value):
            return read, f"{name} is infinite"
        read.append(value)
    return read, None


def _moment(text: str) -> float:
    """Seconds since 1970; NaN where it is no time. A time without a zone is taken as UTC."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            told = datetime.fromisoformat(text)
        except ValueError:
            return math.nan
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return seconds if math.isfinite(seconds) else math.nan
