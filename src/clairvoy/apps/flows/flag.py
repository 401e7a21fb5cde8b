"""`clairvoy flows flag`: which flows of a log a person should look at."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from clairvoy.apps.flows.page import page
from clairvoy.apps.flows.train import MODEL, add_reading, dropped, say
from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.errors import SettingsError
from clairvoy.scenarios.flows.file import load_flows
from clairvoy.scenarios.flows.flags import Flag, Flags, flags_of
from clairvoy.scenarios.flows.measuring import measured
from clairvoy.scenarios.flows.records.reading import read_flows

PERIODS = {"day": 86_400.0, "hour": 3_600.0}
COLUMNS = (
    "file",
    "line",
    "time",
    "verdict",
    "class",
    "confidence",
    "surprise",
    "looked_at",
    "fields",
    "label",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_reading(parser)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="RUN", help="folder of `clairvoy flows train`"
    )
    parser.add_argument(
        "--alarms",
        type=alarms,
        metavar="N/day",
        help="how many flows a person can look at in a day (or N/hour); by default all that are likely an attack",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        help="a .csv or .json file (default: CSV on the standard output)",
    )
    parser.add_argument("--page", type=Path, metavar="HTML", help="one file to look at in a browser")
    parser.add_argument(
        "--look-at-all", action="store_true", help="open all fields, and not what the agent asks for"
    )


def alarms(text: str) -> tuple[int, float]:
    """A number of flows and a period in seconds, from words such as 20/day."""
    number, _, period = text.partition("/")
    if not number.isdigit() or int(number) < 1 or (period or "day") not in PERIODS:
        raise argparse.ArgumentTypeError(
            f"{text} is no number of flows in a day or an hour, such as 20/day or 3/hour"
        )
    return int(number), PERIODS[period or "day"]


def run(args: argparse.Namespace) -> int:
    """Flag; 0 when it is done, whatever was found."""
    if args.out is not None and args.out.suffix.lower() not in (".csv", ".json"):
        raise SettingsError(f"--out is {args.out}; name a file that ends with .csv or .json")
    check_writable([path for path in (args.out, args.page) if path is not None])
    model = load_flows(args.model / MODEL if args.model.is_dir() else args.model)
    table = read_flows(args.logs, model.encoding.schema, label=args.label)
    for line in dropped(table):
        say(line)
    number, seconds = args.alarms or (None, PERIODS["day"])
    if number is not None and table.times is None:
        say(f"the log has no times: {number} flows are shown of all of it")
    verdicts = model.judge(table, look_at_all=args.look_at_all)
    found = flags_of(model, table, verdicts, number, seconds)
    if args.page is not None:
        figures = measured(model, table) if table.labels is not None else None
        write_bytes(args.page, page(found, model.notes, figures).encode())
    as_text = (
        to_json({"flows": found.flows, "left_out": found.left_out, "looked": found.looked,
                 "flags": [flag.to_dict() for flag in found.flags]})
        if args.out is not None and args.out.suffix.lower() == ".json"
        else as_csv(found).encode()
    )  # fmt: skip
    if args.out is None:
        sys.stdout.write(as_text.decode())
    else:
        write_bytes(args.out, as_text)
    say(
        f"{found.flows} flows, {len(found.flags)} flagged, {found.left_out} more left out; "
        f"looked at {100 * found.looked:.0f} % of what looking at everything costs"
    )
    return 0


def as_csv(found: Flags) -> str:
    """The flags as CSV, a line each; times as ISO 8601 in UTC."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for flag in found.flags:
        writer.writerow([_safe(value) for value in _values(flag)])
    return text.getvalue()


def _values(flag: Flag) -> list[object]:
    return [
        flag.file,
        flag.line,
        "" if flag.time is None else datetime.fromtimestamp(flag.time, UTC).isoformat(),
        flag.verdict,
        flag.kind,
        f"{flag.confidence:.4f}",
        f"{flag.surprise:.3f}",
        "; ".join(flag.looked_at),
        "; ".join(f"{name}={value} ({part:+.2f})" for name, value, part in flag.decided),
        flag.label,
    ]


def _safe(value: object) -> object:
    """Text that a spreadsheet would take for a formula is quoted: what a log says was chosen by strangers."""
    if not isinstance(value, str) or value[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
