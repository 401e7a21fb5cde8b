"""What examples/own_scenario.py comes to: a table on stderr, JSON on stdout.

python benchmarks/own_scenario.py > own_scenario.json          # --seeds 0 1 2 3 4 --budget 1500

The driller's mean return over 1,024 episodes without exploration, beside a driller by chance and the best that is
possible (exact: all histories of drilling are gone through); the same without anything from the generator; and how many
of the fields that the generator makes are fields: one whole line of ore, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.evaluation.aggregate import bootstrap, paired_difference
from clairvoy.qlearning.rollout import evaluate
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings

EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "examples/own_scenario.py"))
ARMS = {
    "cotrained": Feedback(),
    "agent alone": Feedback(agent_to_generator=False, generated_scenes=False, beliefs=False),
}
FRESH = 900_000
"""Added to a seed for the evaluation."""
EPISODES = 1024


def main() -> int:
    parser = argparse.ArgumentParser(description="What examples/own_scenario.py comes to.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--budget", type=int, default=1500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in args.seeds:
        for arm, feedback in ARMS.items():
            runs[arm].append(measure(seed, feedback, args.budget))
            print(f"seed {seed}, {arm}: {runs[arm][-1]}", file=sys.stderr)
    result: dict[str, Any] = {
        "seeds": args.seeds, "budget": args.budget, "torch": torch.__version__,
        "best possible": best_possible(), "by chance": by_chance(), "runs": runs,
    }  # fmt: skip
    for arm, measured in runs.items():
        result[arm] = {name: bootstrap([run[name] for run in measured]).to_dict() for name in measured[0]}
        for name, interval in result[arm].items():
            told = f"{interval['value']:8.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
            print(f"{arm:12} {name:28} {told}", file=sys.stderr)
    returns = [[run["return"] for run in runs[arm]] for arm in ARMS]
    result["difference of returns"] = paired_difference(*returns).to_dict()
    for name in ("difference of returns", "best possible", "by chance"):
        print(f"{name:28} {result[name]}", file=sys.stderr)
    print(json.dumps(result, indent=2))
    return 0


def measure(seed: int, feedback: Feedback, budget: int) -> dict[str, float]:
    """One run of the example, every part of it from this seed."""
    example = EXAMPLE["drilling"](seed)
    scenario = Scenario(example.environment, example.real, settings=ScenarioSettings(seed=seed))
    began = time.process_time()
    run = cotrain(scenario, CotrainSettings(seed=seed, feedback=feedback), budget=budget)
    seconds = time.process_time() - began
    made = scenario.sample(1000)
    known = {field.numpy().tobytes() for field in scenario.real}
    are_fields = sum(field.numpy().tobytes() in known for field in made) / len(made)
    ungated = scenario.sample(1000, gate=False)
    without = sum(field.numpy().tobytes() in known for field in ungated) / len(ungated)
    rng = torch.Generator().manual_seed(FRESH + seed)
    scenario.play_in(EXAMPLE["fields"](EPISODES, rng), beliefs=feedback.beliefs)
    played = evaluate(scenario.environment, run.agent.act_greedily, EPISODES, rng)
    return {
        "return": played.mean_return,
        "fields among those made": are_fields,
        "the same without the gate": without,
        "seconds of the CPU": seconds,
    }


def by_chance() -> float:
    """Mean return of drilling anywhere."""
    environment, rng = EXAMPLE["drilling"](FRESH).environment, torch.Generator().manual_seed(FRESH)
    count = environment.num_envs
    policy = lambda seen, mask: torch.randint(16, (count,), generator=rng)  # noqa: E731
    return evaluate(environment, policy, 8 * EPISODES, torch.Generator().manual_seed(FRESH + 1)).mean_return


def best_possible(holes: int = 10) -> float:
    """Mean return of the best driller that knows what fields look like and not which one it is in."""
    lines = [sum(1 << (4 * i + j) for j in range(4)) for i in range(4)]
    lines += [sum(1 << (4 * j + i) for j in range(4)) for i in range(4)]

    @cache
    def value(fields: tuple[int, ...], drilled: int, left: int) -> float:
        """Sum over the fields it may be in, of the return from here."""
        playing = tuple(field for field in fields if field & ~drilled)
        if not left or not playing:
            return 0.0
        # Only ore that may be there is worth a hole.
        return max(
            -0.1 * len(playing)
            + sum(
                (len(part) if hit else 0) + value(part, drilled | 1 << cell, left - 1)
                for hit in (True, False)
                if (part := tuple(field for field in playing if bool(field >> cell & 1) == hit))
            )
            for cell in range(16)
            if not drilled >> cell & 1 and any(field >> cell & 1 for field in playing)
        )

    return value(tuple(lines), 0, holes) / len(lines)


if __name__ == "__main__":
    sys.exit(main())
