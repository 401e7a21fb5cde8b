"""Several search agents, each trained alone from a seed of its own, on the same scenes: what `search.py --agents` compares.

python benchmarks/search_agents.py --clear DIR [DIR ...] --out DIR [--seeds 0 1 2 3 4] [--steps 800000] [--large 24]

The training of `clairvoy train search`; generator and discriminator are those of --start. Making the scenes takes longer
than one training, so all agents learn from the same ones: seeds decide the first weights, what is explored, and in which
order and orientation the scenes are met. Writes agent-SEED.safetensors; a seed whose file is there is not trained again.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

from clairvoy.imaging.files import find_photographs
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.releasing.save import save_weights
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.search_agent.training import (
    SearchTraining,
    SearchTrainingSettings,
    make_scenes,
    train_search,
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Train search agents from several seeds on the same scenes.")
    parser.add_argument("--clear", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="fast", help="weights that perceive (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=SearchTrainingSettings().steps)
    parser.add_argument(
        "--large", type=int, default=24, help="scenes of 32 x 32 windows, the dearest to make"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    settings = SearchTrainingSettings(steps=args.steps)
    grids = tuple(replace(grid, scenes=args.large) if grid.side == 32 else grid for grid in settings.grids)
    settings = replace(settings, grids=grids)
    paths = list(chain.from_iterable(find_photographs(folder, recursive=True) for folder in args.clear))
    parts = load_weights(args.start, fresh_agent=True)
    learn, held_out = scenes(paths, parts, settings)
    said("scenes made")
    for seed in args.seeds:
        weights = args.out / f"agent-{seed}.safetensors"
        if weights.exists():
            continue
        training = SearchTraining(learn, held_out, replace(settings, seed=seed))
        trained = train_search(training)
        parts.agent.load_state_dict(training.agent.network.state_dict())
        notes = {"agent": "benchmarks/search_agents.py", "seed": seed, "steps": training.steps}
        save_weights(weights, parts, notes | {"best_at_step": trained.best.steps})
        judged = ", ".join(f"{name} {value:.3f}" for name, value in trained.best.metrics.items())
        said(f"seed {seed}: best after {trained.best.steps} steps, {judged}")
    return 0


def scenes(
    paths: list[Path], parts: Parts, settings: SearchTrainingSettings
) -> tuple[list[SceneSet], list[SceneSet]]:
    """To learn from, and of every tenth photograph held out: those of `clairvoy train search --seed 0`."""
    learn, held_out = [path for k, path in enumerate(paths) if k % 10], paths[::10]
    return (
        [make_scenes(learn, parts, settings, grid, grid.scenes, 0) for grid in settings.grids],
        [
            make_scenes(held_out, parts, settings, grid, max(2, grid.scenes // 8), 1000)
            for grid in settings.grids
        ],
    )


def said(what: str) -> None:
    print(f"{time.process_time():.0f} CPU s: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
