"""`clairvoy train search`: train the search agent on photographs of your own; the models stay as they are."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from clairvoy.apps.outputs import check_writable
from clairvoy.apps.progress import Progress
from clairvoy.apps.train.folder import alone_in, keep_result
from clairvoy.apps.train.options import add_clear
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.files import find_photographs
from clairvoy.restoring.parts import load_weights, save_weights
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.search_agent.training import SearchTraining, SearchTrainingSettings, make_scenes

SECONDS_BETWEEN_LINES = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_clear(parser)
    parser.add_argument(
        "--start",
        metavar="NAME|FILE",
        help="weights whose generator and discriminator are kept, such as fast",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for weights and log")
    parser.add_argument("--steps", type=int, help="steps of all episodes together (default: 800,000)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    """Train the agent of `--start` anew; 0 when the budget is spent."""
    weights = args.out / "weights.safetensors"
    if not args.start:
        raise SettingsError(
            "train search needs --start: weights whose generator and discriminator are kept, such as fast"
        )
    if args.steps is not None and args.steps < 1:
        raise SettingsError(f"--steps is {args.steps}; give at least 1")
    if weights.exists():
        raise FileError(f"{args.out}: holds a run already; name another folder")
    check_writable([weights])
    paths = find_photographs(args.clear, recursive=True)
    if len(paths) < 2:
        raise FileError(
            f"{args.clear}: one photograph; training needs at least 2, one is held out to judge by"
        )
    parts = load_weights(args.start, fresh_agent=True)
    settings = SearchTrainingSettings(seed=args.seed)
    if args.steps is not None:
        settings = replace(settings, steps=args.steps)
    learn, held_out = _scenes(paths, parts, settings, args.quiet)
    training = SearchTraining(learn, held_out, settings)
    with alone_in(args.out):
        log = _Log(args.out, settings.steps, args.quiet)
        parts.agent.load_state_dict(training.train(log).state_dict())
        best = training.best
        notes = {
            "agent": f"train search, {training.loop.steps} steps", "seed": args.seed, "start": Path(args.start).name,
            "metrics": {"held_out/score": best.score, "held_out/found": best.found, "held_out/read": best.read},
        }  # fmt: skip
        keep_result(weights, lambda path: save_weights(path, parts, notes))
    print(
        f"trained: {weights}; on held-out scenes {best.found:.0%} of hazy windows recognised, {best.read:.0%} read",
        file=sys.stderr,
    )
    return 0


def _scenes(
    paths: list[Path], parts: object, settings: SearchTrainingSettings, quiet: bool
) -> tuple[list[SceneSet], list[SceneSet]]:
    """Scenes of every grid to learn from, and of photographs held out: every tenth, as in `train haze`."""
    kinds = (([path for k, path in enumerate(paths) if k % 10], 0), (paths[::10], 1000))
    counts = [(grid.scenes, max(2, grid.scenes // 8)) for grid in settings.grids]
    progress = Progress(sum(map(sum, counts)), quiet=quiet)
    if not quiet:
        print(f"making {sum(map(sum, counts))} scenes", file=sys.stderr, flush=True)
    made: tuple[list[SceneSet], list[SceneSet]] = [], []
    for grid, numbers in zip(settings.grids, counts, strict=True):
        for out, (chosen, seed), count in zip(made, kinds, numbers, strict=True):
            progress.start(f"{grid.side}x{grid.side} windows")
            out.append(
                make_scenes(chosen, parts, settings, grid, count, seed + settings.seed, done=progress.finish)  # type: ignore[arg-type]
            )
    progress.close()
    return made


class _Log:
    """Every round's metrics as a line of JSON in `progress.jsonl`; the main ones on stderr from time to time."""

    def __init__(self, folder: Path, total: int, quiet: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.total, self.quiet = folder / "progress.jsonl", total, quiet
        self.path.write_text("")
        self.said = time.monotonic()
        self.judged: dict[str, float] = {}

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        # A full disk costs the log, and not the training.
        with suppress(OSError), self.path.open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")
        self.judged |= {name: value for name, value in metrics.items() if name.startswith("held_out/")}
        if self.quiet or time.monotonic() - self.said < SECONDS_BETWEEN_LINES:
            return
        self.said = time.monotonic()
        told = "  ".join(f"{name} {value:.3f}" for name, value in self.judged.items())
        print(f"step {step} of {self.total}  {told}", file=sys.stderr, flush=True)
