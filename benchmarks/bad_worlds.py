"""Does the gate save an agent from generated experience that is bad on purpose? CartPole, four bad worlds and a good one.

python benchmarks/bad_worlds.py run --out bad.jsonl                # 5 worlds, 5 arms, seeds 0 to 2; an hour on one core
python benchmarks/bad_worlds.py run --out bad.jsonl --worlds other --seeds 0
python benchmarks/bad_worlds.py report bad.jsonl

Worlds that the generator knows:

    good       CartPole-v1, as it is
    other      a CartPole with a pole four times as long, twice the force and twice the gravity; it never learns another
    mirrored   a CartPole in which left is right; it never learns another
    200        CartPole-v1, and nothing more is learnt after 200 real steps
    changes    CartPole-v1 becomes that other one halfway, for the agent, the generator and the evaluations

Discriminator and tau go on learning in all of them: they are what is tried. Arms as in `worlds.py`.
Runs are short, with half the preset's updates. The score of a run is the mean of its last four evaluations of 20 episodes:
no evaluation is chosen afterwards.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from worlds import interval, read_lines, row_of, train

from clairvoy.cotraining.loop import Cotraining, Feedback
from clairvoy.environments.handed_in import as_environment
from clairvoy.scenarios.world.presets import NUM_ENVS, preset
from clairvoy.scenarios.world.scenario import WorldScenario

ENV, WORLDS, ARMS = (
    "CartPole-v1",
    ("good", "other", "mirrored", "200", "changes"),
    ("real", "large", "blind", "ungated", "gated"),
)
FEW, FOREIGN_STEPS, FOREIGN_SEED = 200, 800, 77
LAST = 4


def main() -> int:
    parser = argparse.ArgumentParser(description="The gate, where generated experience is bad on purpose.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, and append a line for each run that the file lacks")
    run.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=WORLDS)
    run.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    run.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    run.add_argument("--steps", type=int, default=1500)
    run.add_argument("--updates", type=int, default=16, help="of the agent for 8 real steps")
    run.add_argument("--every", type=int, default=125, help="real steps between two evaluations")
    run.add_argument("--out", type=Path, required=True, metavar="FILE")
    report = commands.add_parser("report", help="table on stdout")
    report.add_argument("file", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    return _run(args) if args.command == "run" else _report(args.file)


def _run(args: argparse.Namespace) -> int:
    done = {(line["world"], line["arm"], line["seed"], line["steps"]) for line in read_lines([args.out])}
    for seed in args.seeds:
        for world in args.worlds:
            for arm in args.arms:
                # Without generated experience it is all the same what a generator knows.
                known = (
                    "good" if arm in ("real", "large") and world in ("other", "mirrored", "200") else world
                )
                if (known, arm, seed, args.steps) in done:
                    continue
                done.add((known, arm, seed, args.steps))
                line = {"world": known, **_train(known, arm, seed, args)}
                with args.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(f"{known} {arm} seed {seed}: {_score(line):.0f}", file=sys.stderr, flush=True)
    return 0


def _train(world: str, arm: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    steps: int = args.steps

    def change(done: int, environment: Any, judge: Any) -> None:
        if done - NUM_ENVS < steps // 2 <= done:
            for one in (environment, judge):
                _make_other(one)

    kind = {"other": OtherWorld, "mirrored": MirroredWorld, "200": WorldOfFewSteps}.get(world, WorldScenario)
    return train(
        ENV,
        arm,
        seed,
        steps,
        args.every,
        kind=kind,
        after_round=change if world == "changes" else None,
        updates=args.updates,
    )


class _Unteachable(WorldScenario):
    """Its generator learns nothing from some moment on; discriminator and tau do."""

    stopped = False

    def stop_learning(self) -> None:
        """Leave the generator as it is."""
        assert self.learner is not None
        for group in self.learner.optimizer.param_groups:
            group["lr"] = 0.0
        # The discriminator learns once with each of these.
        self.settings, self.stopped = replace(self.settings, generator_updates=2), True

    def _fit(self, outcomes: Any, steps: Any) -> None:
        if not self.stopped:
            super()._fit(outcomes, steps)


class WorldOfFewSteps(_Unteachable):
    """A generator that has seen `FEW` steps."""

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """Learn, until there were so many steps."""
        if self.learner is not None and not self.stopped and self.history.stepped >= 0.9 * FEW:
            self.stop_learning()
        return super().learn_models(feedback)


class OtherWorld(_Unteachable):
    """A generator that has learnt another CartPole."""

    learnt = "other"

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """Take what was learnt elsewhere, as soon as there is something to put it into."""
        told = super().learn_models(feedback)
        if self.learner is not None and not self.stopped:
            for name, state in foreign(self.learnt).items():
                getattr(self.learner, name).load_state_dict(copy.deepcopy(state))
            self.stop_learning()
        return told


class MirroredWorld(OtherWorld):
    """A generator that has learnt a CartPole in which left is right."""

    learnt = "mirrored"


@cache
def foreign(world: str) -> dict[str, Any]:
    """Generators and scales of another CartPole, after `FOREIGN_STEPS` steps in it."""
    environment = as_environment(ENV, NUM_ENVS)
    _make_other(environment, mirrored=world == "mirrored")
    settings, rhythm = preset(environment, FOREIGN_STEPS, FOREIGN_SEED)
    scenario = WorldScenario(environment, settings)
    loop = Cotraining(scenario, replace(rhythm, agent_updates=4))
    while not loop.over:
        loop.round()
    assert scenario.learner is not None
    return {name: getattr(scenario.learner, name).state_dict() for name in ("members", "outcomes")}


def _make_other(environment: Any, mirrored: bool = False) -> None:
    pole = getattr(environment, "environment", environment).vector_env.unwrapped
    for one in getattr(pole, "envs", [pole]):
        cart = one.unwrapped
        if mirrored:
            cart.force_mag = -cart.force_mag
            continue
        cart.length, cart.gravity, cart.force_mag = 2.0, 20.0, 20.0
        cart.polemass_length = cart.masspole * cart.length


def _score(line: dict[str, Any]) -> float:
    last = [value for _, value in line["evaluations"][-LAST:]]
    return sum(last) / len(last)


def _report(file: Path) -> int:
    lines = read_lines([file])
    score = {(line["world"], line["arm"], line["seed"]): _score(line) for line in lines}
    print(
        row_of(
            ["world", "arm", "seeds", "mean of the last evaluations", "paired, less real", "admitted", "gap"]
        )
    )
    print(row_of(["---"] * 7))
    for world in WORLDS:
        for arm in ARMS:
            mine = [line for line in lines if (line["world"], line["arm"]) == (world, arm)]
            if not mine:
                continue
            base = "changes" if world == "changes" else "good"
            pairs = [
                score[world, arm, line["seed"]] - score[base, "real", line["seed"]]
                for line in mine
                if (base, "real", line["seed"]) in score
            ]
            cells = [world, arm, str(len(mine)), interval([_score(line) for line in mine], 0)]
            cells.append("" if arm == "real" or not pairs else interval(pairs, 0))
            for name, digits in (("generated/admitted", 2), ("tau/gap", 2)):
                told = [line["metrics"][name] for line in mine if name in line["metrics"]]
                cells.append(interval(told, digits) if told else "")
            print(row_of(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
