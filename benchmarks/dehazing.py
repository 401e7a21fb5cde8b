"""Clairvoy beside its peers on the same pictures: a table on stderr, JSON on stdout.

python benchmarks/dehazing.py --hazy DIR --clear DIR [--harm DIR ...] [--aod-net FILE.pth] > result.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from peers import aod_net

from clairvoy import ClairvoyError, Dehazer
from clairvoy.evaluation import evaluate, match_pairs, standard_restorers
from clairvoy.imaging.files import find_photographs


def main() -> int:
    parser = argparse.ArgumentParser(description="Clairvoy beside its peers on the same pictures.")
    parser.add_argument("--hazy", type=Path, required=True)
    parser.add_argument("--clear", type=Path, required=True, help="NAME.png for a hazy NAME_ANYTHING.png")
    parser.add_argument("--harm", type=Path, nargs="*", help="clear photographs (default: those of --clear)")
    parser.add_argument("--weights", default="fast", help="clairvoy's; 'none' leaves clairvoy out")
    parser.add_argument("--device", default="cpu", help="clairvoy's; the peers compute on the CPU")
    parser.add_argument("--aod-net", type=Path, help="weights of AOD-Net; without them it is left out")
    args = parser.parse_args()

    restorers = standard_restorers(
        None if args.weights == "none" else Dehazer.load(args.weights, device=args.device)
    )
    if args.aod_net:
        restorers["AOD-Net"] = aod_net(args.aod_net)
    harm = [path for folder in args.harm for path in find_photographs(folder)] if args.harm else None
    evaluation = evaluate(restorers, match_pairs(args.hazy, args.clear), harm)
    print(evaluation.table(), file=sys.stderr)
    print(json.dumps(evaluation.to_dict(), indent=2))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClairvoyError as error:
        sys.exit(f"error: {error}")
