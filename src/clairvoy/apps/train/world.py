"""`clairvoy train world`: an agent and a generator of transitions, in any environment with a name."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from clairvoy.apps.outputs import check_writable
from clairvoy.apps.train.between_rounds import interrupts_between_rounds, say_stopped
from clairvoy.apps.train.device import choose_device
from clairvoy.apps.train.environment_options import add_environment, environment_options
from clairvoy.apps.train.folder import alone_in, keep_result, refuse_a_second_run
from clairvoy.apps.train.log import RunLog
from clairvoy.apps.train.options import add_out, add_run, deadline_of
from clairvoy.apps.train.record import asked, refuse_other_settings, write_record
from clairvoy.cotraining.loop import Cotraining, Feedback
from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.environments.handed_in import as_environment
from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.evaluated import Trained
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.rollout import LONGEST, evaluate
from clairvoy.scenarios.world.dream_pictures import dream_pictures
from clairvoy.scenarios.world.file import save_world
from clairvoy.scenarios.world.presets import NUM_ENVS, preset
from clairvoy.scenarios.world.scenario import WorldScenario

PATHS = ("agent_to_generator", "generated_scenes", "gate")
SAME = ("scenario", "env", "options", "steps", "seed", "without")
"""What a resumed run must share with the one that it continues."""
EVALUATIONS, EPISODES, FINAL_EPISODES = 20, 20, 100
"""Evaluations in a run, episodes of each, and of the last one."""
FEW_EVALUATIONS, FEW_EPISODES, FEW_FINAL_EPISODES = 5, 4, 8
"""The same where stacked frames are seen: an episode of Atari is thousands of pictures."""
LEAST_LONGEST = 2500
"""Steps that an evaluation lets an episode go on for, at least: as long as MinAtar's."""
FRESH = 900_000
"""Added to the seed for the last evaluation: episodes that no choice of weights has seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    parser.add_argument(
        "--env",
        required=True,
        metavar="NAME",
        help="CartPole-v1 or another id of gymnasium with discrete actions, MinAtar/Breakout, ALE/Pong-v5",
    )
    add_out(parser)
    parser.add_argument(
        "--steps", type=int, default=10_000, help="real steps of the environment (default: %(default)s)"
    )
    add_environment(parser)
    add_run(
        parser,
        PATHS,
        device="cpu",
        without="switch a feedback path off; without generated_scenes it is plain Q-learning; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the steps are spent, 130 after Ctrl-C."""
    checkpoint, weights = args.out / "checkpoint.pt", args.out / "weights.safetensors"
    if args.steps < EVALUATIONS * NUM_ENVS:
        raise SettingsError(f"--steps is {args.steps}; give at least {EVALUATIONS * NUM_ENVS}")
    deadline = deadline_of(args)
    device = choose_device(args.device)
    args.options = environment_options(args).to_dict()
    environment = _environment(args, NUM_ENVS, actor_processes=args.options["actor_processes"])
    _refuse_another(args, checkpoint)
    check_writable([checkpoint])
    world, rhythm = preset(environment, args.steps, args.seed, Feedback(**dict.fromkeys(args.without, False)))
    scenario = WorldScenario(environment, world, device=device)
    shown = _environment(args, 1)
    shown.reset(torch.Generator().manual_seed(args.seed))
    scenario.check_mask(shown.action_mask(), rhythm.feedback)
    with alone_in(args.out):
        # Another run may have begun meanwhile.
        _refuse_another(args, checkpoint)
        loop = Cotraining(scenario, rhythm)
        if not args.resume:
            settings = {"cotrain": asdict(rhythm), "scenario": asdict(world), "device": str(device)}
            write_record(args.out, asked(args, SAME) | {"updates": loop.total}, settings, {})
        log = RunLog(args.out, loop.total, args.quiet, lambda: dream_pictures(scenario, shown))
        return _train(args, loop, log, checkpoint, weights, deadline)


def _refuse_another(args: argparse.Namespace, checkpoint: Path) -> None:
    refuse_a_second_run(args.out, args.resume, checkpoint)
    if args.resume:
        refuse_other_settings(args.out, asked(args, SAME))


def _environment(args: argparse.Namespace, num_envs: int, *, actor_processes: bool = False) -> Any:
    options = EnvironmentOptions(**{**args.options, "actor_processes": actor_processes})
    return as_environment(args.env, num_envs, options)


def _train(
    args: argparse.Namespace,
    loop: Cotraining,
    log: RunLog,
    checkpoint: Path,
    weights: Path,
    deadline: float | None,
) -> int:
    """Run the loop to its end, or until it is stopped, and write what was learnt."""
    evaluations, episodes, final_episodes = _effort(loop.scenario.environment)
    with interrupts_between_rounds() as interrupts:

        def report(steps: int, metrics: Mapping[str, float]) -> None:
            log(loop.update, {**metrics, "agent/steps": float(steps)})

        def pause() -> None:
            interrupts.check()
            if deadline is not None and time.monotonic() > deadline:
                raise KeyboardInterrupt

        trained = train_online(
            loop,
            _environment(args, episodes),
            OnlineSettings(
                evaluate_every=args.steps // evaluations, episodes=episodes, longest=_longest(args.steps)
            ),
            checkpoint=checkpoint,
            resume=args.resume,
            report=report,
            deadline=deadline,
            pause=interrupts.check,
        )
        log.close()
        if trained.finished:
            return _finish(args, loop.scenario, trained, weights, final_episodes, pause)
    return say_stopped(
        checkpoint, f"{loop.steps} of {args.steps} steps", interrupts, in_time=bool(args.minutes)
    )


def _effort(environment: BatchedEnvironment) -> tuple[int, int, int]:
    frames = any(
        spec.dtype == torch.uint8 and len(spec.shape) == 3 for spec in environment.observation_specs.values()
    )
    if frames:
        return FEW_EVALUATIONS, FEW_EPISODES, FEW_FINAL_EPISODES
    return EVALUATIONS, EPISODES, FINAL_EPISODES


def _longest(steps: int) -> int:
    """Steps after which an evaluation cuts an episode: as many as the whole run has, which is as good as for ever."""
    return min(LONGEST, max(LEAST_LONGEST, steps))


def _finish(
    args: argparse.Namespace,
    scenario: Any,
    trained: Trained,
    weights: Path,
    episodes: int,
    pause: Callable[[], None],
) -> int:
    """Write what was learnt; then measure the agent that was kept on episodes that did not choose it, and note that."""
    notes = {
        "env": args.env, "options": args.options, "steps": args.steps, "seed": args.seed, "without": args.without,
        "best_at_step": trained.best.steps, "evaluations": trained.evaluations,
    }  # fmt: skip
    keep_result(weights, lambda path: save_world(path, scenario, notes))
    kept = f"best kept after {trained.best.steps} of {args.steps} steps"
    try:
        played = evaluate(
            _environment(args, min(episodes, EPISODES)),
            scenario.agent.act_greedily,
            episodes,
            torch.Generator().manual_seed(args.seed + FRESH),
            longest=_longest(args.steps),
            pause=pause,
        )
    except KeyboardInterrupt:
        print(f"trained: {weights}; {kept}; stopped before it was measured", file=sys.stderr)
        return 0
    save_world(
        weights, scenario, {**notes, "return": played.mean_return, "episodes": episodes, "cut": played.cut}
    )
    print(
        f"trained: {weights}; return {played.mean_return:.1f} over {len(played.returns)} fresh episodes, {kept}",
        file=sys.stderr,
    )
    if played.cut:
        print(
            f"{played.cut} of these episodes did not end in {_longest(args.steps)} steps, and count as far as they went; "
            "--max-episode-steps cuts them in training as well",
            file=sys.stderr,
        )
    return 0
