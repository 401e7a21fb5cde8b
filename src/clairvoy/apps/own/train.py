"""`clairvoy own train`: co-training of a scenario of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clairvoy.apps.argument_types import count
from clairvoy.apps.own.made import add_scenario, scenario_of
from clairvoy.apps.train.folder import alone_in, keep_result, refuse_a_second_run
from clairvoy.cotraining.loop import CotrainSettings, cotrain
from clairvoy.scenarios.own.file import save_scenario

MODEL, CHECKPOINT = "scenario.safetensors", "checkpoint.pt"
"""Files in the folder of a run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_scenario(parser, trained=False)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for what is learnt")
    parser.add_argument(
        "--updates",
        type=count,
        default=CotrainSettings().budget,
        help="of the generator (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the agent's exploration (default: %(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where a run stopped")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when it is done, 130 when it was interrupted and can be resumed."""
    model, checkpoint = args.out / MODEL, args.out / CHECKPOINT
    scenario = scenario_of(args.scenario)
    refuse_a_second_run(args.out, args.resume, model, checkpoint)
    with alone_in(args.out):
        trained = cotrain(
            scenario,
            CotrainSettings(seed=args.seed),
            budget=args.updates,
            checkpoint=checkpoint,
            resume=args.resume,
        )
        if trained.interrupted:
            print(
                f"stopped after {trained.updates} of {args.updates} updates; --resume goes on",
                file=sys.stderr,
            )
            return 130
        notes = {
            "scenario": args.scenario,
            "updates": trained.updates,
            "seed": args.seed,
            "metrics": trained.metrics,
        }
        keep_result(model, lambda path: save_scenario(path, scenario, notes))
    for name, value in sorted(trained.metrics.items()):
        print(f"{name} {value:.4g}", file=sys.stderr)
    print(f"trained: {model}", file=sys.stderr)
    return 0
