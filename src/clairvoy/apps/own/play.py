"""`clairvoy own play`: what a trained agent's episodes pay, in the scenario's real rows."""

from __future__ import annotations

import argparse

import numpy as np
import torch

from clairvoy.apps.argument_types import count
from clairvoy.apps.own.made import add_scenario, trained_scenario
from clairvoy.evaluation.aggregate import bootstrap
from clairvoy.qlearning.rollout import evaluate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_scenario(parser, trained=True)
    parser.add_argument("--episodes", type=count, default=256, help="to play (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the episodes (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Play without exploration and print the mean return with its 95 % bootstrap interval."""
    scenario = trained_scenario(args)
    if scenario.plays_scenes:
        scenario.play_in(scenario.real)
    played = evaluate(
        scenario.environment,
        scenario.agent.act_greedily,
        args.episodes,
        torch.Generator().manual_seed(args.seed),
    )
    told = bootstrap(played.returns.numpy(), np.mean, resamples=1000)
    print(f"return {told.value:.4g} [{told.low:.4g}, {told.high:.4g}] over {len(played.returns)} episodes")
    return 0
