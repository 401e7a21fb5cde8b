"""Triage of flows beside other makers' classifiers, on NSL-KDD and on Zeek's logs: tables on stderr, JSON on stdout.

python benchmarks/flows.py attacks --data DIR    # each attack left out of training in turn, with and without generated rows
python benchmarks/flows.py attacks --kept 10 ... # the same, but for ten flows of it
python benchmarks/flows.py cuts --data DIR       # cuts of the training file that resemble what follows, to choose by
python benchmarks/flows.py test --data DIR       # KDDTrain+_20Percent to KDDTest+, peers in the same run
python benchmarks/flows.py days --data DIR       # Zeek: one day learnt, another host's next day judged

DIR holds nsl-kdd/KDDTrain+_20Percent.txt.gz, nsl-kdd/KDDTest+.txt.gz and zeek/*.gz. `test` is for looking once: choose
by parts of the training file, as `cuts` and `attacks` do. `--json FILE` keeps each seed's result as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flow_splits import splits
from numpy.typing import NDArray

from clairvoy.evaluation.aggregate import bootstrap, paired_difference
from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.scenarios.flows.beliefs import BeliefSettings
from clairvoy.scenarios.flows.measuring import at_false_alarms, f1_scores
from clairvoy.scenarios.flows.records.formats import KDD_CLASS_OF
from clairvoy.scenarios.flows.records.parting import class_numbers, part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.records.table import FlowTable
from clairvoy.scenarios.flows.rows import field_of_numbers
from clairvoy.scenarios.flows.training import FlowSettings, learn_flows

FALSE_ALARMS = 0.05
"""Rate at which all are compared."""
ATTACKS = (
    "neptune",
    "smurf",
    "back",
    "teardrop",
    "satan",
    "ipsweep",
    "portsweep",
    "nmap",
    "warezclient",
    "guess_passwd",
)
"""Left out in turn: those of which the training file holds ten and more (pod, 38, is like smurf)."""
TRAIN, TEST = "nsl-kdd/KDDTrain+_20Percent.txt.gz", "nsl-kdd/KDDTest+.txt.gz"
DAY_ONE = ("zeek/008-zeek-mixed_conn.log.labeled.gz", "zeek/011-zeek-mixed_conn.log.labeled.gz")
DAY_TWO, MALWARE = (
    "zeek/010-zeek-mixed_conn.log.labeled.gz",
    "zeek/001-zeek-scenario-malicious_labeled-conn.log.gz",
)
OURS, OURS_PLAIN = "ours, all fields", "ours, all fields, nothing generated"
HELD_BACK = 0.05
"""Part of the flows to choose by, and as many to measure on."""
GENERATED, PLAIN = "generated where it helps", "nothing generated"
SHORT = FlowSettings(BeliefSettings(updates=400), updates=200, agent_updates=1, trial_updates=100)
"""Of a training with an attack left out: there are up to ten of them for each seed."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Triage of flows beside other makers' classifiers.")
    parser.add_argument("what", choices=("attacks", "cuts", "test", "days"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--json", type=Path, help="results so far; what is in it is not measured again")
    parser.add_argument(
        "--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS), help="left out in turn (all)"
    )
    parser.add_argument(
        "--kept", type=int, default=0, help="flows of the attack left out that are learnt all the same (0)"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    run = {
        "attacks": partial(left_out, attacks=args.attacks, kept=args.kept),
        "cuts": cut,
        "test": tested,
        "days": next_day,
    }[args.what]
    results: dict[str, Any] = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    for seed in args.seeds:
        if str(seed) not in results:
            began = time.process_time()
            results[str(seed)] = run(args.data, seed) | {"seconds of the CPU": time.process_time() - began}
            if args.json:
                args.json.write_text(json.dumps(results, indent=1))
        print(f"seed {seed} is done", file=sys.stderr)
    summary(args.what, [results[str(seed)] for seed in args.seeds])
    print(json.dumps(results, indent=1))
    return 0


# KDDTest+


def tested(data: Path, seed: int) -> dict[str, Any]:
    """Ours and the peers on KDDTest+, all learnt from the training file."""
    whole = read_flows([data / TRAIN], labelled=True)
    return compared(whole, read_flows([data / TEST], labelled=True), seed)


def cut(data: Path, seed: int) -> dict[str, Any]:
    """The same on a cut of the training file, which resembles that."""
    table = read_flows([data / TRAIN], labelled=True)
    attack_of = read_flows([data / TRAIN], label="attack", labelled=True).labels
    assert attack_of is not None
    (split,) = splits(table, attack_of, [seed])
    return compared(split.learnt, split.judged, seed) | {"cut": split.told}


def compared(whole: FlowTable, test: FlowTable, seed: int) -> dict[str, Any]:
    """Ours and the peers on some flows, all learnt from others."""
    from flow_peers import PEERS

    parts = part(whole, held_out=HELD_BACK)
    trained = learn_flows(parts, FlowSettings(seed=seed))
    truth = class_numbers(test, parts.classes)
    result: dict[str, Any] = {
        "generated": [entry.to_dict() for entry in trained.helped],
        "strange": trained.strange_help.to_dict(),
        "classes": list(parts.classes),
    }
    model = trained.model
    for name, everything in ((OURS, True), ("ours, as far as the agent looks", False)):
        verdicts = model.judge(test, look_at_all=everything)
        balanced = verdicts.logits.double().softmax(dim=1).numpy()
        result[name] = figures(balanced, truth) | {
            "looked": float((verdicts.opened.float() @ model.triage.share).mean()),
            "calibration error": expected_calibration_error(
                verdicts.probability.amax(dim=1).clamp(max=1).numpy(),
                verdicts.probability.argmax(dim=1).numpy() == truth,
            ),
        }
    seen = torch.ones(len(test), trained.from_real.groups, dtype=torch.bool)
    with torch.no_grad():
        plain = trained.from_real(model.encoded(test), seen).double().softmax(dim=1).numpy()
    result[OURS_PLAIN] = figures(plain, truth)
    # Peers learn from all; ours held some of it back.
    encode = lambda table: model.encoded(table).clamp(-5, 5).double().numpy()  # noqa: E731
    x, y, asked = encode(whole), class_numbers(whole, parts.classes), encode(test)
    fields = field_of_numbers(model.encoding, model.kind)
    for name, peer in PEERS.items():
        result[name] = figures(peer(x, y, asked, fields, len(parts.classes), seed), truth)
    for name, cost in (
        ("ours, best fixed subset of that cost", result["ours, as far as the agent looks"]["looked"]),
        ("ours, best fixed subset of 40 %", 0.4),
    ):
        opened = fixed_subset(model, parts, cost)
        with torch.no_grad():
            verdict = model.beliefs(model.encoded(test), opened.expand(len(test), -1)).softmax(dim=1)
        result[name] = figures(verdict.double().numpy(), truth) | {
            "looked": float(opened.float() @ model.triage.share)
        }
    return result


def figures(probability: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Macro F1 as the classifier decides, with its false alarms, and at the common rate of them; class 0 is harmless."""
    number, harmless = probability.shape[1], truth == 0
    said = probability.argmax(axis=1)
    attack = 1 - probability[:, 0]
    limit = at_false_alarms(attack, harmless, FALSE_ALARMS)
    # A score that many share cannot be cut in between: then fewer are flagged than are allowed.
    there = np.where(attack > limit, 1 + probability[:, 1:].argmax(axis=1), 0)
    return {
        "macro F1": float(np.nanmean(f1_scores(said, truth, number))),
        "false alarms": float((said[harmless] != 0).mean()),
        "macro F1 at 5 %": float(np.nanmean(f1_scores(there, truth, number))),
        "false alarms then": float((there[harmless] != 0).mean()),
        "TPR at 5 %": float((there[~harmless] != 0).mean()),
        "F1 at 5 %": f1_scores(there, truth, number).tolist(),
    }


@torch.no_grad()
def fixed_subset(model: Any, parts: Any, cost: float) -> torch.Tensor:
    """The set of groups (G,) of no more cost that is best on the flows held back for choosing, of all such sets."""
    encoded = model.encoded(parts.tuning)
    truth = class_numbers(parts.tuning, parts.classes)
    share, best = model.triage.share, (-1.0, torch.zeros(0))
    groups = len(share)
    for code in range(1, 2**groups):
        opened = torch.tensor([bool(code >> place & 1) for place in range(groups)])
        if float(opened.float() @ share) <= cost + 1e-6:
            said = model.beliefs(encoded, opened.expand(len(encoded), -1)).argmax(dim=1).numpy()
            best = max(
                best,
                (float(np.nanmean(f1_scores(said, truth, len(parts.classes)))), opened),
                key=lambda pair: pair[0],
            )
    return best[1]


# An attack that was never learnt


def left_out(data: Path, seed: int, attacks: Sequence[str] = ATTACKS, kept: int = 0) -> dict[str, Any]:
    """True positives of each attack at 5 % false alarms, when all but `kept` of its flows were left out, by arm."""
    table = read_flows([data / TRAIN], labelled=True)
    attack_of = read_flows([data / TRAIN], label="attack", labelled=True).labels
    assert attack_of is not None
    found: dict[str, Any] = {}
    for attack in attacks:
        unseen = attack_of == attack
        unseen[np.flatnonzero(unseen)[:kept]] = False
        parts = part(table.rows(~unseen))
        trained = learn_flows(parts, replace(SHORT, seed=seed))
        found[attack] = {
            arm: hit_rate(beliefs, trained.model, parts.held_out, table.rows(unseen))
            for arm, beliefs in ((GENERATED, trained.model.beliefs), (PLAIN, trained.from_real))
        }
        used = [entry.name for entry in trained.helped if entry.helps]
        found[attack]["used"] = used + ["unlike anything seen"] * trained.strange_help.helps
        found[attack]["class"] = KDD_CLASS_OF[attack]
    return found


def hit_rate(beliefs: Any, model: Any, harmless_and_others: FlowTable, unseen: FlowTable) -> float:
    """Part of the unseen attack's flows whose score lies above that of 95 % of the harmless ones held out."""

    @torch.no_grad()
    def score(table: FlowTable) -> NDArray[np.float64]:
        encoded = model.encoded(table)
        told = beliefs(encoded, torch.ones(len(encoded), beliefs.groups, dtype=torch.bool))
        # The log-odds: probabilities this near to 0 or 1 would be rounded together.
        return (told[:, 1:].logsumexp(dim=1) - told[:, 0]).double().numpy()

    harmless = class_numbers(harmless_and_others, model.classes) == 0
    return float((score(unseen) > at_false_alarms(score(harmless_and_others), harmless, FALSE_ALARMS)).mean())


# Another day


def next_day(data: Path, seed: int) -> dict[str, Any]:
    """Calibration, F1 and alarms on the next day of another host, and on malware of a kind that was never seen."""
    parts = part(read_flows([data / name for name in DAY_ONE], labelled=True))
    trained = learn_flows(parts, FlowSettings(seed=seed))
    model, result = trained.model, {"generated": [entry.to_dict() for entry in trained.helped]}
    for name, file in (("the next day", DAY_TWO), ("malware", MALWARE)):
        table = read_flows([data / file], model.encoding.schema)
        truth = class_numbers(table, model.classes)
        for view, everything in (("as far as the agent looks", False), ("all fields", True)):
            verdicts = model.judge(table, look_at_all=everything)
            p = verdicts.probability.numpy()
            attack = p[:, model.benign :].sum(axis=1).clip(0, 1)
            harmless = truth < model.benign
            result[f"{name}, {view}"] = {
                "calibration error, class": expected_calibration_error(
                    p.max(axis=1).clip(0, 1), p.argmax(axis=1) == truth
                ),
                "calibration error, attack or not": expected_calibration_error(attack, ~harmless),
                "false alarms": float((attack[harmless] >= 0.5).mean()),
                "attacks found": float((attack[~harmless] >= 0.5).mean()),
                "strange among attacks": float(
                    (verdicts.surprise[~harmless] > model.strange_from).float().mean()
                ),
                "macro F1": float(np.nanmean(f1_scores(p.argmax(axis=1), truth, len(model.classes)))),
                "looked": float((verdicts.opened.float() @ model.triage.share).mean()),
            }
    return result


# All seeds


def summary(what: str, results: list[dict[str, Any]]) -> None:
    """Interquartile means over seeds with 95 % bootstrap intervals, on stderr."""
    if what == "attacks":
        attacks = [name for name, first in results[0].items() if isinstance(first, dict)]
        rates = {
            arm: np.array([[run[attack][arm] for attack in attacks] for run in results])
            for arm in (GENERATED, PLAIN)
        }
        for place, attack in enumerate(attacks):
            used = sorted({name for run in results for name in run[attack]["used"]})
            told = ", ".join(f"{arm} {rate[:, place].mean():.3f}" for arm, rate in rates.items())
            print(f"{attack:14} {told}; used: {', '.join(used) or 'none'}", file=sys.stderr)
        difference = paired_difference(*(rate.mean(axis=1) for rate in rates.values()))
        print(
            f"mean difference {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]",
            file=sys.stderr,
        )
        return
    for name, first in results[0].items():
        if isinstance(first, dict) and name not in ("strange", "cut"):
            cells = {
                key: bootstrap([run[name][key] for run in results])
                for key, value in first.items()
                if isinstance(value, float)
            }
            line = "; ".join(
                f"{key} {cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}]" for key, cell in cells.items()
            )
            print(f"{name:38} {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
