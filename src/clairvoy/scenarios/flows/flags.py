"""Which flows a person is shown: the surest alarms, as many as can be looked at, and what is unlike anything seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clairvoy.scenarios.flows.model import FlowModel, Verdicts
from clairvoy.scenarios.flows.records.table import FlowTable
from clairvoy.scenarios.flows.triage import PERSON

STRANGE_CLASS = "unlike anything seen"
LIKELY = 0.5
"""A flow is an alarm where an attack is at least so likely."""
FOR_STRANGE = 0.1
"""Part of the flows shown that is kept for what is unlike anything seen, if there is such; at least one."""
DECISIVE = 3
"""Fields named with each flag, at most."""


@dataclass(frozen=True)
class Flag:
    """A flow that a person should look at."""

    file: str
    """What it is from."""
    line: int
    """Where it stands in its file, from 1."""
    time: float | None
    """Seconds since 1970."""
    verdict: str
    """``alarm``, ``person`` (the agent is not sure enough), or ``strange``."""
    kind: str
    """The class: an attack by name, or `STRANGE_CLASS`."""
    confidence: float
    """Calibrated probability that it is an attack, in [0, 1]. Of what is strange it says how it would look otherwise."""
    surprise: float
    """How far beyond the limit of what is known, in nats; above 0 where strange."""
    looked_at: tuple[str, ...]
    """Groups of fields that were opened."""
    decided: tuple[tuple[str, str, float], ...]
    """Fields that decided most: name, value, and what it adds to the log-odds of an attack; where the flow is strange, to
    its surprise in nats."""
    label: str
    """What the log says it is, if it does."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "time": self.time,
            "verdict": self.verdict,
            "class": self.kind,
            "confidence": round(self.confidence, 4),
            "surprise": round(self.surprise, 3),
            "looked_at": list(self.looked_at),
            "fields": [
                {"field": name, "value": value, "part": round(part, 2)} for name, value, part in self.decided
            ],
            "label": self.label,
        }


@dataclass(frozen=True)
class Flags:
    """The flags of a log, and how many others would have been."""

    flags: tuple[Flag, ...]
    """In the order of the log's times, or of its lines."""
    left_out: int
    """Flows that were likely an attack, and less so than those shown."""
    flows: int
    """Flows judged."""
    looked: float
    """Mean cost of looking, as a part of what looking at everything costs."""


def flags_of(
    model: FlowModel, table: FlowTable, verdicts: Verdicts, alarms: int | None, seconds: float
) -> Flags:
    """The flows to look at.

    Parameters
    ----------
    model
        That judged.
    table
        What it judged.
    verdicts
        Of each flow.
    alarms
        Flows that a person can look at in each period; None shows all.
    seconds
        Length of a period. Periods begin at multiples of it since 1970: days, for 86,400, at midnight UTC. A log without
        times is one period.
    """
    attack = verdicts.probability[:, model.benign :].sum(dim=1)
    surprise = verdicts.surprise - model.strange_from
    strange, likely = surprise > 0, (attack >= LIKELY) | (verdicts.end == PERSON)
    shown: list[int] = []
    for places in _periods(table, seconds):
        alike = _highest(attack, places[likely[places]])
        odd = _highest(surprise, places[strange[places] & ~likely[places]])
        if alarms is None:
            shown += [*alike, *odd]
            continue
        kept = min(len(odd), max(1, round(FOR_STRANGE * alarms))) if alarms > 1 else 0
        first = alike[: alarms - kept]
        shown += [*first, *odd[: alarms - len(first)]]
    order = sorted(shown, key=lambda row: (table.times[row] if table.times is not None else 0.0, row))
    rows = torch.tensor(order, dtype=torch.int64)
    fields, parts = model.decisive(verdicts.encoded[rows], verdicts.opened[rows])
    strangeness = model.odd(verdicts.encoded[rows], verdicts.probability[rows].argmax(dim=1))
    parts = torch.where(likely[rows][:, None], parts, strangeness)
    flags = tuple(
        _flag(model, table, verdicts, row, bool(likely[row]), float(surprise[row]), fields, parts[place])
        for place, row in enumerate(order)
    )
    share = verdicts.opened.float() @ model.triage.share
    return Flags(
        flags, int(likely.sum() + (strange & ~likely).sum()) - len(flags), len(table), float(share.mean())
    )


def _flag(
    model: FlowModel,
    table: FlowTable,
    verdicts: Verdicts,
    row: int,
    likely: bool,
    surprise: float,
    fields: list[str],
    parts: torch.Tensor,
) -> Flag:
    probability = verdicts.probability[row, model.benign :]
    groups = model.encoding.schema.groups
    most = parts.topk(min(DECISIVE, len(parts)))
    decided = tuple(
        (fields[place], _shown(table.columns[fields[place]][row]), part)
        for part, place in zip(most.values.tolist(), most.indices.tolist(), strict=True)
        if part > 0
    )
    verdict = "strange" if not likely else "person" if verdicts.end[row] == PERSON else "alarm"
    return Flag(
        str(table.files[row]),
        int(table.lines[row]),
        None if table.times is None else float(table.times[row]),
        verdict,
        model.classes[model.benign + int(probability.argmax())] if likely else STRANGE_CLASS,
        float(probability.sum().clamp(0, 1)),
        surprise,
        tuple(group for group, is_open in zip(groups, verdicts.opened[row].tolist(), strict=True) if is_open),
        decided,
        "" if table.labels is None else str(table.labels[row]),
    )


def _periods(table: FlowTable, seconds: float) -> list[torch.Tensor]:
    """Rows of each period, one behind the other."""
    if table.times is None:
        return [torch.arange(len(table))]
    rows = defaultdict(list)
    for row, number in enumerate(np.floor(table.times / seconds).tolist()):
        rows[number].append(row)
    return [torch.tensor(rows[number]) for number in sorted(rows)]


def _highest(score: torch.Tensor, places: torch.Tensor) -> list[int]:
    """Places by their score, the highest first, the first of equals before the others."""
    order = score[places].argsort(descending=True, stable=True)
    return places[order].tolist()


def _shown(value: Any) -> str:
    return str(value) or "missing" if isinstance(value, str) else f"{float(value):g}"
