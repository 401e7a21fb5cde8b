"""Small logs of flows, made up here."""

from __future__ import annotations

import json

import numpy as np

ZEEK_NAMES = (
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration",
    "orig_bytes", "resp_bytes", "conn_state", "local_orig", "local_resp", "missed_bytes", "history", "orig_pkts",
    "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "label",
)  # fmt: skip
ZEEK_HEADER = [
    "#separator \\x09",
    "#unset_field\t-",
    "#empty_field\t(empty)",
    "#fields\t" + "\t".join(ZEEK_NAMES),
]


def zeek_flow(ts=1.5, service="dns", label="Benign", **others):
    """One flow as Zeek's fields by name."""
    flow = dict(
        zip(
            ZEEK_NAMES,
            f"{ts} C1 10.0.0.1 999 10.0.0.2 53 udp {service} 0.25 34 50 SF T F 0 Dd 1 82 1 98 {label}".split(),
            strict=True,
        )
    )
    return flow | {name.replace("__", "."): value for name, value in others.items()}


def zeek_text(flows):
    """A log as Zeek writes it."""
    return (
        "\n".join(
            [
                *ZEEK_HEADER,
                *("\t".join(str(flow[name]) for name in ZEEK_NAMES) for flow in flows),
                "#close\tnow",
            ]
        )
        + "\n"
    )


def zeek_json(flows):
    """The same with `LogAscii::use_json`: unset fields are absent, booleans and numbers are JSON's own."""
    lines = []
    for flow in flows:
        told = {name: value for name, value in flow.items() if value not in ("-", "(empty)")}
        for name, value in told.items():
            if value in ("T", "F"):
                told[name] = value == "T"
            elif name in ("ts", "duration", "orig_bytes", "resp_bytes"):
                told[name] = float(value)
        lines.append(json.dumps(told))
    return "\n".join(lines) + "\n"


def toy_csv(count=600, seed=0, strange=0):
    """A log of three classes: web (benign), scan (few bytes, refused), leak (many bytes out). Every tenth is a leak.

    `strange` flows at the end are like none of them, and have no label.
    """
    rng = np.random.default_rng(seed)
    lines = ["ts,proto,state,bytes,packets,label"]
    for number in range(count):
        kind = ("web", "web", "web", "web", "web", "web", "scan", "scan", "scan", "leak")[
            int(rng.integers(10))
        ]
        size = {"web": 3000, "scan": 40, "leak": 3_000_000}[kind] * float(np.exp(0.5 * rng.normal()))
        state = "REJ" if kind == "scan" else "SF"
        lines.append(
            f"{1_600_000_000 + 60 * number},tcp{number % 2},{state},{size:.0f},{1 + size // 900:.0f},{kind}"
        )
    for number in range(strange):
        lines.append(f"{1_600_000_000 + 60 * (count + number)},gre,XX,0,{90000 + number},")
    return "\n".join(lines) + "\n"
