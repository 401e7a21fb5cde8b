"""Several search agents on the same scenes, and what keeps them from all of the haze: their budget, path or beliefs.

python benchmarks/search_limits.py --clear DIR [DIR ...] --agents A.safetensors B.safetensors ... [--grids 8 16 32 64]
    [--scenes 8] [--hazy DIR] [--pairs HAZY CLEAR] [--json out.json]

The scenes are those of `search.py`. The agents of --agents, of several training seeds for example, are one policy here:
their figures are means over agents and scenes, in brackets 95 % bootstrap intervals that draw both anew. The agent of
--weights stands beside them. Areas are parts of the hazy area that lies in hazy windows. For the shares of what is
missing see `scenarios/search_agent/limits.py`. Told: the same agents where the haze of each window that they read is known.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from search import best_threshold, scenes_of
from torch import Tensor

from clairvoy.evaluation.aggregate import percentile_interval
from clairvoy.qlearning.policy import greedy
from clairvoy.releasing.parts import load_weights
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch
from clairvoy.scenarios.search_agent.baselines import (
    greedy_on_belief,
    greedy_on_sight,
    oracle,
    raster_scan,
)  # fmt: skip
from clairvoy.scenarios.search_agent.limits import Searcher, Shares, led_by_truth, true_beliefs, walk
from clairvoy.scenarios.search_agent.scenes import hazy_area, lost_in_windows, scene_set, truth
from clairvoy.searching.glimpse import STAY, Observation

Scores = NDArray[np.float64]
"""(agents, scenes)."""


def main() -> int:
    parser = argparse.ArgumentParser(description="What keeps search agents from all of the haze.")
    parser.add_argument("--clear", type=Path, nargs="+", required=True)
    parser.add_argument("--hazy", type=Path, help="real hazy photographs, to be pasted into clear ones")
    parser.add_argument("--pairs", type=Path, nargs=2, metavar=("HAZY", "CLEAR"))
    parser.add_argument("--pattern", default="*_[KM]080.*", help="of the hazy views of --pairs")
    parser.add_argument("--weights", default="fast", help="what perceives, and an agent beside the others")
    parser.add_argument("--agents", nargs="+", required=True)
    parser.add_argument("--grids", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--scenes", type=int, default=8, help="of each kind and grid")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.25, 1.0], help="parts of the windows")
    parser.add_argument(
        "--thumbnails", choices=("thumbnail", "none"), nargs="+", default=["none", "thumbnail"]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    parts = load_weights(args.weights)
    agents = [load_weights(path).agent for path in args.agents]
    rows: list[dict[str, object]] = []
    for grid in args.grids:
        views = [(kind, view) for kind, made in scenes_of(args, parts, grid).items() for view in made]
        views = [(kind, view) for kind, view in views if bool(truth(view.lost, grid).any())]
        scenes = scene_set([view for _, view in views], parts, grid, seed=args.seed)
        area = torch.stack([hazy_area(view.lost, grid) for _, view in views])
        lost = torch.stack([lost_in_windows(view.lost, grid) for _, view in views])
        said(f"{len(scenes)} scenes of {grid} x {grid} windows")
        for thumbnail in args.thumbnails:
            for budget in args.budgets:
                shown = thumbnail != "none"
                found = measure(scenes, area, lost, [*agents, parts.agent], shown, budget)
                where = {"grid": grid, "thumbnail": thumbnail, "budget": budget}
                rows.append(where | {"kinds": [kind for kind, _ in views]} | found)
                said(f"{grid}, {thumbnail}, {budget:.0%}")
                if args.json:
                    args.json.write_text(
                        json.dumps(rows, default=lambda scores: np.round(scores, 4).tolist())
                    )
    tell(rows)
    return 0


def measure(
    scenes: SceneSet,
    area: Tensor,
    lost: Tensor,
    agents: Sequence[torch.nn.Module],
    shown: bool,
    budget: float,
) -> dict[str, Scores]:
    """Areas (agents, scenes): of the agents themselves, of the exchanges, and of rules (1, scenes)."""
    crew, count = len(agents), len(scenes)
    told = SceneSet.of(
        scenes.windows, scenes.hazy, true_beliefs(scenes.beliefs, lost), previews=scenes.previews
    )
    level = best_threshold(scenes.previews[:, 0, 0] if shown else scenes.beliefs[:, 0], scenes.hazy)

    def values(observation: Observation) -> Tensor:
        """Q-values of all agents, each for its own episodes."""
        return torch.cat([
            agent({name: part[k * count : (k + 1) * count] for name, part in observation.items()})
            for k, agent in enumerate(agents)
        ])  # fmt: skip

    def own(search: HazeSearch, observation: Observation) -> tuple[Tensor, Tensor]:
        return going_on(greedy(values(observation), search.action_mask()))

    def led(search: HazeSearch, observation: Observation) -> tuple[Tensor, Tensor]:
        says = greedy(values(observation), search.action_mask()) == STAY
        return led_by_truth(search.position, search.memory, search.hazy, says)

    def rule(search: HazeSearch, _: Observation) -> tuple[Tensor, Tensor]:
        if shown:
            return going_on(greedy_on_belief(search.position, search.memory, search.previews[:, 0], level))
        return going_on(greedy_on_sight(search.position, search.memory, level))

    def scan(search: HazeSearch, _: Observation) -> tuple[Tensor, Tensor]:
        looks = best_threshold(scenes.beliefs[:, 0], scenes.hazy)
        return going_on(raster_scan(search.position, search.memory, looks))

    def knows(search: HazeSearch, _: Observation) -> tuple[Tensor, Tensor]:
        return going_on(oracle(search.position, search.memory, search.hazy))

    def walked(searcher: Searcher, of: SceneSet, times: int = 1) -> Callable[[str], Scores]:
        walk_ = walk(repeated(of, times), area.repeat(times, 1, 1), searcher, preview=shown, budget=budget)
        return lambda name: getattr(walk_, name).view(times, count).double().numpy()

    alone = walked(own, scenes, crew)
    return {
        "restored": alone("restored"), "seen": alone("seen"), "read": alone("read"),
        "false alarms": alone("false_alarms"), "led": walked(led, scenes, crew)("restored"),
        "told": walked(own, told, crew)("restored"), "oracle": walked(knows, scenes)("restored"),
        "greedy": walked(rule, scenes)("restored"), "raster": walked(scan, scenes)("restored"),
    }  # fmt: skip


def going_on(actions: Tensor) -> tuple[Tensor, Tensor]:
    """The answer of a searcher that ends by staying where all is settled."""
    return actions, torch.zeros_like(actions, dtype=torch.bool)


def repeated(scenes: SceneSet, times: int) -> SceneSet:
    """The same scenes for each of several agents."""
    return SceneSet.of(
        scenes.windows.repeat(times, 1, 1, 1, 1, 1), scenes.hazy.repeat(times, 1, 1),
        scenes.beliefs.repeat(times, 1, 1, 1), previews=scenes.previews.repeat(times, 1, 1, 1, 1),
    )  # fmt: skip


def tell(rows: Sequence[dict[str, object]]) -> None:
    """Two tables: what is restored, by whom; and the shares of what is missing."""
    print(
        "grid | thumbnail | budget | agents | read | of --weights | read | agents over it | greedy | raster | oracle"
    )
    print("---|---|---|---|---|---|---|---|---|---|---")
    for row in rows:
        agents, other = of_agents(row, "restored"), np.asarray(row["restored"])[-1:]
        figures = [agents, of_agents(row, "read"), other, np.asarray(row["read"])[-1:], agents - other]
        figures += [np.asarray(row[name]) for name in ("greedy", "raster", "oracle")]
        print(" | ".join([named(row), *map(interval, figures)]))
    print(
        "\ngrid | thumbnail | budget | whose | missing | by the budget | by the path | by belief | told, restored"
    )
    print("---|---|---|---|---|---|---|---|---")
    for row in rows:
        for whose, those in (("agents", slice(None, -1)), ("of --weights", slice(-1, None))):
            restored, seen, led, told = (
                np.asarray(row[name])[those] for name in ("restored", "seen", "led", "told")
            )
            shares = Shares.of(
                restored, seen, led, np.broadcast_to(np.asarray(row["oracle"]), restored.shape)
            )
            figures = [1 - restored, shares.budget, shares.path, shares.belief, told]
            print(" | ".join([named(row), whose, *map(interval, figures)]))
    kinds = list(dict.fromkeys(rows[0]["kinds"]))  # type: ignore[call-overload]
    print("\nrestored by the agents: grid | thumbnail | budget | " + " | ".join(kinds))
    for row in rows:
        of_kind = [np.asarray(row["kinds"]) == kind for kind in kinds]
        print(
            " | ".join([named(row), *(interval(of_agents(row, "restored")[:, those]) for those in of_kind)])
        )


def of_agents(row: dict[str, object], name: str) -> Scores:
    """Without the last one, which is that of --weights."""
    return np.asarray(row[name])[:-1]


def named(row: dict[str, object]) -> str:
    return f"{row['grid']} | {row['thumbnail']} | {row['budget']:.0%}"


def interval(scores: Scores) -> str:
    """Mean over agents and scenes (A, n), and an interval for which both are drawn anew."""

    def of_drawn(agents: NDArray[np.int64], scenes: NDArray[np.int64]) -> Scores:
        drawn: Scores = scores[agents[:, :, None], scenes[:, None, :]].mean(axis=(1, 2))
        return drawn

    low, high = percentile_interval(of_drawn, scores.shape[:1], scores.shape[1:], resamples=2000)
    return f"{scores.mean():.2f} [{low:.2f}, {high:.2f}]"


def said(what: str) -> None:
    print(f"{time.process_time():.0f} CPU s: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
