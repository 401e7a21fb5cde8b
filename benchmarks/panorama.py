"""Where to look on a sphere: the agent beside other ways to choose, with the same completion.

    python benchmarks/panorama.py train --out RUNS --seeds 0 1 2 3 4 --device cuda
    python benchmarks/panorama.py measure RUNS/*.safetensors [--panoramas FOLDER] > panorama.json

Trained on rendered panoramas alone. Measured on other rendered ones, or on photographs in a folder, one by one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.imaging.synthesis.panoramas import render_panorama
from clairvoy.scenarios.panorama.baselines import (
    along_the_equator,
    best_list,
    by_chance,
    by_oracle,
    by_variance,
    error_after,
    from_list,
)
from clairvoy.scenarios.panorama.completion import learn_completion
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.training import by_agent, load_looking, looking_scenario, save_looking

HEIGHT = 32
HELD_OUT, LIST_FROM = 10_000_000, 20_000_000
"""First seeds of panoramas that nothing is trained on, and of those that the best list is found on."""


def rendered(first: int, count: int) -> Tensor:
    """Panoramas (count, 3, HEIGHT, 2 HEIGHT) uint8 of so many seeds."""
    with multiprocessing.Pool() as pool:
        drawn = pool.map(_render, range(first, first + count), chunksize=32)
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()


def photographs(folder: Path) -> Tensor:
    """Panoramas of a folder, made small by the mean over each pixel, (n, 3, HEIGHT, 2 HEIGHT) uint8."""
    read = [cv2.imread(str(path))[..., ::-1] for path in sorted(folder.glob("*.jpg"))]
    small = [cv2.resize(one, (2 * HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA) for one in read]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).contiguous()


def train(args: argparse.Namespace) -> None:
    """Render once; then one process for each seed."""
    real = rendered(0, args.scenes)
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_train_one, args=(args, seed, real)) for seed in args.seeds]
    for process in running:
        process.start()
    for process in running:
        process.join()


def measure(args: argparse.Namespace) -> None:
    """Print, for each way to choose and each file, the mean error after each number of glimpses."""
    shown = photographs(args.panoramas) if args.panoramas else rendered(HELD_OUT, args.scenes)
    of_list = rendered(LIST_FROM, args.list_from)
    told = {path.stem: _measure_one(path, shown, of_list, args.device) for path in args.files}
    print(json.dumps({"panoramas": len(shown), "errors": told}, indent=1))


def _render(seed: int) -> np.ndarray:
    return render_panorama(HEIGHT, np.random.default_rng(seed))[0]


def _train_one(args: argparse.Namespace, seed: int, real: Tensor) -> None:
    torch.set_num_threads(args.threads)
    begun, looking = time.monotonic(), Looking(HEIGHT, args.glimpses)

    def say(update: int, terms: dict[str, float]) -> None:
        if update % 500 == 0:
            print(f"seed {seed} {time.monotonic() - begun:.0f} s: {update} {terms}", flush=True)

    learner = learn_completion(
        real, looking.views, updates=args.updates, width=args.width, seed=seed, device=args.device, say=say
    )
    scenario = looking_scenario(real, learner, looking, seed=seed, device=args.device)
    settings = CotrainSettings(seed=seed, feedback=Feedback(beliefs=False, generated_scenes=False))
    trained = cotrain(scenario, settings, budget=args.looks, report=say)
    args.out.mkdir(parents=True, exist_ok=True)
    save_looking(args.out / f"seed{seed}.safetensors", scenario, looking, {"metrics": trained.metrics})
    print(f"seed {seed} done after {time.monotonic() - begun:.0f} s: {trained.metrics}", flush=True)


def _measure_one(path: Path, shown: Tensor, of_list: Tensor, device: str) -> dict[str, list[float]]:
    scenario, looking = load_looking(path, device)
    snapshot, k = scenario.snapshot, looking.glimpses
    ways = {
        "by chance": by_chance(len(shown), k, torch.Generator().manual_seed(0)),
        "along the equator": from_list(along_the_equator(k), len(shown)),
        "best list": from_list(best_list(looking, snapshot, of_list, k), len(shown)),
        "largest variance": by_variance(looking, snapshot, shown, k),
        "agent": by_agent(scenario, looking, shown),
        "oracle": by_oracle(looking, snapshot, shown, k),
    }
    told = {
        "nothing seen": [
            float(error_after(looking, snapshot, shown, torch.zeros(len(shown), 0).long()).mean())
        ]
    }
    mean = shown.float().mean(dim=(2, 3), keepdim=True).expand_as(shown)
    told["mean colour, known"] = [
        float(
            ((mean - shown.float()).div(255).square().mean(dim=1) * looking.weights)
            .sum(dim=(1, 2))
            .sqrt()
            .mean()
        )
    ]
    for name, chosen in ways.items():
        after = [error_after(looking, snapshot, shown, chosen[:, :n]) for n in range(1, k + 1)]
        told[name] = [float(one.mean()) for one in after]
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    doors = parser.add_subparsers(required=True)
    training = doors.add_parser("train")
    training.set_defaults(run=train)
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--seeds", type=int, nargs="+", default=[0])
    training.add_argument("--scenes", type=int, default=16_000)
    training.add_argument("--updates", type=int, default=6000)
    training.add_argument("--looks", type=int, default=1500)
    training.add_argument("--glimpses", type=int, default=4)
    training.add_argument("--width", type=int, default=128)
    training.add_argument("--threads", type=int, default=3)
    training.add_argument("--device", default="cpu")
    measuring = doors.add_parser("measure")
    measuring.set_defaults(run=measure)
    measuring.add_argument("files", type=Path, nargs="+")
    measuring.add_argument("--panoramas", type=Path)
    measuring.add_argument("--scenes", type=int, default=256)
    measuring.add_argument(
        "--list-from", type=int, default=256, help="panoramas that the best list is found on"
    )
    measuring.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    chosen.run(chosen)
