"""`clairvoy flows train`: from logs with labels to a model, with an account of what was read and what came of it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clairvoy.apps.argument_types import count
from clairvoy.apps.outputs import to_json, write_bytes
from clairvoy.apps.train.folder import alone_in, keep_result
from clairvoy.apps.train.record import describe
from clairvoy.errors import FileError
from clairvoy.scenarios.flows.file import save_flows
from clairvoy.scenarios.flows.measuring import measured
from clairvoy.scenarios.flows.records.parting import Parts, part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.records.schema import read_schema
from clairvoy.scenarios.flows.records.table import FlowTable
from clairvoy.scenarios.flows.training import FlowSettings, learn_flows

MODEL = "flows.safetensors"
"""The model's file in the folder of a run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_reading(parser)
    parser.add_argument(
        "--schema", type=Path, metavar="JSON", help="what the fields are; see docs/defence.md"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="folder for the model and its record"
    )
    parser.add_argument(
        "--benign",
        action="append",
        default=[],
        metavar="LABEL",
        help="a label that is no attack; may be given several times (default: normal, benign, background)",
    )
    parser.add_argument("--without-generated", action="store_true", help="let the generator make no rows")
    parser.add_argument(
        "--updates",
        type=count,
        default=FlowSettings().updates,
        help="of the co-training (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What is read, and how."""
    parser.add_argument(
        "logs",
        type=Path,
        nargs="+",
        metavar="LOG",
        help="Zeek conn.log (TSV or JSON), CSV or NSL-KDD; gzipped or not",
    )
    parser.add_argument("--label", help="field that says what a flow was")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when it is done."""
    model_path = args.out / MODEL
    if model_path.exists():
        raise FileError(f"{args.out}: holds a model already; name another folder")
    table = read_flows(
        args.logs, read_schema(args.schema) if args.schema else None, label=args.label, labelled=True
    )
    parts = part(table, args.benign)
    for line in account(table, parts):
        say(line)
    settings = FlowSettings(updates=args.updates, seed=args.seed, generated=not args.without_generated)
    with alone_in(args.out):
        trained = learn_flows(parts, settings, say)
        held_out = measured(trained.model, parts.held_out)
        notes: dict[str, Any] = {
            "read": {"flows": len(table), "dropped": dict(table.dropped), "absent": list(table.absent)},
            "learnt": len(parts.learnt),
            "by_time": parts.by_time,
            "too_rare": parts.too_rare,
            "few": parts.few,
            "generated": [entry.to_dict() for entry in trained.helped],
            "strange": trained.strange_help.to_dict(),
            "held_out": held_out,
        }
        trained.model.notes = notes
        keep_result(model_path, lambda path: save_flows(path, trained.model))
        record = describe({"flows": asdict(settings)}, {"logs": args.logs})
        write_bytes(args.out / "flows.json", to_json({**notes, **record}))
    for entry in trained.helped:
        used = "used" if entry.helps else "not used"
        gain = f"{entry.gain.value:+.3f} [{entry.gain.low:+.3f}, {entry.gain.high:+.3f}]"
        say(
            f"generated rows of {entry.name}: {used}; drop of the log loss on {entry.held_back} flows held back {gain}"
        )
    strange = trained.strange_help
    for name in strange.before:
        new, hardly = (
            f"{before[name]:.3f} to {after[name]:.3f}"
            for before, after in ((strange.before, strange.after), (strange.few_before, strange.few_after))
        )
        say(
            f"with rows unlike anything seen, {name} is found from {new} if never learnt, from {hardly} if hardly"
        )
    if strange.before:
        say(f"rows unlike anything seen: {'used' if strange.helps else 'not used'}")
    told = held_out["looking as far as the agent does"]
    figures = {
        name: told[name] for name in ("macro_f1", "false_alarms", "missed", "calibration_error", "looked")
    }
    shown = ", ".join(
        f"{name} {'none' if value is None else f'{value:.3f}'}" for name, value in figures.items()
    )
    say(f"held out, {held_out['flows']} flows: {shown}")
    say(f"model: {model_path}")
    return 0


def say(line: str) -> None:
    """Tell what is being done."""
    print(line, file=sys.stderr)


def account(table: FlowTable, parts: Parts) -> list[str]:
    """What was read, what was dropped, what is held out and what is too rare, a line each."""
    lines = [f"read {len(table)} flows: {', '.join(parts.classes)}; the first {parts.benign} are no attack"]
    lines += dropped(table)
    how = "latest" if parts.by_time else "last of each class in the file, no times being known"
    lines.append(
        f"held out: {len(parts.held_out)}, the {how}; to choose and calibrate by: {len(parts.tuning)} before them"
    )
    for label, number in parts.too_rare.items():
        lines.append(f"too rare, not learnt: {label} ({number} flows to learn from)")
    for label, number in parts.few.items():
        lines.append(f"rare, little can be said of it: {label} ({number} flows to learn from)")
    return lines


def dropped(table: FlowTable) -> list[str]:
    """What of a log was not read."""
    lines = [f"dropped {number} lines: {reason}" for reason, number in table.dropped.items()]
    return lines + ([f"no line has {', '.join(table.absent)}"] if table.absent else [])
