"""`clairvoy own sample`: rows that a trained generator makes, as a NumPy file."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np

from clairvoy.apps.argument_types import count
from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.apps.own.made import add_scenario, trained_scenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_scenario(parser, trained=True)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="ROWS.npy", help="file to write")
    parser.add_argument("--count", type=count, default=100, help="rows to make (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the rows (default: %(default)s)")
    parser.add_argument("--without-gate", action="store_true", help="also what the discriminator disbelieves")


def run(args: argparse.Namespace) -> int:
    """Make rows and write them; 0 when it is done."""
    check_writable([args.out])
    scenario = trained_scenario(args)
    scenario.learner.noise.manual_seed(args.seed)
    scenario.rng.manual_seed(args.seed + 1)
    rows = scenario.sample(args.count, gate=not args.without_gate)
    file = io.BytesIO()
    np.save(file, rows.numpy())
    write_bytes(args.out, file.getvalue())
    return 0
