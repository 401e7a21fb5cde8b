"""Tau of a completed sphere: does it hold? And its discriminator: what does it decide.

    python benchmarks/panorama_trust.py RUNS [--panoramas FOLDER] > trust.json

RUNS is the folder of `panorama_values.py`. The discriminator goes on learning with the generator still; tau is fitted on
rendered panoramas that the generator has not learnt from, and measured on others and on photographs, one to four glimpses
at random. `RUNS/looking.safetensors` is written for `clairvoy look --model`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from panorama import HEIGHT, photographs
from torch import Tensor

from clairvoy.evaluation.reliability import expected_calibration_error, reliability
from clairvoy.scenarios.panorama.completion import complete, new_learner
from clairvoy.scenarios.panorama.directions import DIRECTIONS, error, seen_from
from clairvoy.scenarios.panorama.judging import draws_of, learn_to_judge, most_believed, told_right
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.model import LookingModel, new_model
from clairvoy.scenarios.panorama.tau import right


def main() -> int:
    parser = argparse.ArgumentParser(description="Tau of a completed sphere, and its discriminator.")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--panoramas", type=Path)
    parser.add_argument("--completion-seed", type=int, default=0)
    parser.add_argument("--values-seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument(
        "--judged", type=int, default=1500, help="panoramas that the discriminator goes on with"
    )
    parser.add_argument("--judge-updates", type=int, default=3000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    real, held, test = (torch.load(args.runs / f"{name}.pt") for name in ("real", "held", "test"))
    looking, seed = Looking(HEIGHT, 4), args.completion_seed
    learner = new_learner(real, looking.views, args.width, seed)
    learner.load_state_dict(torch.load(args.runs / f"completion{seed}.pt", weights_only=False))
    learnt = learn_to_judge(learner, real[: args.judged], looking.views, updates=args.judge_updates)
    model = new_model(looking, learner)
    values = args.runs / f"values{seed}-{args.values_seed}.pt"
    if values.exists():
        model.values.load_state_dict(torch.load(values))
    model.tau.fit(model.snapshot, held, _taken(len(held), 0))
    model.save(args.runs / "looking.safetensors")
    told: dict[str, Any] = {
        "told right in training, the last tenth": float(np.mean(learnt[-len(learnt) // 10 :]))
    }
    shown = {"rendered": test[:128]}
    if args.panoramas:
        shown["photographs"] = photographs(args.panoramas)
    for kind, pictures in shown.items():
        print(kind, file=sys.stderr)
        told[kind] = {"tau": _reliable(model, pictures), "judged": _judged(model, pictures)}
    print(json.dumps(told, indent=1))
    return 0


def _taken(count: int, seed: int) -> Tensor:
    """One to four glimpses at random, (count, DIRECTIONS) bool."""
    rng = torch.Generator().manual_seed(seed)
    order = torch.rand(count, DIRECTIONS, generator=rng).argsort(dim=1).argsort(dim=1)
    return order < torch.randint(1, 5, (count, 1), generator=rng)


def _reliable(model: LookingModel, shown: Tensor, rounds: int = 2) -> dict[str, Any]:
    said, came, pixels, outcomes = [], [], [], []
    for number in range(rounds):
        taken = _taken(len(shown), 1 + number)
        told = model.tau(model.snapshot, shown, taken)
        unseen = ~taken
        said.append(told.directions[unseen])
        came.append(model.tau.share_right(told.completed, shown, taken)[unseen])
        new = ~seen_from(model.looking.views, taken) & (torch.rand(told.pixels.shape) < 0.2)
        pixels.append(told.pixels[new])
        outcomes.append(right(told.completed, shown)[new])
    tau, share = torch.cat(said).numpy(), torch.cat(came).numpy()
    tau_pixels, right_pixels = torch.cat(pixels).numpy(), torch.cat(outcomes).numpy()
    bins = [(round(b.probability, 3), round(b.frequency, 3), b.size) for b in reliability(tau, share)]
    for said_, came_, size in bins:
        print(f"  tau {said_:.2f}: {came_:.2f} right ({size} directions)", file=sys.stderr)
    return {
        "directions": bins,
        "ECE of directions": expected_calibration_error(tau, share),
        "rank correlation of directions": _rank(tau, share),
        "mean absolute gap": float(np.abs(tau - share).mean()),
        "the same, of one number for all": float(np.abs(share.mean() - share).mean()),
        "ECE of pixels": expected_calibration_error(tau_pixels, right_pixels),
        "right": float(share.mean()),
    }


def _rank(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation."""
    ranks = [np.argsort(np.argsort(one)) for one in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def _judged(model: LookingModel, shown: Tensor, draws: int = 8) -> dict[str, Any]:
    told = {}
    for number in (1, 2, 4):
        rng = torch.Generator().manual_seed(number)
        taken = torch.rand(len(shown), DIRECTIONS, generator=rng).argsort(dim=1).argsort(dim=1) < number
        seen = seen_from(model.looking.views, taken)
        made = draws_of(model.snapshot, shown, seen, draws)
        weights = model.looking.weights
        each = torch.stack([error(one, shown, weights) for one in made])
        kept = error(most_believed(model.snapshot, made), shown, weights)
        change = (kept / each.mean(dim=0) - 1).numpy()
        again = np.random.default_rng(0).choice(change, (2000, len(change))).mean(axis=1)
        told[number] = {
            **told_right(model.snapshot, shown, seen),
            "error: likeliest": float(error(complete(model.snapshot, shown, seen), shown, weights).mean()),
            "a draw": float(each.mean()),
            "the most believed draw": float(kept.mean()),
            "the best draw": float(each.amin(dim=0).mean()),
            "believed against a draw": [float(change.mean()), *np.percentile(again, [2.5, 97.5]).tolist()],
        }
        print(number, told[number], file=sys.stderr)
    return told


if __name__ == "__main__":
    sys.exit(main())
