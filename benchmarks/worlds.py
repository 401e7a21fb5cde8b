"""Does generated experience make Q-learning learn sooner? Runs to a file of lines, then a table and a figure of them.

python benchmarks/worlds.py run --env CartPole-v1 --steps 5000 --every 250 --seeds 0 1 2 3 4 --out worlds.jsonl
python benchmarks/worlds.py report worlds.jsonl --env CartPole-v1 --goal 475 --figure docs/images/cartpole.png
python benchmarks/worlds.py report worlds.jsonl games.jsonl --env MinAtar/Breakout --against stable-baselines3

The last one takes the lines of `games_peer.py` along.

Arms, all with the same agent, the same settings and the same number of updates for a real step (`clairvoy train world`):

    real      Q-learning alone
    large     the same, with batches of real transitions as large as those of the arms that follow
    ungated   whatever the generator makes up is learnt from, as far as tau weighs it
    blind     the same, and all of it counts as if it had happened
    gated     what discriminator and tau admit
    random    as many as they would admit, but any

Every so many real steps the agent plays 20 episodes without exploring, the same ones each time; the best of these
evaluations is kept, and plays 100 other episodes at the end. Seconds are those of the CPU, one thread, evaluations
left out. A run that is in the file already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clairvoy.apps.cluster import Lost, connected
from clairvoy.cotraining.loop import Cotraining, Feedback
from clairvoy.environments.handed_in import as_environment
from clairvoy.evaluation.aggregate import bootstrap
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.rollout import evaluate
from clairvoy.scenarios.world.look_ahead import LookAhead, uncertainty
from clairvoy.scenarios.world.presets import NUM_ENVS, preset
from clairvoy.scenarios.world.scenario import WorldScenario
from clairvoy.scenarios.world.settings import WorldSettings

ARMS = {
    "real": Feedback(generated_scenes=False),
    "large": Feedback(generated_scenes=False),
    "ungated": Feedback(gate=False),
    "blind": Feedback(gate=False),
    "gated": Feedback(),
    "random": Feedback(),
}
EPISODES, FINAL_EPISODES, FRESH = 20, 100, 900_000


def main() -> int:
    parser = argparse.ArgumentParser(description="Q-learning with and without generated experience.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, and append a line for each run")
    run.add_argument("--env", required=True)
    run.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    run.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    run.add_argument("--steps", type=int, required=True)
    run.add_argument("--every", type=int, required=True, help="real steps between two evaluations")
    run.add_argument("--out", type=Path, required=True, metavar="FILE", help="lines of JSON, appended to")
    run.add_argument("--until", type=float, metavar="RETURN", help="stop at an evaluation as good as this")
    run.add_argument(
        "--schedule",
        type=int,
        metavar="STEPS",
        help="explore as in a run of so many steps: goes on with such a run",
    )
    run.add_argument("--updates", type=int, help="of the agent after each step of all copies (the preset's)")
    run.add_argument(
        "--look-ahead", action="store_true", help="play the agent that was kept with look-ahead as well"
    )
    run.add_argument("--cluster", metavar="ADDRESS", help="let the workers of a Dask cluster train")
    report = commands.add_parser("report", help="table on stdout, figure to a file")
    report.add_argument("file", type=Path, nargs="+")
    report.add_argument("--env", required=True)
    report.add_argument("--goal", type=float, help="return whose first evaluation at or above it is told")
    report.add_argument(
        "--within", type=int, metavar="STEPS", help="tell the best evaluation in so many steps (all)"
    )
    report.add_argument(
        "--against", default="real", metavar="ARM", help="what the others are compared with (real)"
    )
    report.add_argument("--figure", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    return _run(args) if args.command == "run" else _report(args)


# Runs.


def _run(args: argparse.Namespace) -> int:
    done = {_key(line) for line in read_lines([args.out])}
    wanted = [
        (arm, seed)
        for seed in args.seeds
        for arm in args.arms
        if (args.env, arm, seed, args.steps) not in done
    ]
    for line in _lines(args, wanted):
        with args.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(
            f"{args.env} {line['arm']} seed {line['seed']}: {line['return']:.1f}, {line['seconds']:.0f} s",
            file=sys.stderr,
        )
    return 0


def _lines(args: argparse.Namespace, wanted: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """A line for each run that is wanted, an arm and a seed, as they end."""
    calls = [
        (
            args.env,
            arm,
            seed,
            args.steps,
            args.every,
            args.until,
            args.schedule,
            args.updates,
            args.look_ahead,
        )
        for arm, seed in wanted
    ]
    if args.cluster is None:
        yield from (_train(*call) for call in calls)
        return
    with connected(args.cluster) as cluster:
        for number, line in cluster.results(_train, calls):
            if line is Lost:
                print(f"{wanted[number]}: its workers were lost again and again; call again", file=sys.stderr)
            else:
                yield line


def _train(*call: Any) -> dict[str, Any]:
    """One run, here or on a worker."""
    torch.set_num_threads(1)
    *first, updates, ahead = call
    return train(*first, updates=updates, ahead=ahead)


class _Timed:
    """A training that counts the CPU seconds of its rounds."""

    def __init__(self, training: Cotraining) -> None:
        self.training, self.seconds = training, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.training, name)

    def round(self) -> dict[str, float]:
        began = time.process_time()
        metrics = self.training.round()
        self.seconds += time.process_time() - began
        return metrics


def train(
    env: str,
    arm: str,
    seed: int,
    steps: int,
    every: int,
    until: float | None = None,
    schedule: int | None = None,
    *,
    kind: Callable[[Any, WorldSettings], WorldScenario] = WorldScenario,
    after_round: Callable[[int, Any, Any], None] | None = None,
    updates: int | None = None,
    ahead: bool = False,
) -> dict[str, Any]:
    """One run of one arm.

    `kind` makes the scenario; `after_round` is told the steps so far, the environment and the one that evaluations are
    in; `updates` of the agent, and a quarter as many of the generator, come after each step of all copies, instead of as
    many as the preset says; `ahead` asks for the agent with look-ahead as well.
    """
    environment, judge = as_environment(env, NUM_ENVS), as_environment(env, EPISODES)
    world, rhythm = preset(environment, steps, seed, ARMS[arm])
    rhythm = replace(rhythm, exploration=rhythm.exploration * (schedule or steps) / steps)
    if arm == "blind":
        world = replace(world, agent=replace(world.agent, tau_exponent=0.0))
    if arm == "large":
        per_real = preset(environment, steps, seed)[0].per_real
        rhythm = replace(rhythm, agent_batch=round(rhythm.agent_batch * (1 + per_real)))
    if updates is not None:
        rhythm = replace(rhythm, agent_updates=updates)
        world = replace(world, generator_updates=max(1, updates // 4))
    scenario = kind(environment, replace(world, shuffled_gate=arm == "random"))
    training = _Timed(Cotraining(scenario, rhythm))
    last: dict[str, float] = {}

    def report(done: int, metrics: Mapping[str, float]) -> None:
        last.update(metrics)
        if after_round is not None:
            after_round(done, environment, judge)

    online = OnlineSettings(evaluate_every=every, episodes=EPISODES, stop_at=until)
    trained = train_online(training, judge, online, report=report)

    def play(policy: Any, episodes: int) -> float:
        return evaluate(judge, policy, episodes, torch.Generator().manual_seed(seed + FRESH)).mean_return

    played = play(scenario.agent.act_greedily, FINAL_EPISODES)
    told = (
        "tau/gap", "tau/off", "generated/admitted", "generated/length", "generated/worth",
        "generator/discriminator_accuracy",
    )  # fmt: skip
    looked = _look_ahead(scenario, play, seed) if ahead and scenario.learner is not None else {}
    return looked | {
        "env": env, "arm": arm, "seed": seed, "steps": steps, "evaluations": trained.evaluations,
        "return": played, "best_at_step": trained.best.steps, "seconds": training.seconds,
        "metrics": {name: last[name] for name in told if name in last},
    }  # fmt: skip


def _look_ahead(scenario: WorldScenario, play: Callable[[Any, int], float], seed: int) -> dict[str, Any]:
    """The agent that was kept, with and without look-ahead in the world learnt, on the same few episodes."""
    doubt = uncertainty(scenario.agent, scenario.history.held_out.recent(1000))
    policy = LookAhead(
        scenario.agent, scenario.learnt_world(noise=torch.Generator().manual_seed(seed)), doubt
    )
    returns, seconds = [], []
    for one in (policy, scenario.agent.act_greedily):
        began = time.process_time()
        returns.append(play(one, EPISODES))
        seconds.append(time.process_time() - began)
    return {
        "ahead": {
            "return": returns[0], "without": returns[1], "doubt": doubt, "seconds": seconds[0], "alone": seconds[1],
            "looked": policy.looked / policy.decisions, "changed": policy.changed / policy.decisions,
        }
    }  # fmt: skip


# Report.


def _report(args: argparse.Namespace) -> int:
    lines = [line for line in read_lines(args.file) if line["env"] == args.env]
    if not lines:
        print(f"no run of {args.env} in {', '.join(map(str, args.file))}", file=sys.stderr)
        return 2
    arms = list(dict.fromkeys(line["arm"] for line in lines))
    within = args.within or max(line["steps"] for line in lines)
    head = ["arm", "seeds", "steps"]
    head += [] if args.goal is None else [f"steps to {args.goal:g}", "reached"]
    head += [f"best evaluation within {within:,} steps", "best kept, 100 fresh episodes", "CPU s"]
    print(row_of(head), row_of(["---"] * len(head)), sep="\n")
    for arm in arms:
        mine = [line for line in lines if line["arm"] == arm]
        cells = [arm, str(len(mine)), f"{mine[0]['steps']:,}"]
        if args.goal is not None:
            reached = [_first(line, args.goal) for line in mine]
            # A run that never got there counts with its whole budget: the mean is then a lower bound.
            steps = [first or line["steps"] for first, line in zip(reached, mine, strict=True)]
            cells += [("≥ " if None in reached else "") + interval(steps, 0)]
            cells += [f"{sum(first is not None for first in reached)} of {len(mine)}"]
        best = [
            max(value for steps, value in line["evaluations"] if steps <= within + NUM_ENVS) for line in mine
        ]
        cells += [interval(best, 1), interval([line["return"] for line in mine], 1)]
        cells += [f"{np.mean([line['seconds'] for line in mine]):.0f}"]
        print(row_of(cells))
    _paired(lines, arms, args.goal, args.against)
    _ahead(lines, arms)
    if args.figure:
        _figure(lines, arms, args)
    return 0


def row_of(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _paired(lines: list[dict[str, Any]], arms: list[str], goal: float | None, against: str) -> None:
    """Each arm against one of them, seed by seed."""
    by = {(line["arm"], line["seed"]): line for line in lines}
    for arm in arms:
        pairs = [(by[arm, s], by[against, s]) for a, s in by if a == arm and (against, s) in by]
        if arm == against or not pairs:
            continue
        told = [f"return {interval([one['return'] - two['return'] for one, two in pairs], 1)}"]
        if goal is not None:
            ratios = [
                (_first(one, goal) or one["steps"]) / (_first(two, goal) or two["steps"])
                for one, two in pairs
            ]
            told.append(f"steps to goal as a part of {against}'s {interval(ratios, 2)}")
        print(f"\n{arm} - {against} over {len(pairs)} seeds: {'; '.join(told)}")


def _ahead(lines: list[dict[str, Any]], arms: list[str]) -> None:
    """The same agents with look-ahead, against themselves without."""
    for arm in arms:
        mine = [line for line in lines if line["arm"] == arm and "ahead" in line]
        if mine:
            told = {name: np.mean([line["ahead"][name] for line in mine]) for name in mine[0]["ahead"]}
            gain = interval([line["ahead"]["return"] - line["ahead"]["without"] for line in mine], 1)
            print(
                f"\n{arm} with look-ahead - without over {len(mine)} seeds, {EPISODES} episodes each: {gain}; it looks at "
                f"{told['looked']:.0%} of the states and chooses another action at {told['changed']:.1%}; "
                f"{told['seconds']:.1f} CPU s instead of {told['alone']:.1f}"
            )


def _figure(lines: list[dict[str, Any]], arms: list[str], args: argparse.Namespace) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for index, arm in enumerate(arms):
        curves = [np.array(line["evaluations"]) for line in lines if line["arm"] == arm]
        # A line for each run: one that stopped at the goal ends there, and a mean over the others would mislead.
        for number, curve in enumerate(curves):
            label = None if number else f"{arm} ({len(curves)} seeds)"
            axes.plot(*curve.T, label=label, color=f"C{index}", lw=1, marker="o", markevery=[-1], ms=4)
    if args.goal is not None:
        axes.axhline(args.goal, color="grey", lw=0.8, ls=":")
    axes.set(title=args.env, xlabel="real steps", ylabel="return, 20 greedy episodes")
    axes.legend(frameon=False)
    figure.savefig(args.figure, dpi=110)


def _first(line: dict[str, Any], goal: float | None) -> int | None:
    if goal is None:
        return None
    return next((int(steps) for steps, value in line["evaluations"] if value >= goal), None)


def interval(values: list[float], digits: int) -> str:
    """Mean and a 95 % bootstrap interval of it over seeds."""
    found = bootstrap(values, np.mean)
    return f"{found.value:,.{digits}f} [{found.low:,.{digits}f}, {found.high:,.{digits}f}]"


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return line["env"], line["arm"], line["seed"], line["steps"]


def read_lines(files: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(row) for file in files if file.exists() for row in file.read_text().splitlines()]


if __name__ == "__main__":
    sys.exit(main())
