"""The formats that flows are stored in: Zeek's TSV and JSON, CSV, NSL-KDD. Each reader gives records as text."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator

from clairvoy.errors import InputError
from clairvoy.scenarios.flows.records.schema import NSL_KDD
from clairvoy.scenarios.flows.records.table import Record

Line = tuple[int, str]
"""Its number, counted from 1, and its text without the line end."""

KDD_FIELDS = (
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent", "hot",
    "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted", "num_root", "num_file_creations",
    "num_shells", "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login", "count", "srv_count",
    "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate", "same_srv_rate", "diff_srv_rate",
    "srv_diff_host_rate", "dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate", "dst_host_srv_serror_rate",
    "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
)  # fmt: skip

KDD_CLASSES = {
    "dos": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm worm",
    "probe": "ipsweep nmap portsweep satan mscan saint",
    "r2l": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster named sendmail snmpgetattack snmpguess "
    "xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl rootkit httptunnel ps sqlattack xterm",
    "normal": "normal",
}
"""Attacks of each class, as in Tavallaee et al. 2009, with httptunnel as u2r; other papers count it as r2l."""
KDD_CLASS_OF = {attack: kind for kind, attacks in KDD_CLASSES.items() for attack in attacks.split()}


def format_of(first: str) -> str:
    """Which format a file is of, by its first line: ``zeek``, ``zeek-json``, ``nsl-kdd`` or ``csv``."""
    if first.startswith(("#separator", "#fields")):
        return "zeek"
    if first.startswith("{"):
        return "zeek-json"
    parts = first.split(",")
    if len(parts) in (41, 42, 43) and parts[1] in ("tcp", "udp", "icmp"):
        return "nsl-kdd"
    return "csv"


def zeek_tsv(lines: Iterable[Line], dropped: Counter[str]) -> Iterator[Record]:
    r"""Zeek's own format: lines of ``#fields`` name the columns, and hold until the next ones.

    Raises
    ------
    InputError
        Data stand before any ``#fields``.
    """
    separator, unset, empty, names = "\t", "-", "(empty)", None
    for number, line in lines:
        if line.startswith("#"):
            key, _, told = line.partition(" " if line.startswith("#separator") else separator)
            if key == "#separator":
                separator = told.encode().decode("unicode_escape")
            elif key == "#unset_field":
                unset = told
            elif key == "#empty_field":
                empty = told
            elif key == "#fields":
                names = told.split(separator)
            continue
        if not line:
            continue
        if names is None:
            raise InputError(f"line {number}: data before any #fields; give a whole log of Zeek")
        values = line.split(separator)
        if len(values) != len(names):
            dropped["another number of fields than its header"] += 1
            continue
        yield (
            number,
            {
                name: "" if value in (unset, empty) else value
                for name, value in zip(names, values, strict=True)
            },
        )


def zeek_json(lines: Iterable[Line], dropped: Counter[str]) -> Iterator[Record]:
    """One JSON object on each line, as Zeek writes with ``LogAscii::use_json``. True and false become T and F."""
    for number, line in lines:
        if not line:
            continue
        try:
            told = json.loads(line)
        except ValueError:
            dropped["no JSON"] += 1
            continue
        if not isinstance(told, dict):
            dropped["no JSON object"] += 1
            continue
        yield number, {name: _text(value) for name, value in told.items()}


def comma_separated(lines: Iterable[Line], dropped: Counter[str]) -> Iterator[Record]:
    """CSV whose first line names the columns. Fields may be quoted; they may not hold line ends."""
    names: list[str] | None = None
    for number, line in lines:
        if not line:
            continue
        values = [value.strip() for value in next(csv.reader([line]))]
        if names is None:
            names = values
            if len({*names}) < len(names):
                raise InputError("two columns have one name; name each of them once")
            continue
        if len(values) != len(names):
            dropped["another number of fields than its header"] += 1
            continue
        yield (
            number,
            {name: "" if value in MISSING else value for name, value in zip(names, values, strict=True)},
        )


def nsl_kdd(lines: Iterable[Line], dropped: Counter[str]) -> Iterator[Record]:
    """NSL-KDD: 41 fields, the attack, how many of 21 learners knew it. The attack becomes its class."""
    for number, line in lines:
        if not line:
            continue
        values = line.split(",")
        if not 41 <= len(values) <= 43:
            dropped["another number of fields than NSL-KDD"] += 1
            continue
        attack = values[41] if len(values) > 41 else ""
        if attack and attack not in KDD_CLASS_OF:
            dropped[f"{attack} is no attack of NSL-KDD"] += 1
            continue
        fields = dict(zip(KDD_FIELDS, values, strict=False))
        assert NSL_KDD.label is not None
        yield number, fields | {NSL_KDD.label: KDD_CLASS_OF.get(attack, ""), "attack": attack}


MISSING = ("", "-", "?", "NA", "NaN", "nan", "null", "None")
"""What means "nothing" in a CSV."""


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
