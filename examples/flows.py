"""Triage of network flows: two days of an office are made up; one is learnt, of the other five flows are shown.

The office browses. It is scanned (many flows of few bytes, refused), and one machine leaks (few flows, many bytes out).
"""

import tempfile
from pathlib import Path

import numpy as np

from clairvoy.scenarios.flows.beliefs import BeliefSettings
from clairvoy.scenarios.flows.flags import flags_of
from clairvoy.scenarios.flows.records.parting import part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.training import FlowSettings, learn_flows

DAY = 86_400


def office(day, flows, rng):
    """A day's log as CSV."""
    lines = ["ts,state,bytes_out,bytes_in,packets,label"]
    for moment in np.sort(rng.uniform(day * DAY, (day + 1) * DAY, flows)):
        label = rng.choice(["web", "scan", "leak"], p=[0.83, 0.15, 0.02])
        out, back = {"web": (900, 20_000), "scan": (60, 0), "leak": (4e6, 2_000)}[label] * np.exp(
            rng.normal(0, 0.7, 2)
        )
        state = "SF" if label != "scan" and rng.random() < 0.97 else "REJ"
        lines.append(f"{moment:.3f},{state},{out:.0f},{back:.0f},{1 + (out + back) // 900:.0f},{label}")
    return "\n".join(lines) + "\n"


def triage(folder, seed=0):
    """Learn the first day; flags of the second."""
    rng = np.random.default_rng(seed)
    logs = [folder / "monday.csv", folder / "tuesday.csv"]
    for day, log in enumerate(logs):
        log.write_text(office(20_000 + day, 1500, rng))
    parts = part(read_flows(logs[:1], labelled=True), benign=["web"])
    trained = learn_flows(
        parts, FlowSettings(BeliefSettings(updates=200), updates=200, trial_updates=100, made=100), print
    )
    for entry in trained.helped:
        print(
            f"generated rows of {entry.name} {'help, and are used' if entry.helps else 'are not shown to help'}"
        )
    tuesday = read_flows(logs[1:], trained.model.encoding.schema)
    return flags_of(trained.model, tuesday, trained.model.judge(tuesday), 5, DAY)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = triage(Path(name))
    for flag in found.flags:
        why = ", ".join(f"{field} {value}" for field, value, _ in flag.decided)
        print(f"line {flag.line:4}: {flag.kind} ({flag.confidence:.3f}), because of {why}")
    print(
        f"{found.left_out} others were likely too; looking cost {found.looked:.0%} of looking at everything"
    )
