"""Which flows are learnt from and which are held out, and which classes are too rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import InputError
from clairvoy.scenarios.flows.records.schema import BENIGN
from clairvoy.scenarios.flows.records.table import FlowTable

HELD_OUT = 0.1
"""Part of the flows that is only measured on, the latest; as many before them are to choose and to calibrate by."""
LEAST = 5
"""A class with fewer flows to learn from is not learnt."""
FEW = 50
"""A class with fewer flows to learn from is learnt, and what is said of it rests on few."""


@dataclass(frozen=True)
class Parts:
    """What `part` made of a table.

    Attributes
    ----------
    learnt, tuning, held_out
        One behind the other in time. Flows to learn from, of learnt classes only; to choose and to calibrate by; to
        measure on.
    classes
        Names of what is learnt, those that are no attack first, then by the alphabet.
    benign
        How many of them are no attack.
    too_rare
        Flows to learn from, by class, where they are fewer than `LEAST`.
    few
        The same where they are fewer than `FEW`.
    by_time
        Whether the parts follow one another in time. Where no times are known, the end of each class in the file is held
        out.
    """

    learnt: FlowTable
    tuning: FlowTable
    held_out: FlowTable
    classes: tuple[str, ...]
    benign: int
    too_rare: dict[str, int]
    few: dict[str, int]
    by_time: bool


def part(table: FlowTable, benign: Sequence[str] = (), held_out: float = HELD_OUT) -> Parts:
    """Hold the latest part of the flows out, and as many before them to choose by.

    Parameters
    ----------
    table
        With labels.
    benign
        Labels that are no attack; none takes those of `schema.BENIGN` that there are. Case does not matter.
    held_out
        The part, in (0, 0.5).

    Raises
    ------
    InputError
        No labels, no benign class or no attack to learn from.
    """
    if table.labels is None:
        raise InputError("the flows have no labels to learn from; name their field with --label")
    if table.times is not None:
        before, between, after = _cut(np.argsort(table.times, kind="stable"), held_out)
    else:
        places = [np.flatnonzero(table.labels == label) for label in np.unique(table.labels)]
        before, between, after = (
            np.sort(np.concatenate(cut))
            for cut in zip(*(_cut(place, held_out) for place in places), strict=True)
        )
    counts = Counter(table.labels[before].tolist())
    named = {name.lower() for name in benign or BENIGN}
    unknown = named - {label.lower() for label in set(table.labels.tolist())}
    if benign and unknown:
        raise InputError(
            f"no flow is labelled {sorted(unknown)[0]!r}; the labels are {', '.join(sorted(set(table.labels.tolist())))}"
        )
    learnt = {label: count for label, count in counts.items() if count >= LEAST}
    classes = sorted(learnt, key=lambda label: (label.lower() not in named, label))
    harmless = sum(label.lower() in named for label in classes)
    if not 0 < harmless < len(classes):
        missing = "attack" if harmless else "harmless label (--benign names those)"
        shown = ", ".join(f"{label} ({count})" for label, count in sorted(counts.items()))
        raise InputError(
            f"there are {shown} to learn from: no {missing} among those with at least {LEAST} flows"
        )
    kept = before[np.isin(table.labels[before], classes)]
    return Parts(
        table.rows(kept),
        table.rows(between),
        table.rows(after),
        tuple(classes),
        harmless,
        {label: count for label, count in sorted(counts.items()) if count < LEAST},
        {label: count for label, count in sorted(learnt.items()) if count < FEW},
        table.times is not None,
    )


def class_numbers(table: FlowTable, classes: Sequence[str]) -> NDArray[np.int64]:
    """The class of each flow as its place in `classes`, (R,); -1 where it is none of them, or nobody said."""
    if table.labels is None:
        return np.full(len(table), -1)
    place = {label: number for number, label in enumerate(classes)}
    return np.array([place.get(label, -1) for label in table.labels.tolist()])


def _cut(order: NDArray[np.int64], held_out: float) -> tuple[NDArray[np.int64], ...]:
    """Three parts, the last two of them `held_out` of all each, and at least one flow."""
    out = max(1, round(held_out * len(order)))
    return order[: max(0, len(order) - 2 * out)], order[max(0, len(order) - 2 * out) : -out], order[-out:]
