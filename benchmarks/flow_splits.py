"""Cuts of the training file of NSL-KDD that resemble what KDDTest+ is to it: what to choose by, without a look at that file.

KDDTest+ differs from the training file in three ways that Tavallaee et al. 2009 tell: most of its r2l and u2r flows are of
attacks of which the training file has ten flows or fewer; other attacks are new; and a quarter as many flows of r2l come as
of dos. A cut does the same to the training file by itself. Some attacks are left out, and judged under their class; some
are moved to r2l and u2r, and all but a few of their flows are judged; harmless flows of some services are left out. The
rest is parted, and what is judged is drawn in the shares that the classes have in KDDTest+.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairvoy.scenarios.flows.records.encoding import encoding_of
from clairvoy.scenarios.flows.records.formats import KDD_CLASS_OF
from clairvoy.scenarios.flows.records.table import FlowTable

CLASSES = ("normal", "dos", "probe", "r2l", "u2r")
SHARES = (0.43, 0.33, 0.11, 0.12, 0.01)
"""Of the classes among the flows judged, about those of KDDTest+ (its published counts)."""
JUDGED = 6000
"""Flows judged."""
DOS, PROBE = ("neptune", "smurf", "back", "teardrop", "pod"), ("satan", "ipsweep", "portsweep", "nmap")
FEW = (10, 7, 6)
"""Flows learnt of the attacks that play hardly known ones: two of r2l, one of u2r."""
MOVED = ("smurf", "back", "teardrop", "ipsweep", "portsweep", "nmap")
"""Attacks that may play a rare one: some hundred flows each."""
MANY = 2000
"""Flows of one attack that are learnt at most; so many of neptune teach nothing more."""


@dataclass(frozen=True)
class Split:
    """What is learnt and what is judged.

    Attributes
    ----------
    learnt, judged
        Flows, labelled by class.
    truth
        Of those judged, places in `CLASSES`, (J,).
    kind
        Of those judged: ``known``, ``hardly`` (a few flows were learnt) or ``unknown``, (J,) strings.
    told
        Which attacks play what.
    """

    learnt: FlowTable
    judged: FlowTable
    truth: NDArray[np.int64]
    kind: NDArray[np.str_]
    told: dict[str, list[str]]


def splits(table: FlowTable, attack_of: NDArray[np.str_], seeds: list[int]) -> Iterator[Split]:
    """One cut for each seed.

    Parameters
    ----------
    table
        The training file, labelled by class.
    attack_of
        The attack of each flow, (R,).
    """
    for seed in seeds:
        yield _split(table, attack_of, np.random.default_rng(seed))


def _split(table: FlowTable, attack_of: NDArray[np.str_], rng: np.random.Generator) -> Split:
    moved = ["warezclient", *rng.permutation(MOVED)[:2].tolist()]
    left = [str(rng.choice([a for a in of_class if a not in moved])) for of_class in (DOS[1:], PROBE)]
    role = {a: KDD_CLASS_OF[a] for a in np.unique(attack_of).tolist()}
    role |= {moved[1]: "r2l", moved[2]: "u2r"}
    few = dict(zip(moved, FEW, strict=True))
    harmless = np.flatnonzero(attack_of == "normal")
    new = harmless[_new_services(table.columns["service"][harmless], rng)]
    learnt, judged, kind = [], [new], np.full(len(attack_of), "known", dtype="<U7")
    for attack in role:
        rows = np.setdiff1d(np.flatnonzero(attack_of == attack), new)
        rows = rng.permutation(rows)
        if attack in left:
            kept = 0
        elif attack in few:
            kept = few[attack]
            rows = _alike_first(table, rows)
        else:
            kept = min(MANY if attack != "normal" else len(rows), -(-2 * len(rows) // 3))
        learnt.append(rows[:kept])
        judged.append(rows[kept:])
        kind[rows] = "unknown" if attack in left else "hardly" if attack in few else "known"
    labels = np.array([role[a] for a in attack_of.tolist()])
    inside, outside = np.sort(np.concatenate(learnt)), np.concatenate(judged)
    drawn = []
    for name, share in zip(CLASSES, SHARES, strict=True):
        own = outside[labels[outside] == name]
        drawn.append(_drawn(own, attack_of[own], np.isin(own, new), round(share * JUDGED), rng))
    judged_rows = np.concatenate(drawn)
    relabelled = replace(table, labels=labels)
    place = {name: number for number, name in enumerate(CLASSES)}
    return Split(
        relabelled.rows(inside),
        relabelled.rows(judged_rows),
        np.array([place[label] for label in labels[judged_rows].tolist()]),
        kind[judged_rows],
        {"left out": left, "r2l": moved[:2], "u2r": moved[2:]},
    )


def _new_services(service: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which harmless flows are of services left out, drawn at random, together at most a tenth of them."""
    names, counts = np.unique(service, return_counts=True)
    order = rng.permutation(len(names))
    return np.isin(service, names[order][np.cumsum(counts[order]) <= 0.1 * len(service)])


def _alike_first(table: FlowTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows with those first that are most like the first of them: a few flows show one way of an attack, not all."""
    seen = table.rows(rows)
    encoded = encoding_of(seen).rows(seen).numpy()
    return rows[np.argsort((encoded != encoded[0]).sum(axis=1), kind="stable")]


def _drawn(
    rows: NDArray[np.int64],
    attack_of: NDArray[np.str_],
    new: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Rows with replacement, `count` of them; attacks in proportion to the root of how many flows they have.

    Harmless flows of services left out are one in twenty.
    """
    if new.any():
        return np.concatenate(
            [rng.choice(rows[new], count // 20), rng.choice(rows[~new], count - count // 20)]
        )
    weight = np.zeros(len(rows))
    for attack in np.unique(attack_of):
        of_attack = attack_of == attack
        weight[of_attack] = of_attack.sum() ** -0.5
    return rng.choice(rows, count, p=weight / weight.sum())
