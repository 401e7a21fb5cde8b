"""What the fields of a flow are: numbers or categories, in groups that are looked at together and cost something."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from clairvoy.errors import FileError, SettingsError

Kind = Literal["number", "category"]

BENIGN = ("normal", "benign", "background")
"""Labels that are no attack unless the user says otherwise; compared without regard to case."""


@dataclass(frozen=True)
class Field:
    """One field of a flow."""

    name: str
    kind: Kind
    """A number is read on a log scale; everything else is a category."""
    group: str
    """Fields of one group are opened together."""


@dataclass(frozen=True)
class Schema:
    """The fields of a kind of record.

    Raises
    ------
    SettingsError
        Fields and groups contradict one another.
    """

    fields: tuple[Field, ...]
    costs: Mapping[str, float]
    """Of looking at each group; the unit is yours."""
    label: str | None = None
    """Field that says what a flow was; None where there is none."""
    time: str | None = None
    """Field that says when it began: seconds since 1970, or ISO 8601."""

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names:
            raise SettingsError("the schema has no fields; name at least one number or category")
        if len({*names}) < len(names):
            raise SettingsError(f"the schema names {_twice(names)} twice; each field has one entry")
        for field in self.fields:
            if field.kind not in ("number", "category"):
                raise SettingsError(
                    f"the schema calls {field.name} a {field.kind!r}; it is a 'number' or a 'category'"
                )
        groups = {field.group for field in self.fields}
        if groups != self.costs.keys():
            raise SettingsError(
                f"groups and costs differ at {sorted(groups ^ self.costs.keys())[0]!r}; give each group of fields a cost"
            )
        for group, cost in self.costs.items():
            if not isinstance(cost, int | float) or not 0 < cost < float("inf"):
                raise SettingsError(f"the cost of {group!r} is {cost!r}; it must be above 0")
        for special in (self.label, self.time):
            if special in names:
                raise SettingsError(
                    f"{special!r} is the label or the time, and a field to learn from; it can be only one"
                )

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups in the order of their first field."""
        return tuple(dict.fromkeys(field.group for field in self.fields))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `schema_from` reads it."""
        return {
            "fields": [asdict(field) for field in self.fields],
            "costs": dict(self.costs),
            "label": self.label,
            "time": self.time,
        }


def schema_from(told: Mapping[str, Any]) -> Schema:
    """A schema from what `Schema.to_dict` gave, or from a user's file. A field without a group is a group by itself.

    Raises
    ------
    SettingsError
        Something is missing or of another kind.
    """
    try:
        fields = tuple(
            Field(str(entry["name"]), entry["kind"], str(entry.get("group", entry["name"])))
            for entry in told["fields"]
        )
        costs = {field.group: 1.0 for field in fields} | dict(told.get("costs", {}))
        label, time = told.get("label"), told.get("time")
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"the schema lacks {error}, or it is of another kind; it is "
            '{"fields": [{"name": ..., "kind": "number" or "category", "group": ...}], "costs": {group: cost}, '
            '"label": ..., "time": ...}'
        ) from error
    return Schema(fields, costs, label, time)


def read_schema(path: Path) -> Schema:
    """A schema from a JSON file.

    Raises
    ------
    FileError
        It cannot be read, or is no JSON.
    SettingsError
        It is no schema.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read as a schema ({error}); give a JSON file") from error
    return schema_from(told)


def _fields(group: str, kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind, group) for name in names)


ZEEK = Schema(
    (
        *_fields("service", "category", "proto", "id.resp_p", "service"),
        *_fields("state", "category", "conn_state", "history"),
        *_fields("place", "category", "local_orig", "local_resp"),
        *_fields("volume", "number", "duration", "orig_bytes", "resp_bytes"),
        *_fields("packets", "number", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
        *_fields("lost", "number", "missed_bytes"),
    ),
    {"service": 1.0, "state": 1.0, "place": 1.0, "volume": 1.0, "packets": 1.0, "lost": 1.0},
    label="label",
    time="ts",
)
"""Zeek's conn.log. Addresses, the origin's port and uid are not learnt from: they name a machine and not what it does."""

_KDD_GROUPS: tuple[tuple[str, float, Kind, Sequence[str]], ...] = (
    ("service", 1.0, "category", ("protocol_type", "service")),
    ("flag", 1.0, "category", ("flag",)),
    ("volume", 1.0, "number", ("duration", "src_bytes", "dst_bytes")),
    ("oddities", 1.0, "number", ("land", "wrong_fragment", "urgent")),
    (
        "login",
        4.0,
        "number",
        ("hot", "num_failed_logins", "logged_in", "is_host_login", "is_guest_login"),
    ),
    (
        "session",
        4.0,
        "number",
        (
            "num_compromised", "root_shell", "su_attempted", "num_root", "num_file_creations", "num_shells",
            "num_access_files", "num_outbound_cmds",
        ),
    ),
    ("two seconds", 2.0, "number", ("count", "srv_count", "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate")),
    ("errors of two seconds", 2.0, "number", ("serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate")),
    (
        "hundred flows",
        3.0,
        "number",
        (
            "dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate",
            "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate",
        ),
    ),
    (
        "errors of hundred flows",
        3.0,
        "number",
        (
            "dst_host_serror_rate", "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
        ),
    ),
)  # fmt: skip

NSL_KDD = Schema(
    tuple(field for group, _, kind, names in _KDD_GROUPS for field in _fields(group, kind, *names)),
    {group: cost for group, cost, _, _ in _KDD_GROUPS},
    label="class",
)
"""NSL-KDD. What one packet header tells costs 1, a table of the last two seconds 2, one of the last hundred flows to the
same host 3, and reading along in the session 4."""


def _twice(names: Sequence[str]) -> str:
    return next(name for number, name in enumerate(names) if name in names[:number])
