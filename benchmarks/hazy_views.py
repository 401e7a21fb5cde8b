"""Haze on the sphere: an agent turns and recognises hazy views, beside tours; and a dehazer restores them.

    python benchmarks/hazy_views.py play > play.json
    python benchmarks/hazy_views.py restore --panoramas FOLDER [--sheet sheet.png] > restore.json

`play` trains on rendered panoramas that lie partly in fog, and measures on others: how many of the hazy views are recognised
within the steps of an episode, and how many clear ones are taken for hazy. A tour goes around at the horizon, above and
below, and recognises what a threshold on the dark channel says, chosen on the panoramas of the training; the tour of the
truth recognises without fault, and shows what turning costs alone.

`restore` puts fog on photographed panoramas, cuts the views out, and lets the released dehazer recognise and restore each.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clairvoy import Dehazer
from clairvoy.drawing.png import picture_png
from clairvoy.evaluation.recognition import area_under_roc
from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.haze import add_haze
from clairvoy.imaging.synthesis.depth_model import DepthModel
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.restoring.released import WEIGHTS_FOLDER
from clairvoy.scenarios.own.scene_environment import SceneEnvironment
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, looks_at
from clairvoy.scenarios.panorama.haze import HazyViews, HazyViewsSettings, fog_bank, render_hazy
from clairvoy.scenarios.panorama.looking import DOWN, RIGHT, STAY, UP

HEIGHT = 32
HELD_OUT = 30_000_000
"""First seed of panoramas that nothing is trained on."""
Act = Callable[[Tensor, dict[str, Tensor]], Tensor]
"""From scenes and state to actions (N,)."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Haze on the sphere: recognised by an agent, restored in views."
    )
    doors = parser.add_subparsers(required=True)
    playing = doors.add_parser("play")
    playing.set_defaults(run=play)
    playing.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    playing.add_argument("--scenes", type=int, default=600)
    playing.add_argument("--measured", type=int, default=128)
    playing.add_argument("--budget", type=int, default=120_000)
    restoring = doors.add_parser("restore")
    restoring.set_defaults(run=restore)
    restoring.add_argument("--panoramas", type=Path, required=True)
    restoring.add_argument("--limit", type=int)
    restoring.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    print(json.dumps(args.run(args), indent=1))
    return 0


def play(args: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    training, shown = _rendered(0, args.scenes), _rendered(HELD_OUT, args.measured)
    rules = HazyViews(HEIGHT, HazyViewsSettings(false_alarm=0.5, step=0.01))
    threshold = max(
        np.linspace(0.1, 0.9, 17),
        key=lambda t: _played(rules, training[:128], _tour(rules, _dark(rules, t)))["return"],
    )
    told: dict[str, Any] = {
        "dark channel from": float(threshold),
        "tour": _played(rules, shown, _tour(rules, _dark(rules, threshold))),
        "tour of the truth": _played(rules, shown, _tour(rules, rules.hazy)),
    }
    for seed in args.seeds:
        environment = SceneEnvironment(training, 64, rules.rules)
        torch.manual_seed(seed)
        agent = PQN(network_for(environment.observation_specs, 5), PQNSettings(gamma=0.97))
        run = PQNTraining(agent, environment, args.budget, seed)
        while not run.over:
            metrics = run.round()
        print(f"seed {seed}: {metrics}", file=sys.stderr, flush=True)
        told[f"agent {seed}"] = _played(rules, shown, _agent(rules, agent))
    return told


def restore(args: argparse.Namespace) -> dict[str, Any]:
    dehazer, depth = Dehazer.load("fast", "cpu"), DepthModel(WEIGHTS_FOLDER / "tcmonodepth_small.onnx")
    from panoramas import _distance

    found, sheets = [], []
    for number, path in enumerate(find_photographs(args.panoramas)[: args.limit]):
        clear = np.ascontiguousarray(read(path).pixels)
        rng = np.random.default_rng(number)
        transmission = fog_bank(_distance(depth, clear, rng), rng)[..., None]
        hazy = add_haze(clear / np.float32(255), transmission, rng.uniform(0.7, 1.0))
        hazy = np.clip(np.rint(hazy * 255), 0, 255).astype(np.uint8)
        whole = dehazer(hazy, force=True).image
        for direction in range(DIRECTIONS):
            cut = [_view(one, direction) for one in (clear, hazy, whole, 1 - transmission)]
            result = dehazer(cut[1])
            forced = dehazer(cut[1], force=True).image
            found.append(
                {
                    "panorama": path.stem, "direction": direction, "haze": float(cut[3].mean()),
                    "probability": result.report.haze_probability, "untouched": _psnr(cut[1], cut[0]),
                    "view": _psnr(result.image, cut[0]), "view, by force": _psnr(forced, cut[0]),
                    "whole, by force": _psnr(cut[2], cut[0]),
                }
            )  # fmt: skip
            if direction in (AROUND, AROUND + 2) and number < 6:
                sheets.append(np.hstack([cut[1], result.image, cut[2], cut[0]]))
    if args.sheet:
        args.sheet.write_bytes(picture_png(np.vstack(sheets)))
    hazy_from = HazyViewsSettings().hazy_from
    kinds = {
        "hazy": [one for one in found if one["haze"] >= hazy_from],
        "clear": [one for one in found if one["haze"] < 0.05],
    }
    told: dict[str, Any] = {"views": len(found)}
    for name, some in kinds.items():
        columns = ("probability", "untouched", "view", "view, by force", "whole, by force")
        told[name] = {"views": len(some)} | {c: float(np.mean([one[c] for one in some])) for c in columns}
        told[name]["recognised"] = float(np.mean([one["probability"] >= 0.5 for one in some]))
    told["auroc"] = area_under_roc(*([one["probability"] for one in some] for some in kinds.values()))
    return told


def _rendered(first: int, count: int) -> Tensor:
    with multiprocessing.Pool() as pool:
        drawn = pool.map(_render, range(first, first + count), chunksize=16)
    return torch.from_numpy(np.stack(drawn))


def _render(seed: int) -> NDArray[np.uint8]:
    return render_hazy(HEIGHT, np.random.default_rng(seed))


def _played(rules: HazyViews, scenes: Tensor, act: Act) -> dict[str, float]:
    """Means over one episode in each scene."""
    state = rules.begin(scenes, torch.Generator().manual_seed(0))
    hazy = rules.hazy(scenes)
    total, steps = torch.zeros(len(scenes)), torch.zeros(len(scenes))
    over = ~hazy.any(dim=1)
    for _ in range(rules.settings.steps):
        after, reward, ends = rules.act(scenes, state, act(scenes, state))
        for name, value in after.items():
            state[name] = torch.where(over.view(-1, *[1] * (value.ndim - 1)), state[name], value)
        total += reward * ~over
        steps += ~over
        over = over | ends
    right = (state["settled"] & hazy).sum(dim=1)
    some = hazy.any(dim=1)
    return {
        "return": float(total[some].mean()),
        "recognised": float((right[some] / hazy[some].sum(dim=1)).mean()),
        "false alarms": float((state["settled"] & ~hazy)[some].sum(dim=1).float().mean()),
        "steps": float(steps[some].mean()),
    }


def _agent(rules: HazyViews, agent: PQN) -> Act:
    def act(scenes: Tensor, state: dict[str, Tensor]) -> Tensor:
        shown = {**rules.show(scenes, state), "belief": torch.zeros(len(scenes), 2)}
        return agent.act_greedily(shown, rules.allow(scenes, state)).cpu()

    return act


def _dark(rules: HazyViews, threshold: float) -> Callable[[Tensor], Tensor]:
    """Which views the dark channel takes for hazy: the least of the colours around each pixel, its mean over the view."""

    def hazy(scenes: Tensor) -> Tensor:
        dark = -F.max_pool2d(-scenes[:, :3].float().amin(dim=1, keepdim=True) / 255, 3, 1, 1)
        return rules.over_views(dark[:, 0]) >= threshold

    return hazy


def _tour(rules: HazyViews, believed: Callable[[Tensor], Tensor]) -> Act:
    """Around at the horizon, then above, then below; stays where haze is believed and was not recognised before."""

    def act(scenes: Tensor, state: dict[str, Tensor]) -> Tensor:
        here = F.one_hot(state["looks"], DIRECTIONS).bool()
        stays = (believed(scenes) & here & ~state["settled"]).any(dim=1)
        row = state["looks"] // AROUND
        around = state["visited"].unflatten(1, (3, AROUND)).all(dim=2).gather(1, row[:, None])[:, 0]
        above = state["visited"].unflatten(1, (3, AROUND)).all(dim=2)[:, 0]
        on = torch.where(around, torch.where((row == 1) & ~above, UP, DOWN), RIGHT)
        on = torch.where((row == 2) & around, RIGHT, on)
        return torch.where(stays, STAY, on)

    return act


def _view(picture: NDArray[Any], direction: int, side: int = 256, field: float = 70.0) -> NDArray[Any]:
    """What a square view of a panorama (H, 2 H, C) shows, (side, side, C)."""
    longitude, latitude = looks_at(direction)
    half = math.tan(math.radians(field) / 2)
    x, y = np.meshgrid(*[((np.arange(side) + 0.5) / side * 2 - 1) * half] * 2)
    c, s = math.cos(latitude), math.sin(latitude)
    up, ahead = -y * c + s, y * s + c
    height, width = picture.shape[:2]
    column = (longitude + np.arctan2(x, ahead)) / (2 * np.pi) * width + width / 2 - 0.5
    row = (0.5 - np.arctan2(up, np.hypot(x, ahead)) / np.pi) * height - 0.5
    wide = np.concatenate([picture, picture, picture], axis=1)
    columns, rows = ((column % width + width).astype(np.float32), row.astype(np.float32))
    return cv2.remap(wide, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _psnr(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return -10 * math.log10(max(float(np.square((made / 255.0) - (truth / 255.0)).mean()), 1e-10))


if __name__ == "__main__":
    sys.exit(main())
