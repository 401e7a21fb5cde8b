"""The search agent against raster scan, random walk, greedy search and oracle, on scenes with patchy haze.

python benchmarks/search.py --clear DIR [DIR ...] [--hazy DIR] [--pairs HAZY CLEAR] [--json out.json]

Kinds of haze: physics and generator always; real hazy photographs pasted, with --hazy; pairs of a view with and without
fog (FRIDA's heterogeneous fog), with --pairs. Every policy starts in the middle, reads windows under the same rules
(docs/search.md), and is never told that all haze is found. Baselines get the thresholds that suit these very scenes best,
which favours them. In brackets: 95 % bootstrap intervals over scenes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clairvoy.evaluation.aggregate import bootstrap
from clairvoy.imaging.files import find_photographs, read
from clairvoy.imaging.formats.raster import to_eight_bits
from clairvoy.qlearning.policy import greedy, look_ahead
from clairvoy.releasing.parts import Parts, load_weights
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.search_agent.baselines import (
    greedy_on_belief,
    greedy_on_sight,
    oracle,
    random_walk,
    raster_scan,
)  # fmt: skip
from clairvoy.scenarios.search_agent.scenes import (
    ClearViews,
    HazyView,
    Thumbnail,
    generated_haze,
    hazy_area,
    paired_haze,
    pasted_haze,
    physical_haze,
    scene_set,
)  # fmt: skip

BUDGETS = (0.1, 0.25, 0.5, 1.0)
FALSE_ALARM, STEP = 0.4, 0.01
THUMBNAILS = ("thumbnail", "low contrast", "noisy", "wrong", "none")
SPOILT = (Thumbnail(), Thumbnail(contrast=0.35), Thumbnail(noise=0.12))

Policy = Callable[[HazeSearch, dict[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Outcome:
    """What a policy reached on each of n scenes, within a budget."""

    kind: str
    grid: int
    thumbnail: str
    policy: str
    budget: float
    area: list[float]
    """Part of the hazy area that lies in recognised windows."""
    recall: list[float]
    """Part of the hazy windows that was recognised."""
    precision: list[float]
    """Part of the recognised windows that is hazy; 1 where none was recognised."""
    earned: list[float]
    """Return over the number of hazy windows."""
    read: list[float]
    """Part of the windows that was read."""
    to_90: list[float]
    """Part of the windows read when 90 % of the hazy area was restored; infinite if never."""
    ahead: float = 0.0
    """Part of the steps at which look-ahead chose."""


def main() -> int:
    parser = argparse.ArgumentParser(description="The search agent against its baselines.")
    parser.add_argument("--clear", type=Path, nargs="+", required=True)
    parser.add_argument("--hazy", type=Path, help="real hazy photographs, to be pasted into clear ones")
    parser.add_argument(
        "--pairs", type=Path, nargs=2, metavar=("HAZY", "CLEAR"), help="views with and without fog"
    )
    parser.add_argument(
        "--pattern", default="*_[KM]080.*", help="of the hazy views of --pairs (default: %(default)s)"
    )
    parser.add_argument("--weights", default="fast")
    parser.add_argument(
        "--agents", type=Path, nargs="*", default=[], help="weights with other agents, to be compared"
    )
    parser.add_argument("--grids", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--scenes", type=int, default=8, help="of each kind and grid")
    parser.add_argument(
        "--look-ahead", type=float, default=0.0, help="margin; above 0 the agent is measured with it too"
    )
    parser.add_argument(
        "--budgets", type=float, nargs="+", default=list(BUDGETS), help="parts of the windows"
    )
    parser.add_argument("--thumbnails", nargs="+", choices=THUMBNAILS, default=list(THUMBNAILS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    parts = load_weights(args.weights)
    agents = {"agent": parts.agent} | {path.stem: load_weights(path).agent for path in args.agents}
    outcomes: list[Outcome] = []
    begun = time.monotonic()
    for grid in args.grids:
        for kind, views in scenes_of(args, parts, grid).items():
            if views:
                found = measure(kind, grid, views, parts, agents, args)
                outcomes += found
                print(f"{time.monotonic() - begun:.0f} s: {kind} {grid}", file=sys.stderr, flush=True)
                if args.json:
                    args.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]))
    print(table(outcomes, args.scenes))
    return 0


def scenes_of(args: argparse.Namespace, parts: Parts, grid: int) -> dict[str, list[HazyView]]:
    """Scenes by kind; scene k of a grid is always the same."""
    clear = ClearViews(list(chain.from_iterable(map(find_photographs, args.clear))))
    hazy = find_photographs(args.hazy) if args.hazy else []
    foggy = sorted(args.pairs[0].glob(args.pattern)) if args.pairs else []
    made: dict[str, list[HazyView]] = {"physics": [], "generator": [], "pasted": [], "pairs": []}
    for k in range(args.scenes):
        for number, kind in enumerate(made):
            rng = np.random.default_rng([args.seed, grid, number, k])
            noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
            if kind == "pairs":
                if k < len(foggy):
                    path = foggy[k * len(foggy) // min(args.scenes, len(foggy))]
                    without = next(args.pairs[1].glob(path.stem.split("_")[0] + ".*"))
                    both = (to_eight_bits(read(one).pixels) for one in (path, without))
                    made[kind].append(paired_haze(*both, side=grid * 32))
                continue
            view = clear(grid * 32, rng)
            if kind == "physics":
                made[kind].append(physical_haze(view, rng, noise))
            elif kind == "generator":
                made[kind].append(generated_haze(view, rng, noise, parts.generator))
            elif hazy:
                photograph = to_eight_bits(read(hazy[int(rng.integers(len(hazy)))]).pixels)
                made[kind].append(pasted_haze(view, photograph, rng))
    return made


def measure(
    kind: str, grid: int, views: Sequence[HazyView], parts: Parts, agents: dict[str, torch.nn.Module],
    args: argparse.Namespace,
) -> list[Outcome]:  # fmt: skip
    made = scene_set(views, parts, grid, SPOILT)
    area = torch.stack([hazy_area(view.lost, grid) for view in views])
    outcomes: list[Outcome] = []

    def add(thumbnail: str, name: str, run: Run, budgets: Sequence[float] = args.budgets) -> None:
        outcomes.extend(run.outcome(kind, grid, thumbnail, name, budget) for budget in budgets)

    generator = torch.Generator().manual_seed(args.seed)
    looks = best_threshold(made.beliefs[:, 0], made.hazy)
    blind = SceneSet.of(made.windows, made.hazy, made.beliefs, previews=made.previews[:, :1])
    fixed: dict[str, Policy] = {
        "raster": lambda s, o: raster_scan(s.position, s.memory, looks),
        "random": lambda s, o: random_walk(s.position, s.memory, generator, looks),
        "greedy": lambda s, o: greedy_on_sight(s.position, s.memory, looks),
        "oracle": lambda s, o: oracle(s.position, s.memory, s.hazy),
    }
    for name, policy in fixed.items():
        add("none", name, play(blind, area, policy, preview=False))
    for version, thumbnail in enumerate(THUMBNAILS):
        if thumbnail not in args.thumbnails:
            continue
        preview = thumbnail != "none"
        shown = made.previews[:, min(version, len(SPOILT) - 1)]
        if thumbnail == "wrong":
            shown = made.previews[:, 0].roll(1, dims=0)
        scenes = SceneSet.of(made.windows, made.hazy, made.beliefs, previews=shown[:, None])
        if preview:
            # The threshold suits the thumbnail as it is: who is misled does not know it.
            level = best_threshold(made.previews[:, 0, 0], made.hazy)
            run = play(
                scenes, area, lambda s, o, at=level: greedy_on_belief(s.position, s.memory, s.previews[:, 0], at),
                preview=True,
            )  # fmt: skip
            add(thumbnail, "greedy", run)
        for name, agent in agents.items():
            for margin in {0.0, args.look_ahead} if name == "agent" else {0.0}:
                label = f"{name}, look-ahead" if margin else name
                for budget in args.budgets:
                    run = play(scenes, area, acting(agent, margin), preview=preview, budget=budget)
                    add(thumbnail, label, run, [budget])
    return outcomes


def best_threshold(belief: Tensor, hazy: Tensor) -> float:
    """The threshold at which recognising every window would pay best."""
    levels = [k / 40 for k in range(2, 39)]
    return max(
        levels,
        key=lambda at: float(((belief >= at) & hazy).sum() - FALSE_ALARM * ((belief >= at) & ~hazy).sum()),
    )


def acting(agent: torch.nn.Module, margin: float) -> Policy:
    def act(search: HazeSearch, observation: dict[str, Tensor]) -> Tensor:
        q = agent(observation)
        if not margin:
            return greedy(q, search.action_mask())
        action, acted = look_ahead(q, search.tau_of_actions(), search.action_mask(), margin)
        act.acted += int(acted.sum())  # type: ignore[attr-defined]
        act.asked += len(acted)  # type: ignore[attr-defined]
        return action

    act.acted = act.asked = 0  # type: ignore[attr-defined]
    return act


class Run:
    """One episode in each of n scenes, step by step, (T, n) each."""

    def __init__(self, hazy: Tensor) -> None:
        self.windows, self.hazy = hazy[0].numel(), hazy.sum(dim=(1, 2)).float()
        self.rows: list[tuple[Tensor, ...]] = []
        self.ahead = 0.0

    def outcome(self, kind: str, grid: int, thumbnail: str, policy: str, budget: float) -> Outcome:
        """What was reached by the last step within a budget."""
        area, found, false, earned, read = (torch.stack(column) for column in zip(*self.rows, strict=True))
        allowed = max(1, round(budget * self.windows))
        # The last step within the budget, of each scene.
        last = ((read <= allowed).sum(dim=0) - 1)[None]
        area_at, found, false, earned, read_at = (
            column.gather(0, last)[0] for column in (area, found, false, earned, read)
        )
        reached = area >= 0.9
        first = torch.where(reached.any(dim=0), reached.float().argmax(dim=0), -1)[None]
        to_90 = torch.where(first[0] >= 0, read.gather(0, first.clamp(min=0))[0] / self.windows, torch.inf)
        return Outcome(
            kind, grid, thumbnail, policy, budget,
            area_at.tolist(), (found / self.hazy).tolist(), torch.where(
                found + false > 0, found / (found + false).clamp(min=1), 1.0).tolist(),
            (earned / self.hazy).tolist(), (read_at / self.windows).tolist(), to_90.tolist(), self.ahead,
        )  # fmt: skip


def play(scenes: SceneSet, area: Tensor, policy: Policy, *, preview: bool, budget: float = 1.0) -> Run:
    """Let a policy search every scene once."""
    settings = HazeSearchSettings(
        budget=2.5 * budget, reads=(budget, budget), start="centre", preview=float(preview),
        end_when_found=False, go_on=True,
        step=STEP, false_alarm=FALSE_ALARM,
    )  # fmt: skip
    search = HazeSearch(scenes, len(scenes), settings)
    observation = search.reset_each(torch.Generator().manual_seed(0))
    count = len(scenes)
    run, running, nothing = Run(scenes.hazy), torch.ones(count, dtype=torch.bool), torch.zeros(count)
    total, rest = area.sum(dim=(1, 2)), torch.arange(count)
    now = [nothing, nothing.clone(), nothing.clone(), nothing.clone(), torch.ones(count)]
    while bool(running.any()):
        step = search.step(policy(search, observation))
        row, column = step.info["position"].unbind(dim=1)
        hit, false = step.info["recognised"], step.info["false_alarm"]
        gained = ((hit | false) * area[rest, row, column]) / total
        for k, change in enumerate((gained, hit.float(), false.float(), step.reward)):
            now[k] = now[k] + change * running
        now[4] = torch.where(running, step.info["read"].float(), now[4])
        run.rows.append(tuple(now))
        running = running & ~step.done
        observation = step.observation
    if getattr(policy, "asked", 0):
        run.ahead = policy.acted / policy.asked  # type: ignore[attr-defined]
    return run


def table(outcomes: Sequence[Outcome], scenes: int) -> str:
    lines = [
        "haze | grid | thumbnail | policy | budget | area restored | recall | precision | return | windows read | to 90 %",
        "---|---|---|---|---|---|---|---|---|---|---",
    ]
    for one in outcomes:
        numbers = [
            interval(getattr(one, name))
            for name in ("area", "recall", "precision", "earned", "read", "to_90")
        ]
        lines.append(
            f"{one.kind} | {one.grid} | {one.thumbnail} | {one.policy} | {one.budget:.0%} | "
            + " | ".join(numbers)
        )
    return "\n".join(lines)


def interval(values: Sequence[float]) -> str:
    """Mean and its 95 % percentile bootstrap interval; what was never reached counts as all windows, and is counted."""
    array = np.asarray(values)
    never = int(np.isinf(array).sum())
    array = np.where(np.isinf(array), 1.0, array)
    found = bootstrap(array, np.mean, resamples=2000)
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]" + (f" ({never} never)" if never else "")


if __name__ == "__main__":
    sys.exit(main())
