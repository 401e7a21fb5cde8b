"""`clairvoy train search`: train the search agent on photographs of your own; the models stay as they are."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from clairvoy.apps.outputs import check_writable
from clairvoy.apps.progress import Progress
from clairvoy.apps.train.between_rounds import interrupts_between_rounds, say_stopped
from clairvoy.apps.train.device import choose_device
from clairvoy.apps.train.folder import alone_in, keep_result, refuse_a_second_run
from clairvoy.apps.train.log import RunLog
from clairvoy.apps.train.options import add_clear, add_out, add_run, deadline_of
from clairvoy.apps.train.record import asked, refuse_another_run, write_record
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.files import find_photographs
from clairvoy.qlearning.rounds import Limits
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.releasing.save import save_weights
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.search_agent.training import (
    SearchTraining,
    SearchTrainingSettings,
    make_scenes,
    train_search,
)

SAME = ("scenario", "clear", "start", "steps", "seed")
"""What a resumed run must share with the one that it continues."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_clear(parser)
    parser.add_argument(
        "--start",
        metavar="NAME|FILE",
        help="weights whose generator and discriminator are kept, such as fast",
    )
    add_out(parser)
    parser.add_argument(
        "--steps",
        type=int,
        default=SearchTrainingSettings().steps,
        help="steps of all episodes together (default: %(default)s)",
    )
    add_run(parser, device="cpu")


def run(args: argparse.Namespace) -> int:
    """Train the agent of `--start` anew; 0 when the budget is spent, 130 after Ctrl-C."""
    checkpoint, weights = args.out / "checkpoint.pt", args.out / "weights.safetensors"
    if not args.start:
        raise SettingsError(
            "train search needs --start: weights whose generator and discriminator are kept, such as fast"
        )
    if args.steps < 1:
        raise SettingsError(f"--steps is {args.steps}; give at least 1")
    deadline, device = deadline_of(args), choose_device(args.device)
    refuse_a_second_run(args.out, args.resume, checkpoint, weights)
    check_writable([checkpoint, weights])
    paths = find_photographs(args.clear, recursive=True)
    if len(paths) < 2:
        raise FileError(
            f"{args.clear}: one photograph; training needs at least 2, one is held out to judge by"
        )
    same = asked(args, SAME)
    files = {"clear": paths} | ({"start": [Path(args.start)]} if Path(args.start).is_file() else {})
    if args.resume:
        refuse_another_run(args.out, same, files)
    parts = load_weights(args.start, fresh_agent=True).to(device)
    settings = SearchTrainingSettings(seed=args.seed, steps=args.steps)
    learn, held_out = _scenes(paths, parts, settings, args.quiet)
    training = SearchTraining(learn, held_out, settings, device)
    with alone_in(args.out):
        refuse_a_second_run(
            args.out, args.resume, checkpoint, weights
        )  # another run may have begun meanwhile
        if not args.resume:
            made = {"search": asdict(settings), "device": str(device)}
            write_record(args.out, same | {"updates": training.planned_rounds}, made, files)
        return _train(args, training, parts, deadline)


def _train(args: argparse.Namespace, training: SearchTraining, parts: Parts, deadline: float | None) -> int:
    checkpoint, weights = args.out / "checkpoint.pt", args.out / "weights.safetensors"
    # A round is thousands of steps: each has a line.
    log = RunLog(args.out, training.planned_rounds, args.quiet, stretch=1)
    with interrupts_between_rounds() as interrupts:

        def report(steps: int, metrics: dict[str, float]) -> None:
            log(training.rounds, metrics | {"agent/steps": float(steps)})

        trained = train_search(
            training,
            Limits(deadline, interrupts.check),
            checkpoint=checkpoint,
            resume=args.resume,
            report=report,
        )
    log.close()
    if not trained.finished:
        return say_stopped(
            checkpoint,
            f"{training.steps} of {args.steps} steps",
            interrupts,
            in_time=bool(args.minutes),
        )
    parts.agent.load_state_dict(training.agent.network.state_dict())
    found = trained.best.metrics
    notes = {
        "agent": f"train search, {training.steps} steps", "seed": args.seed, "start": Path(args.start).name,
        "best_at_step": trained.best.steps, "metrics": found,
    }  # fmt: skip
    keep_result(weights, lambda path: save_weights(path, parts, notes))
    print(
        f"trained: {weights}; on held-out scenes {found['held_out/found']:.0%} of hazy windows recognised, "
        f"{found['held_out/read']:.0%} read",
        file=sys.stderr,
    )
    return 0


def _scenes(
    paths: list[Path], parts: Parts, settings: SearchTrainingSettings, quiet: bool
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
                make_scenes(chosen, parts, settings, grid, count, seed + settings.seed, done=progress.finish)
            )
    progress.close()
    return made
