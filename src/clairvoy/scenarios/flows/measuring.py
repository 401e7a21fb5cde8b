"""How good a triage is on flows whose labels are known: F1, false alarms, calibration, cost of looking."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clairvoy.evaluation.reliability import expected_calibration_error, reliability
from clairvoy.scenarios.flows.model import FlowModel
from clairvoy.scenarios.flows.records.parting import class_numbers
from clairvoy.scenarios.flows.records.table import FlowTable


def f1_scores(predicted: ArrayLike, truth: ArrayLike, number: int) -> NDArray[np.float64]:
    """F1 of each class, (number,): 2 TP / (2 TP + FP + FN); NaN where the truth has none of it.

    Parameters
    ----------
    predicted, truth
        Classes, (n,) whole numbers in [0, number); a truth of -1 is a class that is none of them.
    """
    said, true = np.asarray(predicted), np.asarray(truth)
    scores = np.full(number, np.nan)
    for c in range(number):
        if (true == c).any():
            hits = int(((said == c) & (true == c)).sum())
            scores[c] = 2 * hits / (int((said == c).sum()) + int((true == c).sum()))
    return scores


def at_false_alarms(attack: ArrayLike, harmless: ArrayLike, rate: float) -> float:
    """The score above which no more than `rate` of the harmless flows lie.

    Parameters
    ----------
    attack
        Score of each flow, (n,): the higher, the likelier an attack.
    harmless
        Which are no attack, (n,) bool, at least one.
    """
    scores = np.sort(np.asarray(attack)[np.asarray(harmless)])[::-1]
    return float(scores[min(int(rate * len(scores)), len(scores) - 1)])


def measured(model: FlowModel, table: FlowTable) -> dict[str, Any]:
    """Figures on flows with labels, for JSON, looking as far as the agent does and looking at everything.

    Flows without a label are left out. ``tau`` is the calibrated probability of the class that is believed most. Flows of
    classes that were never learnt count as wrong there, and as missed if nothing is flagged; F1 leaves them out.
    """
    if table.labels is not None:
        table = table.rows(table.labels != "")
    truth = class_numbers(table, model.classes)
    told: dict[str, Any] = {"flows": len(table), "unknown": int((truth < 0).sum())}
    for name, everything in (("looking as far as the agent does", False), ("looking at everything", True)):
        verdicts = model.judge(table, look_at_all=everything)
        probability = verdicts.probability.numpy()
        said = probability.argmax(axis=1)
        right, harmless = said == truth, (truth >= 0) & (truth < model.benign)
        known = truth >= 0
        tau = probability.max(axis=1).clip(0, 1)
        scores = f1_scores(said[known], truth[known], len(model.classes))
        told[name] = {
            "f1": {
                label: None if np.isnan(f1) else float(f1)
                for label, f1 in zip(model.classes, scores, strict=True)
            },
            "macro_f1": float(np.nanmean(scores)) if known.any() else None,
            "false_alarms": float((said[harmless] >= model.benign).mean()) if harmless.any() else None,
            "missed": float((said[~harmless] < model.benign).mean()) if (~harmless).any() else None,
            "calibration_error": expected_calibration_error(tau, right),
            "reliability": [bin._asdict() for bin in reliability(tau, right)],
            "looked": float((verdicts.opened.float() @ model.triage.share).mean()),
        }
    return told
