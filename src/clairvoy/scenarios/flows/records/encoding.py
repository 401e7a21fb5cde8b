"""Flows as rows of numbers: counts on a log scale, categories by their place, what is missing told as missing.

Everything is learnt from the flows of the training part; a category that it does not show is "other".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairvoy.scenarios.flows.records.schema import Schema, schema_from
from clairvoy.scenarios.flows.records.table import FlowTable

MISSING, OTHER = 0, 1
"""The first two categories of every field of categories."""
LEAST = 5
"""A category that fewer flows show is "other"."""
MOST = 64
"""Categories of a field that are told apart, the most frequent ones."""


@dataclass(frozen=True)
class Encoding:
    """How flows become rows.

    Each field gives one column; a field of numbers of which some are missing gives a second one, a bit that says so.
    """

    schema: Schema
    known: Mapping[str, tuple[str, ...]]
    """By field of categories: those told apart, from place 2 on."""
    gaps: tuple[str, ...]
    """Fields of numbers that may be missing."""
    middle: Mapping[str, float]
    """By field of numbers: the median, on the log scale, that stands where it is missing."""

    @property
    def columns(self) -> tuple[tuple[str, int], ...]:
        """For each column its field, and its kind as `data_kinds.table` takes it: 0 number, 1 bit, k categories."""
        told: list[tuple[str, int]] = []
        for field in self.schema.fields:
            if field.kind == "category":
                told.append((field.name, 2 + len(self.known[field.name])))
            else:
                told.append((field.name, 0))
                told += [(field.name, 1)] if field.name in self.gaps else []
        return tuple(told)

    def rows(self, table: FlowTable) -> Tensor:
        """Flows as (R, columns) float32."""
        columns: list[NDArray[Any]] = []
        for field in self.schema.fields:
            values = table.columns[field.name]
            if field.kind == "category":
                place = {name: number for number, name in enumerate(self.known[field.name], OTHER + 1)}
                columns.append(
                    np.array([place.get(value, OTHER) if value else MISSING for value in values.tolist()])
                )
                continue
            gone = np.isnan(values)
            columns.append(np.where(gone, self.middle[field.name], log_scale(values)))
            if field.name in self.gaps:
                columns.append(gone)
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `encoding_from` reads it."""
        return {
            "schema": self.schema.to_dict(),
            "known": {name: list(values) for name, values in self.known.items()},
            "gaps": list(self.gaps),
            "middle": dict(self.middle),
        }


def encoding_from(told: Mapping[str, Any]) -> Encoding:
    """An encoding from what `Encoding.to_dict` gave."""
    known = {name: tuple(values) for name, values in told["known"].items()}
    return Encoding(schema_from(told["schema"]), known, tuple(told["gaps"]), dict(told["middle"]))


def encoding_of(table: FlowTable) -> Encoding:
    """The encoding that suits these flows, which should be those of the training part alone."""
    known, gaps, middle = {}, [], {}
    for field in table.schema.fields:
        values = table.columns[field.name]
        if field.kind == "category":
            counts = Counter(value for value in values.tolist() if value)
            frequent = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST]
            known[field.name] = tuple(value for value, count in frequent if count >= LEAST)
        else:
            there = values[~np.isnan(values)]
            middle[field.name] = float(np.median(log_scale(there))) if len(there) else 0.0
            if len(there) < len(values):
                gaps.append(field.name)
    return Encoding(table.schema, known, tuple(gaps), middle)


def log_scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sign(v) log(1 + |v|)``: a flow of a megabyte is not a thousand times the flow of a kilobyte."""
    scaled: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return scaled
