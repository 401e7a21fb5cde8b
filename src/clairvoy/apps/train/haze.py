"""`clairvoy train haze`: co-trains all parts of the dehazer on your photographs."""

from __future__ import annotations

import argparse
import sys
import unicodedata
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clairvoy.apps.outputs import check_writable
from clairvoy.apps.train.between_rounds import interrupts_between_rounds, say_stopped
from clairvoy.apps.train.device import choose_device
from clairvoy.apps.train.folder import alone_in, keep_result, refuse_a_second_run
from clairvoy.apps.train.log import RunLog
from clairvoy.apps.train.options import add_clear, add_out, add_run, deadline_of
from clairvoy.apps.train.recipe import follow
from clairvoy.apps.train.record import asked, refuse_another_run, write_record
from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.generative.density.learner import LearnerSettings
from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.synthesis.depth import DepthFiles, DepthSource, ProceduralDepth
from clairvoy.imaging.synthesis.depth_model import DepthMixture, DepthModel
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker, ViewPool
from clairvoy.processes.launch import joined
from clairvoy.processes.ranks import ALONE, Ranks
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.releasing.save import save_weights
from clairvoy.restoring.released import WEIGHTS_FOLDER
from clairvoy.scenarios.haze.pictures import pictures
from clairvoy.scenarios.haze.scenario import HazeScenario, HazeScenarioSettings

DEPTH_MODEL = WEIGHTS_FOLDER / "tcmonodepth_small.onnx"
PROCEDURAL = 0.25
"""Part of the photographs' scenes whose depth is procedural beside a network's."""
PATHS = ("agent_to_generator", "generated_scenes", "beliefs", "gate")
TRIAL: dict[str, Any] = {
    "pool": 6, "held_out": 6, "scenes": 6, "searches": 6, "calibration": 6, "recognition": 6,
}  # fmt: skip
"""Sizes of `--trial`."""
SHARED = ("pool", "scenes", "searches")
"""Sizes of which each of several processes has a part."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    add_clear(parser)
    parser.add_argument(
        "--depth",
        type=Path,
        metavar="DIR",
        help="depth files NAME.npz, .npy or .png; what --depth-model tells if left out",
    )
    parser.add_argument(
        "--depth-model",
        metavar="FILE.onnx",
        help="network that tells inverse depth of (1, 3, H, W) RGB 0 to 255; 'none': procedural depth "
        "(default: the one that lies beside the weights)",
    )
    parser.add_argument(
        "--rooms",
        type=float,
        metavar="SHARE",
        help="part of the scenes that are rendered rooms with the photographs as textures, 0 to 1 "
        "(default: 0.25; 0 with --depth)",
    )
    parser.add_argument(
        "--outdoors",
        type=float,
        metavar="SHARE",
        help="part of the scenes that are rendered streets, hills and coasts (default: 0.2; 0 with --depth)",
    )
    parser.add_argument(
        "--leave-out",
        nargs="+",
        metavar="NAME",
        help="photographs not to learn from, by the names of their files without ending: those that show haze",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE.toml",
        help="file of these options, as 'fast' for those of the released weights; what is given here as well counts",
    )
    parser.add_argument(
        "--start",
        metavar="NAME|FILE",
        help="weights to go on from, such as fast; from nothing if left out",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        nargs=2,
        metavar=("HAZY", "CLEAR"),
        help="folders of real pairs to learn from as well",
    )
    add_out(parser)
    parser.add_argument(
        "--updates",
        type=int,
        help="updates of the generator (default: 4000); 0: calibrate the weights of --start, and no more",
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="peak of the generator's (default: 8e-4; half of it with --start)",
    )
    parser.add_argument("--batch", type=int, help="pictures in a batch (default: 16; 128 on a GPU)")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        help="compute convolutions in bfloat16: a third less time on CPUs that have it (always on a GPU)",
    )
    parser.add_argument(
        "--trial",
        action="store_true",
        default=None,  # as in the record of a run that began before there was this option
        help="few scenes and a short calibration: to see in a minute that all of it runs, not to learn from",
    )
    add_run(
        parser,
        PATHS,
        device="auto",
        without="switch a feedback path off; may be repeated",
    )
    parser.set_defaults(seed=None)  # a recipe may name another than 0


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the budget is spent, 130 after Ctrl-C."""
    if args.depth and args.depth_model:
        raise SettingsError(
            "--depth and --depth-model both tell where depth comes from; leave one of them out"
        )
    follow(args)
    checkpoint, weights = args.out / "checkpoint.pt", args.out / "weights.safetensors"
    if args.updates < 0 or (args.updates == 0 and not args.start):
        raise SettingsError(
            f"--updates is {args.updates}; give at least 1, or 0 with --start to calibrate those weights anew"
        )
    if not (0 <= args.rooms <= 1 and 0 <= args.outdoors <= 1 and args.rooms + args.outdoors <= 1):
        raise SettingsError(
            f"--rooms is {args.rooms} and --outdoors {args.outdoors}; they are parts of the scenes, together at most 1"
        )
    if args.learning_rate is not None and not 0 < args.learning_rate < 1:
        raise SettingsError(f"--learning-rate is {args.learning_rate}; it must lie between 0 and 1")
    deadline = deadline_of(args)
    device = choose_device(args.device)
    with ExitStack() as stack:
        ranks, device = stack.enter_context(joined(device))
        ranks.by_first(lambda: _check_folder(args, checkpoint))
        scenario = _scenario(args, device, ranks)
        ranks.by_first(lambda: stack.enter_context(alone_in(args.out)))
        if args.updates == 0:
            return _calibrate(args, scenario, weights) if ranks.first else 0
        return _train(args, scenario, weights, deadline, ranks)


def _check_folder(args: argparse.Namespace, checkpoint: Path) -> None:
    refuse_a_second_run(args.out, args.resume, checkpoint)
    check_writable([checkpoint])
    if args.resume:
        refuse_another_run(args.out, asked(args, SAME), _files(args))


def _calibrate(args: argparse.Namespace, scenario: HazeScenario, weights: Path) -> int:
    metrics = scenario.finish()
    notes = {"calibrated": Path(args.start).name, "seed": args.seed, "metrics": metrics}
    keep_result(weights, lambda path: save_weights(path, scenario.parts, notes))
    print(f"calibrated: {weights}", file=sys.stderr)
    return 0


def _train(
    args: argparse.Namespace, scenario: HazeScenario, weights: Path, deadline: float | None, ranks: Ranks
) -> int:
    checkpoint = args.out / "checkpoint.pt"
    settings = CotrainSettings(
        budget=args.updates,
        agent_batch=ranks.share("agent_batch", CotrainSettings.agent_batch),
        seed=ranks.seed(args.seed),
        feedback=Feedback(**dict.fromkeys(args.without, False)),
    )
    ranks.by_first(lambda: _begin(args, checkpoint, _settings(scenario, settings)))
    log = RunLog(args.out, args.updates, args.quiet, lambda: pictures(scenario)) if ranks.first else None
    with interrupts_between_rounds() as interrupts:
        done = cotrain(
            scenario,
            settings,
            checkpoint=checkpoint,
            resume=args.resume,
            report=log,
            deadline=deadline,
            pause=interrupts.check,
            ranks=ranks,
        )
    if log is None:
        return 0
    log.close()
    if done.interrupted:
        return say_stopped(
            checkpoint, f"{done.updates} of {args.updates} updates", interrupts, in_time=bool(args.minutes)
        )
    notes = {"updates": done.updates, "seed": args.seed, "metrics": done.metrics}
    keep_result(weights, lambda path: save_weights(path, scenario.parts, notes))
    print(f"trained: {weights}", file=sys.stderr)
    return 0


def _begin(args: argparse.Namespace, checkpoint: Path, settings: dict[str, Any]) -> None:
    refuse_a_second_run(args.out, args.resume, checkpoint)  # another run may have begun meanwhile
    if not args.resume:
        write_record(args.out, asked(args, SAME), settings, _files(args))


SAME = (
    "scenario",
    "clear",
    "depth",
    "depth_model",
    "rooms",
    "outdoors",
    "leave_out",
    "start",
    "pairs",
    "updates",
    "learning_rate",
    "batch",
    "bf16",
    "trial",
    "seed",
    "without",
)
"""What a resumed run must share with the one that it continues."""


def _settings(scenario: HazeScenario, settings: CotrainSettings) -> dict[str, Any]:
    """All that the run is made with, for its record."""
    return {
        "cotrain": asdict(settings),
        "scenario": asdict(scenario.settings),
        "generator": asdict(scenario.parts.generator.settings),
        "agent": asdict(scenario.agent.settings),
        "device": str(scenario.device),
    }


def _files(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Every file that the run reads, by option."""
    files = {"clear": _photographs(args)}
    if args.pairs:
        files |= {f"pairs_{n}": find_photographs(args.pairs[k]) for k, n in enumerate(("hazy", "clear"))}
    if args.depth:
        files["depth"] = sorted(path for path in args.depth.iterdir() if path.is_file())
    elif args.depth_model and args.depth_model != "none":
        files["depth_model"] = [Path(args.depth_model)]
    if args.start and Path(args.start).is_file():
        files["start"] = [Path(args.start)]
    return files


def _scenario(args: argparse.Namespace, device: torch.device, ranks: Ranks = ALONE) -> HazeScenario:
    paths = _photographs(args)
    if len(paths) < 2:
        raise FileError(
            f"{args.clear}: photographs to learn from: {len(paths)}; training needs at least 2, one is held out to "
            "calibrate on"
        )
    # Every tenth photograph calibrates and is never learnt from.
    held = paths[::10]
    learnt = [path for index, path in enumerate(paths) if index % 10]
    depth = _depth(args)
    shares = {"rooms": args.rooms, "outdoors": args.outdoors}
    gpu = device.type == "cuda"
    rate = args.learning_rate or (4e-4 if args.start else 8e-4)
    batch = ranks.share("--batch", args.batch or (128 if gpu else 16))
    settings = HazeScenarioSettings(
        updates=args.updates,
        batch=batch,
        from_agent=batch // 4,
        seed=args.seed,
        learner=LearnerSettings(
            learning_rate=rate, bf16=gpu or args.bf16, judged=-(-(32 if gpu else 6) // ranks.size)
        ),
        **(TRIAL if args.trial else {}),
    )
    settings = replace(settings, **{name: -(-getattr(settings, name) // ranks.size) for name in SHARED})
    # A calibration learns recognition, and nothing else.
    kept = settings.pool if args.updates else min(settings.pool, settings.recognition)
    pool = ViewPool(
        ViewMaker(Photographs(learnt), depth, seed=args.seed, **shares), kept, ranks.rank, ranks.size
    )
    held_out = ViewPool(
        ViewMaker(Photographs(held), depth, seed=args.seed + 1000, **shares), settings.held_out
    )
    pairs = _pairs(*args.pairs) if args.pairs else None
    return HazeScenario(pool, held_out, settings, _parts(args), device, pairs, ranks)


def _photographs(args: argparse.Namespace) -> list[Path]:
    """The photographs to learn from and to calibrate on."""
    # One letter with an accent has two spellings in Unicode, and file systems differ in which they tell.
    left_out = {unicodedata.normalize("NFC", name) for name in args.leave_out or ()}
    paths = find_photographs(args.clear, recursive=True)
    return [path for path in paths if unicodedata.normalize("NFC", path.stem) not in left_out]


def _depth(args: argparse.Namespace) -> DepthSource:
    if args.depth:
        return DepthFiles(args.depth)
    if args.depth_model == "none":
        return ProceduralDepth()
    return DepthMixture(DepthModel(args.depth_model or DEPTH_MODEL), ProceduralDepth(), PROCEDURAL)


def _parts(args: argparse.Namespace) -> Parts:
    if args.start:
        return load_weights(args.start)
    with torch.random.fork_rng():
        torch.manual_seed(args.seed)
        parts = Parts.new()
    # A run that is resumed gets the weights of its checkpoint; those of ImageNet would only be read in vain.
    if not args.resume:
        parts.generator.trunk.backbone.load_imagenet()
    return parts


def _pairs(hazy: Path, clear: Path) -> tuple[Tensor, Tensor]:
    """Real pairs as squares, (P, 3, 256, 256) uint8 each."""
    from clairvoy.evaluation import match_pairs
    from clairvoy.imaging.synthesis.squares import cut_squares

    squares: tuple[list[Tensor], list[Tensor]] = [], []
    for pair in match_pairs(hazy, clear):
        seen = read(pair.hazy).shown, read(pair.clear).shown
        if seen[0].shape != seen[1].shape:
            sizes = " and ".join(f"{one.shape[1]}x{one.shape[0]}" for one in seen)
            raise FileError(
                f"{pair.hazy} and {pair.clear} are {sizes} pixels; a pair must show the same view"
            )
        for kept, path, pixels in zip(squares, (pair.hazy, pair.clear), seen, strict=True):
            try:
                cut = cut_squares(pixels, 256)
            except InputError as error:
                raise FileError(f"{path}: {error}") from error
            kept.extend(torch.from_numpy(square).permute(2, 0, 1) for square in cut)
    return torch.stack(squares[0]), torch.stack(squares[1])
